//! The memory backend does what every backend must.
#![allow(clippy::unwrap_used)] // a test fails where an answer is not the expected one

mod suite;

use std::sync::Arc;

use proptest::prelude::*;
use ticketblitz_core::{Clock, ManualClock, Timestamp};
use ticketblitz_lock::{MemoryStore, SeatStore};

use suite::Bench;

fn store() -> (impl SeatStore, ManualClock) {
    let clock = ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000));
    (MemoryStore::new(Arc::new(clock.clone())), clock)
}

async fn bench() -> Bench {
    let (store, clock) = store();
    Bench::new(store, clock).loaded().await
}

/// Set back, a clock makes holds last longer, by no more than it was set back; nothing is given out twice.
#[tokio::test]
async fn a_clock_that_is_set_back_frees_nothing_and_repeats_nothing() {
    let bench = bench().await;
    let hour = std::time::Duration::from_secs(3_600);
    let before = bench.held("alice", &["A1"]).await;
    bench.clock.set(bench.clock.now() - hour);
    refused!(bench.hold("bob", &["A1"]).await, ticketblitz_lock::LockError::Unavailable(_));
    let after = bench.held("bob", &["A2"]).await;
    assert!(after.fence > before.fence && after.reference().hold != before.reference().hold);
    bench.clock.set(before.expires_at - suite::TICK);
    refused!(bench.hold("bob", &["A1"]).await, ticketblitz_lock::LockError::Unavailable(_));
    bench.clock.set(before.expires_at);
    let taken = bench.held("bob", &["A1"]).await;
    assert!(taken.fence > after.fence);
}

/// One test a behaviour. One that is left out is dead code, and the compiler says so.
macro_rules! suite {
    ($($area:ident { $($behaviour:ident)+ })+) => {$(
        mod $area {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $behaviour() {
                    crate::suite::$area::$behaviour(crate::bench().await).await;
                }
            )+
        }
    )+};
}

suite! {
    holds {
        a_hold_is_answered_whole
        all_or_none
        a_former_owner_cannot_release
        another_owner_can_do_nothing
        a_seat_taken_again_is_another_hold
        extending_counts_from_now_up_to_the_ceiling
        an_owners_limit_counts_all_that_is_theirs
        nonsense_is_refused
        fences_rise_whatever_the_clock_does
        the_version_changes_with_the_status
        handles_do_what_they_say
    }
    attempts {
        a_repeat_gets_the_same_hold
        another_request_cannot_use_it
        an_ended_hold_is_not_made_again
        a_live_holds_attempt_outlasts_the_ceiling
        a_refused_attempt_may_succeed_later
    }
    expiry {
        the_moment_of_expiry_belongs_to_the_rival
        one_winner_around_the_moment_of_expiry
        the_end_of_the_grace_is_exact_too
        a_hold_lapses_whole
        a_crowd_lapses_at_once
        the_stream_tells_each_expiry_once
        the_stream_says_what_it_missed
        only_the_stores_clock_counts
    }
    sales {
        a_payment_cannot_lapse_within_its_grace
        beginning_again_is_the_first_beginning
        an_aborted_payment_frees
        a_sale_is_final_and_repeatable
        a_hold_that_never_began_to_pay_can_be_sold
        a_late_sale_meets_a_higher_fence
        a_sale_needs_its_own_fence
        a_reopened_sale_is_free_once
        endings_are_forgotten
    }
    areas {
        units_are_never_more_than_the_capacity
        units_move_with_their_hold
        lapsed_units_are_free_at_once
        a_lapsed_payment_of_units_is_not_sold
    }
    loading {
        an_unloaded_event_answers_nothing
        unloading_forgets_and_fences_still_rise
        a_snapshot_takes_what_is_taken
        a_live_hold_survives_every_snapshot
        a_snapshot_only_moves_forward
        an_old_snapshot_revives_nothing
        a_sale_known_to_the_truth_overrides_a_lapse
        a_sale_gets_its_seat_when_the_rival_is_gone
        a_wrong_snapshot_changes_nothing
        a_capacity_can_change
    }
    races {
        ten_thousand_on_one_seat
        shuffled_sets_neither_deadlock_nor_overlap
        one_attempt_sent_many_times_is_one_hold
        a_limit_holds_against_ones_own_haste
        an_area_is_never_oversold
        release_or_payment
        dropped_futures_leave_nothing_half_done
        a_busy_evening_adds_up
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn any_sequence_agrees_with_the_model(steps in suite::model::steps()) {
        let bench = futures::executor::block_on(bench());
        suite::model::agrees_with_the_model(&bench, steps)?;
    }
}
