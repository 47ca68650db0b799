//! One answer for every retry: what it costs the first time and every time after, over what is done anyway.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::routing::post;
use common::{alone, disk, runtime, short};
use criterion::{Criterion, criterion_group, criterion_main};
use ticketblitz_core::SystemClock;
use ticketblitz_idempotency::{
    Error, IdempotencyLayer, IdempotencyStore, Key, Keys, MemoryStore, Scope, SqliteStore, sqlite,
};
use tower::ServiceExt;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A key that nobody has used.
fn fresh() -> String {
    format!("order-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn execute(keys: Keys, key: String) {
    let key = Key::new(&key).expect("a key");
    let done = keys.execute(Scope::user("ann"), key, &("ann", 500), || async { Ok::<_, Error>(500) }).await;
    assert_eq!(done.expect("executed"), 500);
}

async fn memory_and_sqlite(disk: &benches::disk::Disk) -> [(&'static str, Arc<dyn IdempotencyStore>); 2] {
    sqlite::setup(&disk.db).await.expect("tables");
    let (memory, file) = (MemoryStore::new(Arc::new(SystemClock)), disk.db.clone());
    [("memory", Arc::new(memory)), ("SQLite", Arc::new(SqliteStore::new(file, Arc::new(SystemClock))))]
}

fn keys(c: &mut Criterion) {
    let runtime = runtime();
    let (_dir, disk) = disk(&runtime);
    let mut group = c.benchmark_group("execute");
    for (name, store) in runtime.block_on(memory_and_sqlite(&disk)) {
        let keys = Keys::new(store);
        group.bench_function(format!("first, {name}"), |b| {
            b.to_async(&runtime).iter_custom(|times| {
                let keys = keys.clone();
                alone(times, move || execute(keys.clone(), fresh()))
            });
        });
        runtime.block_on(execute(keys.clone(), "again".to_owned()));
        group.bench_function(format!("replay, {name}"), |b| {
            b.to_async(&runtime).iter_custom(|times| {
                let keys = keys.clone();
                alone(times, move || execute(keys.clone(), "again".to_owned()))
            });
        });
    }
    // The claim and the answer of a first execution are a commit each.
    group.bench_function("floor of first, SQLite: two commits of a row", |b| {
        b.to_async(&runtime).iter_custom(|times| {
            let disk = disk.clone();
            alone(times * 2, move || {
                let disk = disk.clone();
                async move { disk.commit().await.expect("written") }
            })
        });
    });
    group.bench_function("floor of replay, SQLite: read of a row", |b| {
        b.to_async(&runtime).iter_custom(|times| {
            let disk = disk.clone();
            alone(times, move || {
                let disk = disk.clone();
                async move { assert!(disk.read(1).await.expect("read").is_some()) }
            })
        });
    });
    group.finish();
}

fn bare() -> Router {
    Router::new().route("/payments", post(|amount: String| async move { format!("paid {amount}") }))
}

async fn pay(app: Router, key: String) {
    let request = Request::post("/payments").header("Idempotency-Key", key).body(Body::from("500"));
    let response = app.oneshot(request.expect("a request")).await.expect("infallible");
    let body = to_bytes(response.into_body(), 1_024).await.expect("a body");
    assert_eq!(body, "paid 500");
}

fn layer(c: &mut Criterion) {
    let runtime = runtime();
    let (_dir, disk) = disk(&runtime);
    let mut group = c.benchmark_group("layer");
    group.bench_function("floor: the bare handler", |b| {
        let app = bare();
        b.to_async(&runtime).iter_custom(|times| {
            let app = app.clone();
            alone(times, move || pay(app.clone(), fresh()))
        });
    });
    for (name, store) in runtime.block_on(memory_and_sqlite(&disk)) {
        let app = bare().layer(IdempotencyLayer::new(store).scope(|_| Some(Scope::user("ann"))));
        group.bench_function(format!("first, {name}"), |b| {
            b.to_async(&runtime).iter_custom(|times| {
                let app = app.clone();
                alone(times, move || pay(app.clone(), fresh()))
            });
        });
        runtime.block_on(pay(app.clone(), "again".to_owned()));
        group.bench_function(format!("replay, {name}"), |b| {
            b.to_async(&runtime).iter_custom(|times| {
                let app = app.clone();
                alone(times, move || pay(app.clone(), "again".to_owned()))
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = keys, layer }
criterion_main!(benches);
