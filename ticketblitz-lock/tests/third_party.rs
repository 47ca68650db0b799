//! A backend that somebody else wrote passes the suite, and each mistake that it could make is caught.
#![allow(clippy::unwrap_used)] // a test fails where an answer is not the expected one

#[path = "third_party/toy.rs"]
mod toy;

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use ticketblitz_core::ManualClock;
use ticketblitz_lock::conformance::{
    Bench, attempts, candidates, channels, expiry, holds, loading, model, replacing, sales,
};
use ticketblitz_lock::{FenceScope, SeatStore};
use toy::{Flaw, Toy};

async fn right(clock: ManualClock) -> impl SeatStore {
    Toy::new(clock, FenceScope::Event, None)
}

ticketblitz_lock::conformance!(right);

/// One that promises the least that the contract asks for.
mod modest {
    use super::*;

    async fn right(clock: ManualClock) -> impl SeatStore {
        Toy::new(clock, FenceScope::Seat, None)
    }

    ticketblitz_lock::conformance!(right);
}

/// What the behaviour's test says of a toy with this flaw; it has to be something.
async fn caught(flaw: Flaw, behaviour: impl AsyncFnOnce(Bench)) -> String {
    let scope = if flaw == Flaw::FencesStand { FenceScope::Seat } else { FenceScope::Event };
    let bench = Bench::of(async |clock| Toy::new(clock, scope, Some(flaw))).await;
    let outcome = AssertUnwindSafe(behaviour(bench)).catch_unwind().await;
    let Err(panic) = outcome else { panic!("{flaw:?} was not noticed") };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

macro_rules! caught {
    ($($test:ident: $flaw:ident by $area:ident::$behaviour:ident)+) => {$(
        #[tokio::test]
        async fn $test() {
            caught(Flaw::$flaw, $area::$behaviour).await;
        }
    )+};
}

caught! {
    half_taken_sets: HalfTaken by holds::all_or_none
    fences_that_restart: FencesRestart by loading::unloading_forgets_and_fences_still_rise
    fences_that_unloading_forgets: ForgetsFences by loading::unloading_forgets_and_fences_still_rise
    fences_that_stand_still: FencesStand by holds::fences_rise_whatever_the_clock_does
    a_release_by_a_former_owner: ReleasesByName by holds::a_former_owner_cannot_release
    an_attempt_counted_twice: RepeatsCount by attempts::a_repeat_gets_the_same_hold
    two_winners_at_the_moment_of_expiry: TwoWinners by expiry::the_moment_of_expiry_belongs_to_the_rival
    a_swap_that_releases_first: ReleasesFirst by replacing::a_refused_swap_changes_nothing
    reserved_seats_for_anybody: IgnoresChannels by channels::a_reserved_seat_is_for_its_channel_alone
    an_attempt_of_half_a_list: ForgetsCandidates by candidates::an_attempt_is_of_the_whole_list
    an_owner_of_any_name: AnyOwner by holds::names_are_lines_of_bounded_length
    a_booking_taken_for_one_hold: ReopensOne by sales::a_booking_of_several_holds_is_reopened_whole
}

/// The model finds them too, by chance, and shows a short history in which they show. (Restarting fences need an event
/// that is loaded twice, which no history has.)
#[tokio::test]
async fn the_model_finds_them_by_chance() {
    for flaw in [
        Flaw::HalfTaken,
        Flaw::FencesStand,
        Flaw::ReleasesByName,
        Flaw::RepeatsCount,
        Flaw::TwoWinners,
        Flaw::ReleasesFirst,
        Flaw::IgnoresChannels,
        Flaw::ForgetsCandidates,
    ] {
        let found = caught(flaw, async |bench| model::agrees(&bench, 5_000).await).await;
        let steps =
            found.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     ")).count();
        assert!(found.starts_with("history ") && steps < 40, "{flaw:?}: {found}");
    }
}
