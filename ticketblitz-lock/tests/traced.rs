//! The wrapper that puts a span around each operation tells what happened. A file of its own: whether a span is wanted
//! is remembered for the whole process, and the suite runs the same wrapper without anybody who listens.
#![allow(clippy::unwrap_used)] // a test fails where an answer is not the expected one

#[path = "wrappers/failing.rs"]
#[allow(dead_code)] // each test file uses a part
mod failing;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::executor::block_on;
use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::{
    Cursor, EventSnapshot, HoldRequest, LockError, MemoryStore, SeatLocks, SeatStore, Traced, Want,
};
use tracing_subscriber::fmt::format::FmtSpan;

use failing::Failing;

/// One listener at a time.
static LISTENING: Mutex<()> = Mutex::new(());

/// What is written into it, for as long as a test looks.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The lines that are logged while it runs, at the end of each span too.
fn logged(run: impl Future<Output = ()>) -> Vec<String> {
    let _alone = LISTENING.lock().unwrap_or_else(PoisonError::into_inner);
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || block_on(run));
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(ToString::to_string).collect()
}

fn one<'a>(lines: &'a [String], with: &[&str]) -> &'a String {
    let found: Vec<_> = lines.iter().filter(|line| with.iter().all(|part| line.contains(part))).collect();
    let [line] = found[..] else { panic!("one line with {with:?} expected in {lines:#?}") };
    line
}

#[test]
fn each_operation_is_a_span_with_its_names_and_outcome() {
    let event = EventId::new();
    let lines = logged(async {
        let locks = SeatLocks::new(Traced::new(MemoryStore::default()));
        locks.load(&EventSnapshot::new(event)).await.unwrap();
        let held = locks.hold(event, ["A1"]).owner("alice").await.unwrap();
        locks.hold(event, ["A1"]).owner("bob").await.unwrap_err();
        let paying = held.begin_commit(Duration::from_secs(60)).await.unwrap();
        paying.sold(BookingId::new()).await.unwrap();
    });
    one(&lines, &["load{", &format!("event={event}"), r#"outcome="done""#]);
    let won = one(&lines, &[" hold{", "owner=alice", r#"outcome="done""#]);
    assert!(won.contains("fence=") && won.contains("hold=") && won.contains("attempt="), "{won}");
    let lost = one(&lines, &[" hold{", "owner=bob", r#"outcome="unavailable""#]);
    assert!(!lost.contains("fence="), "{lost}");
    one(&lines, &["begin_commit{", r#"outcome="done""#]);
    one(&lines, &["sold{", "booking=", r#"outcome="done""#]);
    assert_eq!(lines.iter().filter(|line| line.contains("WARN") || line.contains("ERROR")).count(), 0);
}

#[test]
fn a_span_has_every_name_that_its_operation_has() {
    let (event, booking) = (EventId::new(), BookingId::new());
    let mut known = None;
    let lines = logged(async {
        let store = Traced::new(MemoryStore::default());
        let (minute, want) = (Duration::from_secs(60), |name: &str| Want::Seats(vec![name.parse().unwrap()]));
        store.load(&EventSnapshot::new(event)).await.unwrap();
        let request = HoldRequest::new(event, "alice", want("A1"));
        let hold = store.hold(&request).await.unwrap();
        let (it, alice) = (hold.reference(), &hold.owner);
        store.get(it).await.unwrap();
        store.extend(it, alice, minute).await.unwrap();
        store.begin_commit(it, alice, minute).await.unwrap();
        store.sold(it, hold.fence, booking).await.unwrap();
        store.reopen(event, booking).await.unwrap();
        store.abort_commit(it).await.unwrap();
        let other = store.hold(&HoldRequest::new(event, "bob", want("A2"))).await.unwrap();
        store.release(other.reference(), &other.owner).await.unwrap();
        store.status(event).await.unwrap();
        store.expired(&Cursor::default(), 1).await.unwrap();
        store.unload(event).await.unwrap();
        known = Some((hold, request.attempt, other.id));
    });
    let (hold, attempt, other) = known.unwrap();
    let (id, event, owner) = (format!("hold={}", hold.id), format!("event={event}"), "owner=alice");
    let (fence, attempt) = (format!("fence={}", hold.fence), format!("attempt={attempt}"));
    let booking = format!("booking={booking}");
    let spans: [(&str, &[&str]); 12] = [
        ("load", &[&event]),
        ("hold", &[&event, &id, owner, &attempt, &fence]),
        ("get", &[&event, &id, owner, &fence]),
        ("extend", &[&event, &id, owner, &fence]),
        ("begin_commit", &[&event, &id, owner, &fence]),
        ("sold", &[&event, &id, &fence, &booking]),
        ("reopen", &[&event, &booking]),
        ("abort_commit", &[&event, &id]),
        ("release", &[&event, &format!("hold={other}"), "owner=bob"]),
        ("status", &[&event]),
        ("expired", &[]),
        ("unload", &[&event]),
    ];
    for (name, fields) in spans {
        let start = format!(" {name}{{");
        one(&lines, &[&[start.as_str(), r#"outcome="done""#], fields].concat());
    }
}

#[test]
fn a_failure_is_told_with_its_cause() {
    let lines = logged(async {
        let locks = SeatLocks::new(Traced::new(Failing));
        let event = EventId::new();
        let error = locks.hold(event, ["A1"]).owner("alice").await.unwrap_err();
        assert!(matches!(error, LockError::OutcomeUnknown { attempt: Some(_) }), "as the backend said it");
        assert!(matches!(locks.status(event).await, Err(LockError::Backend { .. })));
    });
    one(&lines, &["WARN", "hold{", "the lock store's answer was lost"]);
    one(&lines, &["ERROR", "status{", "the lock store failed", "no route to the server"]);
}
