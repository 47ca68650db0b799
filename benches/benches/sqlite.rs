//! The floor of everything that is kept: one row a commit, alone and shared, and one row read.

mod common;

use benches::disk::shared;
use common::{alone, count, disk, median, runtime, short};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

/// Rows to read from.
const ROWS: u64 = 10_000;

fn writes(c: &mut Criterion) {
    let runtime = runtime();
    let (_dir, disk) = disk(&runtime);
    let mut group = c.benchmark_group("sqlite");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
    let commit = move || {
        let disk = disk.clone();
        async move { disk.commit().await.expect("written") }
    };
    group.bench_function("commit, alone (p50)", |b| {
        b.to_async(&runtime).iter_custom(|times| median(times, commit.clone()));
    });
    for callers in [16, 64] {
        group.bench_function(BenchmarkId::new("commit, shared by callers", callers), |b| {
            b.to_async(&runtime).iter_custom(|times| shared(callers, count(times), commit.clone()));
        });
    }
    group.finish();
}

fn reads(c: &mut Criterion) {
    let runtime = runtime();
    let (_dir, disk) = disk(&runtime);
    runtime.block_on(disk.insert(ROWS)).expect("written");
    let read = move || {
        let disk = disk.clone();
        async move {
            let row = disk.read(4_711).await.expect("read");
            assert!(row.is_some(), "it was written");
        }
    };
    let mut group = c.benchmark_group("sqlite");
    group.throughput(Throughput::Elements(1));
    group.bench_function("read of one row", |b| {
        b.to_async(&runtime).iter_custom(|times| alone(times, read.clone()));
    });
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = writes, reads }
criterion_main!(benches);
