use super::*;
use std::sync::Mutex;
use ticketblitz_core::ManualClock;
use ticketblitz_core::sqlite;
use ticketblitz_saga::Error;

const DAY: Duration = Duration::from_secs(86_400);

async fn push(db: &Sqlite, occurred_at: Timestamp) {
    let event = crate::bus::event("told", "key", 1, &(), occurred_at);
    let pushed: Result<(), Error> =
        db.write(move |conn| Box::pin(async move { outbox::push(conn, &event).await })).await;
    pushed.expect("pushed");
}

async fn execute(db: &Sqlite, sql: &'static str) {
    let done: Result<(), Error> = db
        .write(move |conn| Box::pin(async move { Ok(sqlite::query(sql).execute(conn).await.map(drop)?) }))
        .await;
    done.expect(sql);
}

async fn count(db: &Sqlite, sql: &'static str) -> i64 {
    sqlite::query_scalar(sql).fetch_one(db.readers()).await.expect("counts")
}

#[tokio::test]
async fn age_counts_back_from_the_oldest_message_on_its_way() {
    let dir = tempfile::tempdir().expect("a directory");
    let producer =
        crate::db::open(dir.path(), "producer", &sqlx::migrate::Migrator::DEFAULT).await.expect("opens");
    let consumer =
        crate::db::open(dir.path(), "consumer", &sqlx::migrate::Migrator::DEFAULT).await.expect("opens");
    let clock = ManualClock::at("2026-11-25T06:00:00Z".parse().expect("a time"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&asked);
    let retention = Retention {
        clock: Arc::new(clock.clone()),
        keep: DAY,
        outboxes: vec![producer.clone()],
        consumers: vec!["consumer".to_owned()],
        databases: vec![consumer.clone()],
        purges: vec![Purge::new("own", move |before, limit| {
            own.lock().expect("not poisoned").push((before, limit));
            async { Ok::<_, Error>(0) }
        })],
    };
    let begin = clock.now();
    push(&producer, begin).await;
    execute(&consumer, "INSERT INTO inbox (consumer, id) VALUES ('consumer', 'a'), ('consumer', 'b')").await;
    assert_eq!(retention.round().await, Ok(0), "the ids are noted");
    clock.advance(DAY * 30);
    assert_eq!(retention.round().await, Ok(0), "the message may still come, for the first time or again");
    assert_eq!(asked.lock().expect("not poisoned").last(), Some(&(begin - DAY, BATCH)));
    execute(&producer, "INSERT INTO outbox_position (consumer, seq) VALUES ('consumer', 1)").await;
    assert_eq!(retention.round().await, Ok(3), "the message and both ids");
    assert_eq!(asked.lock().expect("not poisoned").last(), Some(&(clock.now() - DAY, BATCH)));
    assert_eq!(count(&producer, "SELECT count(*) FROM outbox").await, 0);
    push(&producer, clock.now()).await;
    assert_eq!(count(&producer, "SELECT max(seq) FROM outbox").await, 2, "no number is given twice");
}

#[tokio::test]
async fn a_database_that_fails_does_not_end_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = crate::db::open(dir.path(), "test", &sqlx::migrate::Migrator::DEFAULT).await.expect("opens");
    let failures = Arc::new(Mutex::new(0));
    let failing = Arc::clone(&failures);
    let retention = Retention {
        clock: Arc::new(ticketblitz_core::SystemClock),
        keep: LEAST_BETWEEN,
        outboxes: Vec::new(),
        consumers: Vec::new(),
        databases: vec![db],
        purges: vec![Purge::new("own", move |_, _| {
            *failing.lock().expect("not poisoned") += 1;
            async { Err("no disk") }
        })],
    };
    assert_eq!(retention.round().await, Err("own: no disk".to_owned()));
    let stop = CancellationToken::new();
    let running = tokio::spawn(retention.run(stop.clone()));
    let again = async {
        while *failures.lock().expect("not poisoned") < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await; // between two looks
        }
    };
    tokio::time::timeout(Duration::from_secs(60), again).await.expect("it goes on");
    stop.cancel();
    running.await.expect("it ends");
}
