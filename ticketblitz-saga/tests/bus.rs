//! The bus on real outboxes: order for each key, repeats absorbed, poison put aside.

mod world;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use ticketblitz_core::sqlite::query;
use ticketblitz_core::{Backoff, Clock, Envelope, SystemClock};
use ticketblitz_saga::{
    BusOptions, Consumer, Error, HandleError, Handler, InProcessBus, dead_letters, inbox, outbox, replay,
    sqlite,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use world::{Log, World};

/// Logs `key:n`; fails or refuses what its flags say.
#[derive(Default)]
struct Told {
    log: Log,
    failing: AtomicBool,
}

#[async_trait]
impl Handler for Told {
    async fn handle(&self, message: &Envelope) -> Result<(), HandleError> {
        let n = &message.data["n"];
        if n == "poison" && self.failing.load(Ordering::SeqCst) {
            return Err(HandleError::Poison("unreadable".into()));
        }
        if n == "later" && self.failing.load(Ordering::SeqCst) {
            self.log.add("failed");
            return Err(HandleError::Retry("busy".into()));
        }
        self.log.add(format!("{}:{n}", message.key));
        Ok(())
    }
}

fn message(key: &str, n: impl serde::Serialize) -> Envelope {
    Envelope::new("told", key, SystemClock.now(), json!({ "n": n }))
}

async fn push(world: &World, messages: Vec<Envelope>) {
    let pushed: Result<(), Error> = world
        .db
        .write(move |conn| {
            Box::pin(async move {
                for message in &messages {
                    outbox::push(conn, message).await?;
                }
                Ok(())
            })
        })
        .await;
    pushed.expect("pushed");
}

struct Bus(CancellationToken, JoinHandle<()>);

fn bus(world: &World, handlers: &[(&str, &Arc<Told>)]) -> Bus {
    let options = BusOptions {
        backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(5)),
        flush_interval: Duration::from_millis(5),
        ..BusOptions::default()
    };
    let mut bus = InProcessBus::new(Arc::new(SystemClock)).options(options).outbox("test", world.db.clone());
    for (name, handler) in handlers {
        bus = bus.consumer(Consumer::new(*name, ["told"], Arc::clone(*handler) as Arc<dyn Handler>));
    }
    let stop = CancellationToken::new();
    Bus(stop.clone(), tokio::spawn(bus.run(stop)))
}

impl Bus {
    async fn end(self) {
        self.0.cancel();
        self.1.await.expect("it drains");
    }
}

async fn world() -> World {
    let world = World::new().await;
    sqlite::setup(&world.db).await.expect("tables");
    world
}

async fn reached(log: &Log, length: usize) {
    let reached = tokio::time::timeout(world::PATIENCE, log.reached(length)).await;
    assert!(reached.is_ok(), "only {:?}", log.all());
}

#[tokio::test]
async fn every_consumer_gets_every_message_in_the_order_of_its_key() {
    let world = world().await;
    let (one, two) = (Arc::<Told>::default(), Arc::<Told>::default());
    let bus = bus(&world, &[("one", &one), ("two", &two)]);
    for n in 0..100 {
        push(&world, (0..5).map(|key| message(&key.to_string(), n)).collect()).await;
    }
    for told in [&one, &two] {
        reached(&told.log, 500).await;
        let mut seen: HashMap<String, Vec<u64>> = HashMap::new();
        for entry in told.log.all() {
            let (key, n) = entry.split_once(':').expect("a key");
            seen.entry(key.to_owned()).or_default().push(n.parse().expect("a number"));
        }
        assert!(seen.values().all(|numbers| *numbers == (0..100).collect::<Vec<_>>()), "{seen:?}");
    }
    bus.end().await;
}

#[tokio::test]
async fn a_bus_goes_on_where_it_ended() {
    let world = world().await;
    let told = Arc::<Told>::default();
    let first = bus(&world, &[("one", &told)]);
    push(&world, vec![message("a", 1), message("a", 2)]).await;
    reached(&told.log, 2).await;
    first.end().await;
    push(&world, vec![message("a", 3)]).await;
    let second = bus(&world, &[("one", &told)]);
    reached(&told.log, 3).await;
    second.end().await;
    assert_eq!(told.log.all(), ["a:1", "a:2", "a:3"]);
}

