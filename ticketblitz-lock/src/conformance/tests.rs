//! The tests of a backend.

/// Makes a module `conforms` with a test of each behaviour, of the store that `$store` makes: an `async fn(ManualClock) -> impl SeatStore` beside
/// the call, whose store is empty, used by nobody else, and takes the time from that clock alone. See the [module].
///
/// One test more runs that many random histories and compares every answer with a [model](crate::conformance::model).
///
/// [module]: mod@crate::conformance
#[macro_export]
macro_rules! conformance {
    ($store:ident) => {
        $crate::conformance!($store, histories: 256);
    };
    ($store:ident, histories: $histories:expr) => {
        $crate::conformance! {
            @tests $store $histories;
            holds {
                a_hold_is_answered_whole
                all_or_none
                a_former_owner_cannot_release
                another_owner_can_do_nothing
                a_seat_taken_again_is_another_hold
                extending_counts_from_now_up_to_the_ceiling
                an_owners_limit_counts_all_that_is_theirs
                nonsense_is_refused
                names_are_lines_of_bounded_length
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
                a_clock_that_is_set_back_frees_nothing
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
                a_booking_of_several_holds_is_reopened_whole
                endings_are_forgotten
            }
            areas {
                units_are_never_more_than_the_capacity
                units_move_with_their_hold
                lapsed_units_are_free_at_once
                a_smaller_area_is_free_when_all_has_lapsed
                a_lapsed_payment_of_units_is_not_sold
            }
            guards {
                a_dropped_guard_releases
                a_guard_releases_its_own_hold_alone
                a_guarded_hold_can_be_extended
            }
            candidates {
                the_first_available_one_wins
                a_refusal_names_the_conflicts_of_each
                a_candidate_over_the_limit_is_passed_over
                an_attempt_is_of_the_whole_list
                nonsense_among_candidates_is_refused
                the_builder_sends_all_candidates
                a_crowd_shares_out_the_candidates
            }
            channels {
                a_reserved_seat_is_for_its_channel_alone
                a_reserved_seat_sells_like_any_other
                the_status_tells_the_channels
                a_snapshot_replaces_the_channels
                a_seat_has_one_channel
            }
            replacing {
                one_step_gives_up_and_takes
                a_refused_swap_changes_nothing
                what_is_given_up_does_not_count
                only_ones_own_hold_can_be_replaced
                a_repeated_swap_is_one_swap
                swapping_does_not_lift_the_ceiling
                a_swap_chooses_among_candidates
                a_hold_is_given_up_once
            }
            loading {
                an_unloaded_event_answers_nothing
                unloading_forgets_and_fences_still_rise
                unloading_repeats_no_version
                a_snapshot_takes_what_is_taken
                a_booking_of_several_holds_is_loaded_whole
                a_live_hold_survives_every_snapshot
                a_snapshot_only_moves_forward
                an_old_snapshot_revives_nothing
                a_sale_known_to_the_truth_overrides_a_lapse
                a_later_ending_is_remembered_for_its_own_hour
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
    };
    (@tests $store:ident $histories:expr; $($area:ident { $($behaviour:ident)+ })+) => {
        mod conforms {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn any_history_agrees_with_the_model() {
                $crate::conformance::model::all_agree(super::$store, $histories).await;
            }

            $(
                mod $area {
                    $(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $behaviour() {
                            let bench = $crate::conformance::Bench::of(super::super::$store).await;
                            $crate::conformance::$area::$behaviour(bench).await;
                        }
                    )+
                }
            )+
        }
    };
}

#[cfg(test)]
#[test]
fn every_behaviour_is_listed() {
    let listed = include_str!("tests.rs");
    let areas = [
        ("areas", include_str!("areas.rs")),
        ("attempts", include_str!("attempts.rs")),
        ("candidates", include_str!("candidates.rs")),
        ("channels", include_str!("channels.rs")),
        ("expiry", include_str!("expiry.rs")),
        ("guards", include_str!("guards.rs")),
        ("holds", include_str!("holds.rs")),
        ("loading", include_str!("loading.rs")),
        ("races", include_str!("races.rs")),
        ("replacing", include_str!("replacing.rs")),
        ("sales", include_str!("sales.rs")),
    ];
    for (area, text) in areas {
        let list = listed.split(&format!(" {area} {{")).nth(1).and_then(|rest| rest.split('}').next());
        let list: Vec<&str> = list.unwrap_or_default().split_whitespace().collect();
        let behaviours = text.split("\npub async fn ").skip(1).filter_map(|rest| rest.split('(').next());
        assert_eq!(behaviours.collect::<Vec<_>>(), list, "{area}");
    }
}
