//! What is forgotten, and what never: a message that somebody has still to get, an id that can still be asked for, a
//! saga that is in progress.

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::sqlite::{Sqlite, query, query_scalar};
use ticketblitz_core::{Clock, Envelope, ManualClock, SystemClock, Timestamp};
use ticketblitz_saga::{
    BusOptions, Consumer, Error, HandleError, Handler, InProcessBus, Saga, Status, Verdict, dead_letters,
    inbox, outbox, purge, replay, sqlite,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use world::{Running, World, until};

const HOUR: Duration = Duration::from_secs(3_600);

fn start() -> Timestamp {
    "2026-11-25T06:00:00Z".parse().expect("a time")
}

fn message(key: &str, occurred_at: Timestamp) -> Envelope {
    Envelope::new("told", key, occurred_at, serde_json::Value::Null)
}

async fn push(db: &Sqlite, message: Envelope) {
    let pushed: Result<(), Error> =
        db.write(move |conn| Box::pin(async move { outbox::push(conn, &message).await })).await;
    pushed.expect("pushed");
}

async fn world() -> World {
    let world = World::new().await;
    sqlite::setup(&world.db).await.expect("tables");
    world
}

/// Takes each message once by its inbox; will not take those of the key `bad` for as long as it is told so.
struct Teller {
    db: Sqlite,
    poisoned: AtomicBool,
    handled: AtomicU32,
}

impl Teller {
    fn new(db: &Sqlite) -> Arc<Self> {
        Arc::new(Self { db: db.clone(), poisoned: AtomicBool::new(true), handled: AtomicU32::new(0) })
    }
}

#[async_trait]
impl Handler for Teller {
    async fn handle(&self, message: &Envelope) -> Result<(), HandleError> {
        if message.key == "bad" && self.poisoned.load(Ordering::SeqCst) {
            return Err(HandleError::Poison("not now".to_owned()));
        }
        let id = message.id.to_string();
        let done: Result<(), Error> = self
            .db
            .write(move |conn| {
                Box::pin(async move {
                    if inbox::claim(conn, "teller", &id).await? {
                        query("INSERT INTO effect (what) VALUES ('told')").execute(conn).await?;
                    }
                    Ok(())
                })
            })
            .await;
        done.map_err(HandleError::from)?;
        self.handled.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn bus(db: &Sqlite, teller: &Arc<Teller>, flush_interval: Duration) -> (CancellationToken, JoinHandle<()>) {
    let options = BusOptions::default().flush_interval(flush_interval);
    let handler: Arc<dyn Handler> = Arc::clone(teller) as _;
    let bus = InProcessBus::new(Arc::new(SystemClock))
        .options(options)
        .outbox("test", db.clone())
        .consumer(Consumer::new("teller", ["told"], handler))
        .build()
        .expect("a bus");
    let stop = CancellationToken::new();
    (stop.clone(), tokio::spawn(bus.run(stop)))
}

async fn wait_for(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(2)).await; // between two looks
        }
    };
    tokio::time::timeout(world::PATIENCE, looking).await.expect(what);
}

async fn count(db: &Sqlite, sql: &'static str) -> i64 {
    query_scalar(sql).fetch_one(db.readers()).await.expect("counts")
}

