//! The wrappers are backends in every respect, and the one that counts tells what happened.
#![allow(clippy::unwrap_used)] // a test fails where an answer is not the expected one

#[path = "wrappers/failing.rs"]
#[allow(dead_code)] // each test file uses a part
mod failing;
#[path = "wrappers/recorder.rs"]
mod recorder;

use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use ticketblitz_core::{BookingId, EventId, ManualClock};
use ticketblitz_lock::conformance::Bench;
use ticketblitz_lock::{MemoryStore, Metered, SeatStore, Traced};

use failing::Silent;
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
