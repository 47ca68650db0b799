//! The wrappers tell what happened and change nothing of it.
#![allow(clippy::unwrap_used)] // a test fails where an answer is not the expected one

#[path = "wrappers/failing.rs"]
mod failing;
#[path = "wrappers/recorder.rs"]
mod recorder;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use ticketblitz_core::{BookingId, EventId, ManualClock};
use ticketblitz_lock::conformance::Bench;
use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, Metered, SeatLocks, SeatStore, Traced};
use tracing_subscriber::fmt::format::FmtSpan;

use failing::{Failing, Silent};
use recorder::Recorder;

/// Around each other, and around a store that others share: still a backend in every respect.
mod wrapped {
    use super::*;

    async fn wrapped(clock: ManualClock) -> impl SeatStore {
        let store: Arc<dyn SeatStore> = Arc::new(MemoryStore::new(Arc::new(clock)));
        Metered::new(Traced::new(store))
    }

    ticketblitz_lock::conformance!(wrapped);
}

#[test]
fn operations_are_counted_by_outcome_and_timed() {
    let recorder = Recorder::default();
    metrics::with_local_recorder(&recorder, || {
        block_on(async {
            let bench = Bench::of(async |clock| Metered::new(MemoryStore::new(Arc::new(clock)))).await;
            let paying = bench.paying("alice", &["A1"]).await;
            for buyer in ["bob", "carol", "dave"] {
                bench.hold(buyer, &["A1", "A2"]).await.unwrap_err();
            }
            bench.store.release(paying.reference(), &paying.owner).await.unwrap_err();
            bench.store.sold(paying.reference(), paying.fence, BookingId::new()).await.unwrap();
            drop(bench.store.status(bench.event)); // never begun: it is no operation
        });
    });
    let counted = [
        (("begin_commit", "done"), 1),
        (("hold", "done"), 1),
        (("hold", "unavailable"), 3),
        (("load", "done"), 1),
        (("release", "in_payment"), 1),
        (("sold", "done"), 1),
    ];
    assert_eq!(recorder.counted(), counted.map(|((op, outcome), n)| ((op.into(), outcome.into()), n)).into());
    let timed = [("begin_commit", 1), ("hold", 4), ("load", 1), ("release", 1), ("sold", 1)];
    assert_eq!(recorder.timed(), timed.map(|(op, n)| (op.to_string(), n)).into());
}

#[test]
fn an_operation_that_nobody_waited_for_is_counted_as_dropped() {
    let recorder = Recorder::default();
    metrics::with_local_recorder(&recorder, || {
        let store = Metered::new(Silent);
        let mut waiting = store.status(EventId::new());
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(recorder.counted(), [].into(), "not while it goes on");
        drop(waiting);
    });
    assert_eq!(recorder.counted(), [(("status".into(), "dropped".into()), 1)].into());
}

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
