//! A small service on `SeatLocks`: hold, give back and pay over HTTP, on a backend that is chosen at its start.
//! Run it: `cargo run -p examples --example lock_http` plays a scene through the router, on memory and on the servers of
//! `TEST_REDIS_URL` and `TEST_POSTGRES_URL`; `... -- memory 127.0.0.1:8080` serves (or `redis://...`, `postgres://...`).
//!
//! A client may hang up at any moment. A hold is asked for with a key of the client's own, so that asking again gets the
//! same seats, and what nobody asks for again lapses. A payment goes on in a task of its own: between charge and sale
//! nothing can be dropped.
#![allow(clippy::print_stdout)] // it shows what happens
#![allow(clippy::disallowed_methods)] // an example is told by its environment where the servers are

#[path = "lock_http/answers.rs"]
mod answers;
#[path = "lock_http/scene.rs"]
mod scene;

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::postgres::driver::postgres::PgPoolOptions;
use ticketblitz_lock::{
    AttemptId, EventSnapshot, Hold, HoldId, HoldRef, LockError, MemoryStore, Owner, PostgresStore,
    RedisStore, SeatLocks, SeatStore, postgres,
};

use answers::{Refused, held};

const TEN_MINUTES: Duration = Duration::from_secs(600);
/// The longest that the payment provider takes to answer, and a little.
const GRACE: Duration = Duration::from_secs(120);

/// What the handlers share.
#[derive(Debug)]
struct Shop {
    locks: SeatLocks,
    /// Stands for your database of sales.
    sales: Mutex<HashMap<HoldId, (Owner, BookingId)>>,
}

impl Shop {
    fn booking_of(&self, hold: HoldId, owner: &Owner) -> Option<BookingId> {
        let sales = self.sales.lock().unwrap_or_else(PoisonError::into_inner);
        sales.get(&hold).filter(|(whose, _)| whose == owner).map(|(_, booking)| *booking)
    }

    /// One booking a hold, however often it is recorded. A database does this under its unique constraint on (event, seat)
    /// and refuses a lower fence than it has seen; then the money goes back.
    fn record(&self, hold: &Hold) -> BookingId {
        let mut sales = self.sales.lock().unwrap_or_else(PoisonError::into_inner);
        sales.entry(hold.id).or_insert_with(|| (hold.owner.clone(), BookingId::new())).1
    }
}

#[derive(Debug, Deserialize)]
struct Wanted {
    seats: Vec<String>,
}

fn router(store: Arc<dyn SeatStore>) -> Router {
    Router::new()
        .route("/events/{event}/holds", post(hold))
        .route("/events/{event}/holds/{hold}", delete(give_back))
        .route("/events/{event}/holds/{hold}/pay", post(pay))
        .with_state(Arc::new(Shop { locks: SeatLocks::from_arc(store), sales: Mutex::default() }))
}

/// The backend that a URL names.
async fn store(url: &str) -> Result<Arc<dyn SeatStore>, Box<dyn Error>> {
    Ok(match url {
        "memory" => Arc::new(MemoryStore::default()),
        redis if redis.starts_with("redis://") => Arc::new(RedisStore::connect(redis).await?),
        _ => {
            let pool = PgPoolOptions::new().test_before_acquire(false).connect(url).await?;
            postgres::setup(&pool).await?;
            Arc::new(PostgresStore::new(pool))
        }
    })
}

/// Who asks. Stands for whatever tells your users apart.
fn buyer(headers: &HeaderMap) -> Result<Owner, LockError> {
    let name = headers.get("x-buyer").and_then(|name| name.to_str().ok());
    name.map(Owner::from).ok_or_else(|| LockError::invalid("the header x-buyer says who asks"))
}

/// The client's name for this attempt: whoever got no answer sends it again, with the same key.
fn attempt(headers: &HeaderMap) -> Result<AttemptId, LockError> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()?.parse().ok());
    key.ok_or_else(|| LockError::invalid("the header idempotency-key is a UUID of the client's"))
}

async fn hold(
    State(shop): State<Arc<Shop>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Refused> {
    let (owner, attempt) = (buyer(&headers)?, attempt(&headers)?);
    let hold = shop.locks.hold(event, wanted.seats).owner(owner).attempt(attempt).ttl(TEN_MINUTES).limit(8);
    Ok((StatusCode::CREATED, Json(held(hold.await?.hold()))).into_response())
}

async fn give_back(
    State(shop): State<Arc<Shop>>,
    Path((event, hold)): Path<(EventId, HoldId)>,
    headers: HeaderMap,
) -> Result<StatusCode, Refused> {
    match shop.locks.store().release(HoldRef { event, hold }, &buyer(&headers)?).await {
        // Not held any more is what was asked for.
        Ok(()) | Err(LockError::NotHeld) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}

async fn pay(
    State(shop): State<Arc<Shop>>,
    Path((event, hold)): Path<(EventId, HoldId)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let owner = buyer(&headers)?;
    let payment = tokio::spawn(async move { charge_and_sell(&shop, HoldRef { event, hold }, &owner).await });
    payment.await.map_err(LockError::backend)?.map_err(Refused::from)
}

async fn charge_and_sell(shop: &Shop, hold: HoldRef, owner: &Owner) -> Result<Response, LockError> {
    if let Some(booking) = shop.booking_of(hold.hold, owner) {
        return Ok(Json(json!({ "booking": booking })).into_response());
    }
    // Repeated, it is the payment that was begun first, with what is left of its grace.
    shop.locks.store().begin_commit(hold, owner, GRACE).await?;
    let paying = shop.locks.paying(hold).await?;
    if !charge(hold.hold).await {
        paying.abort().await?;
        return Ok(StatusCode::PAYMENT_REQUIRED.into_response());
    }
    let booking = shop.record(paying.hold());
    if let Err(error) = paying.sold(booking).await {
        // The sale is recorded and stands: whoever loads the event next tells the store.
        println!("{booking} is not known to the lock store yet: {error}");
    }
    Ok(Json(json!({ "booking": booking })).into_response())
}

/// The payment provider. The hold's id is the key by which it knows a repeat, so that nobody is charged twice.
async fn charge(_key: HoldId) -> bool {
    tokio::task::yield_now().await;
    true
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let Some(url) = args.next() else {
        let servers = ["TEST_REDIS_URL", "TEST_POSTGRES_URL"].map(|name| std::env::var(name).ok());
        for url in servers.into_iter().flatten().chain(["memory".to_owned()]) {
            println!("-- on {}", url.split(':').next().unwrap_or_default());
            scene::play(store(&url).await?).await?;
        }
        return Ok(());
    };
    let store = store(&url).await?;
    let event = EventId::new();
    store.load(&EventSnapshot::new(event)).await?; // of a real event, what your database knows to be sold
    let listener = tokio::net::TcpListener::bind(args.next().as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("POST http://{}/events/{event}/holds", listener.local_addr()?);
    axum::serve(listener, router(store)).await?;
    Ok(())
}