#[tokio::test]
async fn a_failure_blocks_its_key_only_also_over_a_restart() {
    let world = world().await;
    let told = Arc::new(Told { failing: AtomicBool::new(true), ..Told::default() });
    let first = bus(&world, &[("one", &told)]);
    push(&world, vec![message("a", "later"), message("a", 2), message("b", 1)]).await;
    while told.log.count("b:1") == 0 || told.log.count("failed") < 3 {
        reached(&told.log, told.log.all().len() + 1).await;
    }
    first.end().await;
    let second = bus(&world, &[("one", &told)]);
    let failed = told.log.count("failed");
    while told.log.count("failed") == failed {
        reached(&told.log, told.log.all().len() + 1).await;
    }
    told.failing.store(false, Ordering::SeqCst);
    while told.log.count("a:2") == 0 {
        reached(&told.log, told.log.all().len() + 1).await;
    }
    second.end().await;
    let handled: Vec<String> = told.log.all().into_iter().filter(|entry| entry != "failed").collect();
    assert_eq!(handled, ["b:1", "a:\"later\"", "a:2"]);
}

#[tokio::test]
async fn poison_goes_aside_with_what_follows_and_comes_back_when_asked() {
    let world = world().await;
    let told = Arc::new(Told { failing: AtomicBool::new(true), ..Told::default() });
    let bus = bus(&world, &[("one", &told)]);
    push(&world, vec![message("a", "poison"), message("a", 2), message("b", 1)]).await;
    let buried = async {
        while dead_letters(&world.db).await.expect("read").len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks
        }
    };
    tokio::time::timeout(world::PATIENCE, buried).await.expect("they are dead");
    reached(&told.log, 1).await;
    assert_eq!(told.log.all(), ["b:1"]);
    let dead = dead_letters(&world.db).await.expect("read");
    assert_eq!((dead[0].consumer.as_str(), dead[0].error.as_deref()), ("one", Some("unreadable")));
    told.failing.store(false, Ordering::SeqCst);
    assert_eq!(replay(&world.db, "one", "a").await.expect("replayed"), 2);
    reached(&told.log, 3).await;
    assert_eq!(told.log.all(), ["b:1", "a:\"poison\"", "a:2"]);
    push(&world, vec![message("a", 3)]).await;
    reached(&told.log, 4).await;
    bus.end().await;
    assert!(dead_letters(&world.db).await.expect("read").is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_stops_nobody() {
    let world = world().await;
    let damaged: Result<(), Error> = world
        .db
        .write(|conn| {
            Box::pin(async move {
                let row =
                    "INSERT INTO outbox (id, topic, key, envelope) VALUES ('x', 'told', 'a', 'damaged')";
                query(row).execute(conn).await?;
                Ok(())
            })
        })
        .await;
    damaged.expect("pushed");
    push(&world, vec![message("b", 1)]).await;
    let told = Arc::<Told>::default();
    let bus = bus(&world, &[("one", &told)]);
    reached(&told.log, 1).await;
    bus.end().await;
    let dead = dead_letters(&world.db).await.expect("read");
    assert_eq!((dead.len(), dead[0].key.as_str(), dead[0].message.is_none()), (1, "a", true));
}

#[tokio::test]
async fn what_is_rolled_back_is_never_delivered_and_what_is_claimed_is_claimed_once() {
    let world = world().await;
    let told = Arc::<Told>::default();
    let bus = bus(&world, &[("one", &told)]);
    let unsaid = message("a", "unsaid");
    let rolled_back: Result<(), Error> = world
        .db
        .write(move |conn| {
            Box::pin(async move {
                outbox::push(conn, &unsaid).await?;
                assert!(inbox::claim(conn, "one", "m1").await?);
                Err(ticketblitz_core::sqlite::Error::decode("on purpose").into())
            })
        })
        .await;
    rolled_back.expect_err("rolled back");
    push(&world, vec![message("a", "said")]).await;
    reached(&told.log, 1).await;
    assert_eq!(told.log.all(), ["a:\"said\""]);
    for expected in [true, false, false] {
        let claimed: Result<bool, Error> =
            world.db.write(|conn| Box::pin(async move { inbox::claim(conn, "one", "m1").await })).await;
        assert_eq!(claimed.expect("claimed"), expected);
    }
    bus.end().await;
}
