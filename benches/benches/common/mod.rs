//! What the benches of what waits have in common.
#![allow(dead_code)] // each bench uses a part

use std::time::{Duration, Instant};

use benches::disk::Disk;
use criterion::Criterion;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Short: what is looked for are factors, not percents.
pub fn short() -> Criterion {
    let warm_up = Duration::from_millis(300);
    Criterion::default().sample_size(20).warm_up_time(warm_up).measurement_time(Duration::from_secs(1))
}

/// A runtime as a service has it.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// A file of its own on the disk that the temporary directory is on.
pub fn disk(runtime: &Runtime) -> (TempDir, Disk) {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = runtime.block_on(Disk::open(dir.path().join("floor.db"))).expect("it opens");
    (dir, disk)
}

/// How long `times` runs of `work` take one after the other. In a task, as a handler runs: what a worker of the
/// runtime spawns stays with it.
pub async fn alone<F>(times: u64, work: impl Fn() -> F + Send + 'static) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let run = async move {
        let began = Instant::now();
        for _ in 0..times {
            work().await;
        }
        began.elapsed()
    };
    tokio::spawn(run).await.expect("the work does not panic")
}

/// As [`alone`], but the median of the runs, times their number: one that met a slow commit does not count for
/// many.
pub async fn median<F>(times: u64, work: impl Fn() -> F + Send + 'static) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let run = async move {
        let mut took = Vec::new();
        for _ in 0..times {
            let began = Instant::now();
            work().await;
            took.push(began.elapsed());
        }
        took.sort_unstable();
        took[took.len() / 2] * u32::try_from(times).unwrap_or(u32::MAX)
    };
    tokio::spawn(run).await.expect("the work does not panic")
}

/// A number of iterations as a number of things.
pub fn count(times: u64) -> usize {
    usize::try_from(times).unwrap_or(usize::MAX)
}