#[tokio::test]
async fn a_message_stays_until_everybody_has_it_and_a_dead_one_until_it_is_replayed() {
    let world = world().await;
    let db = &world.db;
    for (key, age) in [("bad", 3), ("good", 3), ("bad", 2), ("good", 1)] {
        push(db, message(key, start() - HOUR * age)).await;
    }
    let later = start() + HOUR;
    assert_eq!(outbox::purge(db, &["teller"], later, 10).await.expect("purged"), 0, "nobody has been told");
    assert_eq!(outbox::oldest_undelivered(db, &["teller"]).await.expect("read"), Some(start() - HOUR * 3));

    let teller = Teller::new(db);
    let (stop, running) = bus(db, &teller, Duration::from_millis(2));
    wait_for("two are dead", async || dead_letters(db).await.expect("read").len() == 2).await;
    wait_for("the position is written", async || {
        count(db, "SELECT max(seq) FROM outbox_position").await == 4
    })
    .await;
    let two = ["teller", "another"];
    assert_eq!(outbox::purge(db, &two, later, 10).await.expect("purged"), 0, "another has been told nothing");
    let before = start() - HOUR * 2;
    assert_eq!(outbox::purge(db, &["teller"], before, 10).await.expect("purged"), 1, "the good one of old");
    assert_eq!(outbox::purge(db, &["teller"], later, 10).await.expect("purged"), 1, "the younger good one");
    assert_eq!(outbox::oldest_undelivered(db, &["teller"]).await.expect("read"), Some(start() - HOUR * 3));

    teller.poisoned.store(false, Ordering::SeqCst);
    assert_eq!(replay(db, "teller", "bad").await.expect("asked"), 2);
    let mut purged = 0;
    wait_for("the replayed are told and gone", async || {
        // All the while: nothing is taken away before it is told.
        purged += outbox::purge(db, &["teller"], later, 1).await.expect("purged");
        purged == 2
    })
    .await;
    assert_eq!(world.effects("told").await, 4);
    assert_eq!(outbox::oldest_undelivered(db, &["teller"]).await.expect("read"), None);
    stop.cancel();
    running.await.expect("it drains");
}

#[tokio::test]
async fn what_comes_after_all_were_purged_is_delivered_too() {
    let world = world().await;
    let db = &world.db;
    let teller = Teller::new(db);
    for told in 1..=3 {
        push(db, message("good", start())).await;
        // From the beginning each time, as after a start: it knows nothing but the position that is written.
        let (stop, running) = bus(db, &teller, Duration::from_millis(2));
        wait_for("it is told", async || world.effects("told").await == told).await;
        stop.cancel();
        running.await.expect("it drains");
        assert_eq!(outbox::purge(db, &["teller"], start() + HOUR, 10).await.expect("purged"), 1);
        assert_eq!(count(db, "SELECT count(*) FROM outbox").await, 0);
    }
}

#[tokio::test]
async fn those_of_a_clock_that_was_ahead_stay_until_their_time() {
    let world = world().await;
    let db = &world.db;
    for ahead in [9, 8, 0, 7, 0] {
        push(db, message("good", start() + HOUR * ahead)).await;
    }
    let teller = Teller::new(db);
    let (stop, running) = bus(db, &teller, Duration::from_millis(2));
    wait_for("all are told", async || world.effects("told").await == 5).await;
    stop.cancel();
    running.await.expect("it drains");
    let purged = async |hours: u32, limit| {
        outbox::purge(db, &["teller"], start() + HOUR * hours, limit).await.expect("purged")
    };
    assert_eq!(purged(1, 2).await, 0, "the first two are of later");
    assert_eq!(purged(1, 3).await, 1);
    assert_eq!(purged(1, 10).await, 1);
    assert_eq!(purged(10, 10).await, 3);
}

#[tokio::test]
async fn an_id_stays_for_as_long_as_its_message_can_come_again() {
    let world = world().await;
    let db = &world.db;
    let teller = Teller::new(db);
    // Positions are not written before this is cut off: after a crash all of it comes again.
    let (_stop, running) = bus(db, &teller, HOUR);
    // The first tick of the flush is at once: before the messages.
    wait_for("it runs", async || {
        push(db, message("good", start())).await;
        teller.handled.load(Ordering::SeqCst) >= 5
    })
    .await;
    running.abort();
    let _ = running.await;
    let told = world.effects("told").await;
    let written = count(db, "SELECT coalesce(max(seq), 0) FROM outbox_position").await;
    assert!(written < told, "{written} of {told} would not come again");

    // A month of standstill later.
    let now = start() + HOUR * 24 * 30;
    assert!(inbox::note(db, start(), 1_000).await.expect("noted") >= 5);
    let oldest = outbox::oldest_undelivered(db, &["teller"]).await.expect("read").expect("some come again");
    assert_eq!(inbox::purge(db, oldest.min(now) - HOUR, 1_000).await.expect("purged"), 0);
    let (stop, running) = bus(db, &teller, Duration::from_millis(2));
    wait_for("all are delivered", async || {
        outbox::oldest_undelivered(db, &["teller"]).await.expect("read").is_none()
    })
    .await;
    let all = count(db, "SELECT count(*) FROM outbox").await;
    assert_eq!(world.effects("told").await, all, "each took effect once");
    inbox::note(db, start(), 1_000).await.expect("noted");
    assert_eq!(inbox::purge(db, now - HOUR, 3).await.expect("purged"), 3, "no more than asked for");
    inbox::purge(db, now - HOUR, 1_000).await.expect("purged");
    assert_eq!(count(db, "SELECT count(*) FROM inbox").await, 0);
    stop.cancel();
    running.await.expect("it drains");
}

