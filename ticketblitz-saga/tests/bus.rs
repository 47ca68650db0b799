//! The bus on real outboxes: order for each key, repeats absorbed, poison put aside.

mod world;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::json;
use ticketblitz_core::sqlite::{Sqlite, query, query_scalar};
use ticketblitz_core::{Clock, Envelope, SystemClock};
use ticketblitz_saga::{
    BusBuilder, BusOptions, Consumer, DeadLetter, Error, HandleError, Handler, InProcessBus, dead_letters,
    inbox, outbox, replay, sqlite,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use world::{Log, World};

/// Logs `key:n`; fails or refuses what its flags say.
#[derive(Default)]
struct Told {
    log: Log,
    failing: AtomicBool,
    gate: Gate,
}

/// Closed until somebody opens it.
struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
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
        if n == "slow" {
            let _open = self.gate.0.acquire().await.expect("nobody closes it for good");
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
    let consumer = |(name, told): &(&str, &Arc<Told>)| {
        Consumer::new(*name, ["told"], Arc::clone(*told) as Arc<dyn Handler>)
    };
    bus_of(world, handlers.iter().map(consumer).collect())
}

fn bus_of(world: &World, consumers: Vec<Consumer>) -> Bus {
    let options = BusOptions::default().backoff(world::SOON).flush_interval(Duration::from_millis(5));
    let bus = InProcessBus::new(Arc::new(SystemClock)).options(options).outbox("test", world.db.clone());
    let bus = consumers.into_iter().fold(bus, BusBuilder::consumer);
    let stop = CancellationToken::new();
    Bus(stop.clone(), tokio::spawn(bus.build().expect("a bus").run(stop)))
}

impl Bus {
    async fn end(self) {
        self.0.cancel();
        self.1.await.expect("it drains");
    }

    /// Stops it where it is.
    async fn crash(self) {
        self.1.abort();
        let _ = self.1.await;
    }
}

async fn world() -> World {
    let world = World::new().await;
    sqlite::setup(&world.db).await.expect("tables");
    world
}

async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks
        }
    };
    tokio::time::timeout(world::PATIENCE, looking).await.expect(what);
}

/// Messages that a bus would read again.
async fn not_counted_as_done(db: &Sqlite) -> usize {
    let behind =
        "SELECT count(*) FROM outbox WHERE seq > (SELECT coalesce(max(seq), 0) FROM outbox_position)";
    let behind: i64 = query_scalar(behind).fetch_one(db.readers()).await.expect("counts");
    usize::try_from(behind).expect("a number")
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
    until("they are dead", async || dead_letters(&world.db).await.expect("read").len() == 2).await;
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
                    "INSERT INTO outbox (id, topic, key, envelope, occurred_at) VALUES ('x', 'told', 'a', 'damaged', 0)";
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

#[tokio::test]
async fn nobody_is_on_a_bus_twice() {
    let world = world().await;
    let told = Arc::<Told>::default();
    let consumer = || Consumer::new("one", ["told"], Arc::clone(&told) as Arc<dyn Handler>);
    let bus = || InProcessBus::new(Arc::new(SystemClock)).outbox("shop", world.db.clone());
    let refused = bus().consumer(consumer()).consumer(consumer()).build().expect_err("one name");
    assert_eq!(refused.to_string(), "two consumers of the bus are named one");

    std::fs::create_dir(world.dir.path().join("below")).expect("a directory");
    let again = Sqlite::open(world.dir.path().join("below/../saga.db")).await.expect("opens");
    let refused = bus().outbox("store", again).consumer(consumer()).build().expect_err("one outbox");
    let refused = refused.to_string();
    assert!(refused.starts_with("the outboxes shop and store are both of the database "), "{refused}");

    let other = Sqlite::open(world.dir.path().join("other.db")).await.expect("opens");
    drop(bus().outbox("shop", other).consumer(consumer()).build().expect("two files"));
}

#[tokio::test]
async fn a_handler_that_takes_its_time_makes_few_repeats_after_a_crash() {
    let world = world().await;
    let told = Arc::<Told>::default();
    let first = bus(&world, &[("one", &told)]);
    push(&world, vec![message("a", "slow"), message("a", 2)]).await;
    push(&world, (0..1_000).map(|n| message(&n.to_string(), n)).collect()).await;
    reached(&told.log, 1_000).await;
    until("most count as done", async || not_counted_as_done(&world.db).await <= 256).await;
    first.crash().await;

    told.gate.0.add_permits(1);
    let second = bus(&world, &[("one", &told)]);
    until("all are done", async || told.log.count("a:2") == 1 && not_counted_as_done(&world.db).await == 0)
        .await;
    second.end().await;
    let all = told.log.all();
    assert!(all.len() <= 1_000 + 2 + 256, "{} repeats", all.len() - 1_002);
    let of_a: Vec<&String> = all.iter().filter(|entry| entry.starts_with("a:")).collect();
    assert_eq!(of_a, ["a:\"slow\"", "a:2"]);
}

#[tokio::test]
async fn a_crash_changes_nothing_about_dead_letters() {
    let world = world().await;
    let told = Arc::new(Told { failing: AtomicBool::new(true), ..Told::default() });
    let first = bus(&world, &[("one", &told)]);
    // As long as it is handled, the position stays before the others.
    push(&world, vec![message("s", "slow"), message("a", 1), message("a", "poison"), message("a", 2)]).await;
    until("they are dead", async || dead_letters(&world.db).await.expect("read").len() == 2).await;
    let before = dead_letters(&world.db).await.expect("read");
    assert_eq!(not_counted_as_done(&world.db).await, 4);
    first.crash().await;

    let second = bus(&world, &[("one", &told)]);
    told.gate.0.add_permits(1);
    until("the rest is done", async || not_counted_as_done(&world.db).await == 0).await;
    second.end().await;
    let of = |letters: Vec<DeadLetter>| -> Vec<_> {
        letters.into_iter().map(|letter| (letter.message.map(|message| message.id), letter.error)).collect()
    };
    assert_eq!(of(dead_letters(&world.db).await.expect("read")), of(before));
}

/// Written without the macro; panics before there is a future, then while that is dropped.
#[derive(Default)]
struct Panicking(Log);

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

impl Handler for Panicking {
    fn handle<'a, 'b, 'c>(&'a self, message: &'b Envelope) -> BoxFuture<'c, Result<(), HandleError>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.0.add(format!("{}:{}", message.key, message.data["n"]));
        match self.0.all().len() {
            1 => panic!("on purpose"),
            2 => {
                let bomb = PanicsWhenDropped;
                Box::pin(async move {
                    let _bomb = bomb;
                    Ok(())
                })
            }
            _ => Box::pin(async { Ok(()) }),
        }
    }
}

#[tokio::test]
async fn a_handler_that_panics_anywhere_has_failed() {
    let world = world().await;
    let panicking = Arc::<Panicking>::default();
    let bus =
        bus_of(&world, vec![Consumer::new("one", ["told"], Arc::clone(&panicking) as Arc<dyn Handler>)]);
    push(&world, vec![message("a", 1), message("a", 2)]).await;
    reached(&panicking.0, 4).await;
    bus.end().await;
    assert_eq!(panicking.0.all(), ["a:1", "a:1", "a:1", "a:2"]);
}
