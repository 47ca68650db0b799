//! Sagas whose steps do nothing, and messages that nobody acts on: what keeping them costs. The floor is one row
//! and its commit on the same file. A saga of three steps is four of them: its start is one too.

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use benches::disk::{Disk, shared};
use common::{count, disk, median, runtime, short};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use ticketblitz_core::{Clock, Envelope, SystemClock};
use ticketblitz_saga::{
    Advance, Advanced, Consumer, Engine, Error, Handle, HandleError, Handler, InProcessBus, Retry, Run, Saga,
    StepError, outbox, sqlite,
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Clients who start a saga each and wait for its end.
const CLIENTS: usize = 16;
/// Messages that one transaction pushes, and keys that they are of.
const PUSHED: u64 = 100;
const KEYS: u64 = 64;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Who waits for the end of which saga.
type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>;

#[derive(Clone)]
struct Sagas {
    disk: Disk,
    handle: Arc<Handle<u32>>,
    waiting: Waiting,
}

async fn nothing(run: Run<u32>) -> Result<u32, StepError> {
    Ok(run.state)
}

/// The last step: once its commit is made, the saga has ended.
async fn last(disk: Disk, waiting: Waiting, run: Run<u32>, advance: Advance) -> Result<Advanced, Retry> {
    let advanced: Result<Advanced, Error> =
        disk.db.write(move |conn| Box::pin(async move { advance.apply(conn).await })).await;
    let advanced = advanced?;
    if let Some(waits) = waiting.lock().expect("not poisoned").remove(&run.key) {
        waits.send(()).expect("the client waits");
    }
    Ok(advanced)
}

impl Sagas {
    async fn begin(disk: Disk, stop: CancellationToken) -> Self {
        let waiting = Waiting::default();
        let ending = (disk.clone(), Arc::clone(&waiting));
        let saga = Saga::<u32>::named("empty")
            .step("one", nothing)
            .pivot("two", nothing)
            .local("three", move |run, advance| last(ending.0.clone(), Arc::clone(&ending.1), run, advance))
            .build();
        let engine = Engine::new(disk.db.clone(), Arc::new(SystemClock)).register(saga).build().await;
        let engine = engine.expect("it builds");
        let handle = Arc::new(engine.handle("empty"));
        tokio::spawn(async move { engine.run(stop).await });
        Self { disk, handle, waiting }
    }

    async fn one(self) {
        let key = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let (end, ended) = oneshot::channel();
        self.waiting.lock().expect("not poisoned").insert(key.clone(), end);
        let start = self.handle.start(key, &0);
        let started: Result<bool, Error> =
            self.disk.db.write(move |conn| Box::pin(async move { start.apply(conn).await })).await;
        assert!(started.expect("started"), "its key is new");
        ended.await.expect("it ends");
    }
}

fn sagas(c: &mut Criterion) {
    let runtime = runtime();
    let (_dir, disk) = disk(&runtime);
    let stop = CancellationToken::new();
    let sagas = runtime.block_on(Sagas::begin(disk.clone(), stop.clone()));
    let saga = move || sagas.clone().one();
    let commit = move || {
        let disk = disk.clone();
        async move { disk.commit().await.expect("written") }
    };
    let mut group = c.benchmark_group("saga");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
    group.bench_function("three empty steps, alone (p50)", |b| {
        b.to_async(&runtime).iter_custom(|times| median(times, saga.clone()));
    });
    group.bench_function("floor: one commit, alone (p50)", |b| {
        b.to_async(&runtime).iter_custom(|times| median(times, commit.clone()));
    });
    group.bench_function("three empty steps, 16 clients", |b| {
        b.to_async(&runtime).iter_custom(|times| shared(CLIENTS, count(times), saga.clone()));
    });
    group.bench_function("floor: one commit, 16 writers", |b| {
        b.to_async(&runtime).iter_custom(|times| shared(CLIENTS, count(times), commit.clone()));
    });
    group.finish();
    stop.cancel();
}

/// Counts what it is told, and does nothing about it.
struct Told(watch::Sender<u64>);

#[async_trait]
impl Handler for Told {
    async fn handle(&self, _: &Envelope) -> Result<(), HandleError> {
        self.0.send_modify(|told| *told += 1);
        Ok(())
    }
}

fn message(n: u64) -> Envelope {
    Envelope::new("told", (n % KEYS).to_string(), SystemClock.now(), Value::Null).with_sequence(n)
}

/// From the first push until the last message has come to the consumer.
async fn relayed(disk: Disk, mut told: watch::Receiver<u64>, messages: u64) -> Duration {
    let until = *told.borrow() + messages;
    let began = Instant::now();
    for from in (0..messages).step_by(count(PUSHED)) {
        let batch: Vec<_> = (from..messages.min(from + PUSHED)).map(message).collect();
        let push = disk.db.write(move |conn| {
            Box::pin(async move {
                for message in &batch {
                    outbox::push(conn, message).await?;
                }
                Ok::<_, Error>(())
            })
        });
        push.await.expect("pushed");
    }
    told.wait_for(|told| *told >= until).await.expect("there is a sender");
    began.elapsed()
}

fn relay(c: &mut Criterion) {
    let runtime = runtime();
    let (_dir, disk) = disk(&runtime);
    runtime.block_on(sqlite::setup(&disk.db)).expect("tables");
    let (told, counted) = watch::channel(0);
    let stop = CancellationToken::new();
    let bus = InProcessBus::new(Arc::new(SystemClock))
        .outbox("bench", disk.db.clone())
        .consumer(Consumer::new("bench", ["told"], Arc::new(Told(told))))
        .build()
        .expect("a bus");
    runtime.spawn(bus.run(stop.clone()));
    let mut group = c.benchmark_group("relay");
    group.throughput(Throughput::Elements(1));
    group.bench_function("a row from the outbox to its consumer", |b| {
        b.to_async(&runtime).iter_custom(|rows| relayed(disk.clone(), counted.clone(), rows));
    });
    group.bench_function("floor: a row written, 100 a commit", |b| {
        b.to_async(&runtime).iter_custom(|rows| {
            let disk = disk.clone();
            async move {
                let began = Instant::now();
                for from in (0..rows).step_by(count(PUSHED)) {
                    disk.insert(PUSHED.min(rows - from)).await.expect("written");
                }
                began.elapsed()
            }
        });
    });
    group.finish();
    stop.cancel();
}

criterion_group! { name = benches; config = short(); targets = sagas, relay }
criterion_main!(benches);
