use std::time::{Duration, Instant};

use contract::inventory::InventoryEvent;
use ticketblitz_core::Currency;

use super::*;

fn event(mode: BookingMode, sections: Vec<Section>) -> InventoryEvent {
    InventoryEvent {
        booking_mode: mode,
        currency: Currency::INR,
        max_seats_per_customer: 10,
        sales_start: None,
        sales_end: Timestamp::from_micros(1_000),
        sections,
    }
}

fn seats(names: &[&str]) -> Places {
    Places::Seats(names.iter().map(|name| name.parse().expect("a seat")).collect())
}

fn section(name: &str, places: Places) -> Section {
    Section { name: name.to_owned(), price: 100, places }
}

fn visual() -> Plan {
    Plan::new(event(BookingMode::Visual, vec![section("S", seats(&["A1", "A2", "A10", "B1"]))]), false)
}

fn tatkal() -> Plan {
    Plan::new(event(BookingMode::Tatkal, vec![section("GENERAL", Places::Capacity(20))]), false)
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_wrong_seat_is_named_in_one_entry() {
    let asked = texts(&["A1", "Q7", "nonsense", "A2", "A1"]);
    let wrong = visual().want(&Asked { seats: Some(&asked), ..Asked::default() }).expect_err("wrong");
    assert_eq!(
        wrong,
        [("seatIds", "not a seat of this event: Q7, nonsense; named more than once: A1".to_owned())]
    );
}

#[test]
fn seats_are_held_in_row_order() {
    let asked = texts(&["B1", "A10", "A2"]);
    let want = visual().want(&Asked { seats: Some(&asked), ..Asked::default() }).expect("right");
    let names: Vec<String> = want.seats().iter().map(SeatId::to_string).collect();
    assert_eq!(names, ["A2", "A10", "B1"]);
}

#[test]
fn no_seat_at_all_is_wrong() {
    assert!(visual().want(&Asked { seats: Some(&[]), ..Asked::default() }).is_err());
}

#[test]
fn the_mode_decides_what_is_asked_for() {
    let names = texts(&["A1"]);
    let by_seat = Asked { seats: Some(&names), ..Asked::default() };
    let by_area = Asked { section: Some("GENERAL"), quantity: Some(2), ..Asked::default() };
    assert!(visual().want(&by_area).is_err());
    assert!(tatkal().want(&by_seat).is_err());
    assert!(tatkal().want(&by_area).is_ok());
}

#[test]
fn wrong_areas_and_quantities_are_named() {
    let ask = |section, quantity| {
        let wrong = tatkal().want(&Asked { section, quantity, ..Asked::default() }).expect_err("wrong");
        wrong.into_iter().map(|(field, _)| field).collect::<Vec<_>>()
    };
    assert_eq!(ask(Some("BALCONY"), Some(1)), ["section"]);
    assert_eq!(ask(Some("GENERAL"), Some(0)), ["quantity"]);
    assert_eq!(ask(Some("GENERAL"), Some(21)), ["quantity"]);
    assert_eq!(ask(Some("BALCONY"), Some(i64::MAX)), ["section", "quantity"]);
}

#[test]
fn a_form_has_seats_or_a_section_and_never_both() {
    let names = texts(&["A1"]);
    let both = Asked { seats: Some(&names), section: Some("S"), quantity: Some(1) };
    assert_eq!(check_form(&both).len(), 1);
    assert_eq!(check_form(&Asked::default()).len(), 1);
    let lone = Asked { quantity: Some(0), ..Asked::default() };
    assert_eq!(
        check_form(&lone).iter().map(|(field, _)| *field).collect::<Vec<_>>(),
        ["section", "quantity"]
    );
}

#[test]
fn an_event_that_could_sell_a_seat_twice_is_refused() {
    let twice = vec![section("A", seats(&["A1", "A2"])), section("B", seats(&["A2"]))];
    assert!(!check_event(&event(BookingMode::Visual, twice)).is_empty());
    let mixed = vec![section("A", Places::Capacity(4))];
    assert!(!check_event(&event(BookingMode::Visual, mixed)).is_empty());
    assert!(!check_event(&event(BookingMode::Tatkal, Vec::new())).is_empty());
    for name in ["", "GENE\0RAL", &"é".repeat(257)] {
        let unnamed = vec![section(name, Places::Capacity(20))];
        assert!(!check_event(&event(BookingMode::Tatkal, unnamed)).is_empty(), "{name:?}");
    }
    let longest = vec![section(&"é".repeat(256), Places::Capacity(20))];
    assert!(check_event(&event(BookingMode::Tatkal, longest)).is_empty());
}

#[test]
fn a_hundred_thousand_seats_are_no_effort() {
    let all = (0..100_000).filter_map(|n| SeatId::new(n / 10 + 1, n % 10 + 1)).collect();
    let event = event(BookingMode::Visual, vec![section("ALL", Places::Seats(all))]);
    let began = Instant::now();
    assert!(check_event(&event).is_empty());
    let plan = Plan::new(event, false);
    let asked: Vec<String> = plan.seats().take(10_000).map(|seat| seat.to_string()).collect();
    assert!(plan.want(&Asked { seats: Some(&asked), ..Asked::default() }).is_ok());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