#[tokio::test]
async fn a_saga_is_forgotten_once_it_has_ended_and_is_old() {
    let world = World::new().await;
    let clock = ManualClock::at(start());
    let saga = Saga::<String>::named("order").version(1);
    let saga =
        saga.wait("go", |_: &String| start() + HOUR * 9).on("go", |state, _: ()| Verdict::Go(state)).build();
    let engine = world.engine_with(Arc::new(clock.clone())).register(saga).build().await.expect("an engine");
    let running = Running::begin(&engine);
    let orders = engine.handle::<String>("order");
    for key in ["ended", "waiting"] {
        let begin = orders.start(key, &String::new());
        let begun: Result<bool, Error> =
            world.db.write(move |conn| Box::pin(async move { begin.apply(conn).await })).await;
        assert!(begun.expect("begun"));
    }
    let go = orders.signal("ended", "go", &());
    let gone: Result<_, Error> =
        world.db.write(move |conn| Box::pin(async move { go.apply(conn).await })).await;
    gone.expect("signalled");
    until(&engine, "ended", Status::Completed).await;
    assert_eq!(purge(&world.db, start(), 10).await.expect("purged"), 0, "it has ended just now");
    clock.advance(HOUR);
    assert_eq!(purge(&world.db, clock.now(), 10).await.expect("purged"), 1);
    assert!(engine.view("order", "ended").await.expect("a view").is_none());
    assert!(engine.view("order", "waiting").await.expect("a view").is_some());
    running.end().await;
}

#[tokio::test]
async fn a_hundred_thousand_go_in_batches_while_writes_are_answered() {
    let world = world().await;
    let db = world.db.clone();
    let filled: Result<(), Error> = db
        .write(|conn| {
            Box::pin(async move {
                conn.execute_batch(
                    "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
                     INSERT INTO outbox (id, topic, key, envelope, occurred_at) SELECT n, 'told', n, '{}', 0 FROM n;
                     INSERT INTO outbox_position (consumer, seq) VALUES ('teller', 100000);
                     INSERT INTO inbox (consumer, id) SELECT 'teller', id FROM outbox;",
                )?;
                Ok(())
            })
        })
        .await;
    filled.expect("filled");
    let done = CancellationToken::new();
    let writes = {
        let (db, done) = (db.clone(), done.clone());
        tokio::spawn(async move {
            let mut answered = 0_u32;
            while !done.is_cancelled() {
                push(&db, message("new", start())).await;
                answered += 1;
            }
            answered
        })
    };
    let (mut gone, mut batches) = (0, 0_u32);
    loop {
        let batch = outbox::purge(&db, &["teller"], start(), 500).await.expect("purged");
        assert!(batch <= 500, "{batch}");
        (gone, batches) = (gone + batch, batches + 1);
        if batch == 0 {
            break;
        }
    }
    for forget in [true, false] {
        loop {
            let batch = match forget {
                true => inbox::note(&db, start(), 500).await.expect("noted"),
                false => inbox::purge(&db, start() + HOUR, 500).await.expect("purged"),
            };
            if batch == 0 {
                break;
            }
        }
    }
    done.cancel();
    let answered = writes.await.expect("it ends");
    assert_eq!((gone, batches), (100_000, 201));
    assert_eq!(count(&db, "SELECT count(*) FROM inbox").await, 0);
    assert!(answered > batches / 2, "only {answered} writes were answered beside {batches} batches");
    assert_eq!(count(&db, "SELECT count(*) FROM outbox").await, i64::from(answered));
}
