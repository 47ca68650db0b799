use std::time::{Duration, Instant};

use contract::event::{BookingMode, EventRequest, EventStatus, Places, SectionRequest};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn now() -> Timestamp {
    "2026-06-01T10:00:00Z".parse().expect("a moment")
}

pub(crate) fn good() -> EventRequest {
    let text = |text: &str| Some(text.to_owned());
    EventRequest {
        name: text("Rock Concert"),
        venue: text("City Arena"),
        starts_at: text("2026-07-01T20:00:00+05:30"),
        time_zone: text("Asia/Kolkata"),
        currency: text("INR"),
        booking_mode: text("VISUAL"),
        total_seats: Some(100),
        ..EventRequest::default()
    }
}

fn wrong(request: &EventRequest) -> Vec<String> {
    let wrong = check(request, now(), None).expect_err("wrong");
    wrong.into_iter().map(|(field, _)| field).collect()
}

fn section(name: &str, price: i64, seats: &[&str]) -> SectionRequest {
    let seats = seats.iter().map(|seat| (*seat).to_owned()).collect();
    SectionRequest { name: Some(name.to_owned()), price: Some(price), seats: Some(seats), capacity: None }
}

fn with_sections(sections: Vec<SectionRequest>) -> EventRequest {
    EventRequest { total_seats: None, sections: Some(sections), ..good() }
}

fn seats(section: &Section) -> Vec<String> {
    match &section.places {
        Places::Seats(seats) => seats.iter().map(ToString::to_string).collect(),
        Places::Capacity(_) => Vec::new(),
    }
}

#[test]
fn a_good_request_gets_the_defaults() {
    let spec = check(&good(), now(), None).expect("good");
    assert_eq!((spec.max_per_customer, spec.waiting_room), (10, false));
    assert_eq!(spec.starts_at.to_string(), "2026-07-01T14:30:00Z");
    assert_eq!(spec.last_sale(), spec.starts_at);
}

#[test]
fn every_missing_field_is_named_at_once() {
    assert_eq!(
        wrong(&EventRequest::default()),
        ["name", "venue", "startsAt", "timeZone", "currency", "bookingMode", "sections"]
    );
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let text = |text: &str| Some(text.to_owned());
    let request = EventRequest {
        name: text("   "),
        venue: text(&"v".repeat(201)),
        starts_at: text("2026-05-31T10:00:00Z"),
        time_zone: text("Mars/Olympus"),
        currency: text("rupees"),
        booking_mode: text("visual"),
        max_seats_per_customer: Some(0),
        sales_start: text("tomorrow"),
        sales_end: text("2026-07-01"),
        total_seats: Some(100_001),
        ..EventRequest::default()
    };
    assert_eq!(
        wrong(&request),
        [
            "name",
            "venue",
            "startsAt",
            "timeZone",
            "currency",
            "bookingMode",
            "maxSeatsPerCustomer",
            "salesStart",
            "salesEnd",
            "totalSeats"
        ]
    );
}

#[test]
fn sales_open_before_they_end_and_end_before_the_start() {
    let sales = |start: &str, end: &str| EventRequest {
        sales_start: Some(start.to_owned()),
        sales_end: Some(end.to_owned()),
        ..good()
    };
    assert_eq!(wrong(&sales("2026-06-20T00:00:00Z", "2026-06-20T00:00:00Z")), ["salesEnd"]);
    assert_eq!(wrong(&sales("2026-06-20T00:00:00Z", "2026-07-01T14:30:01Z")), ["salesEnd"]);
    assert_eq!(wrong(&sales("2026-07-01T14:30:00Z", "2026-07-02T00:00:00Z")), ["salesStart", "salesEnd"]);
    assert!(check(&sales("2026-06-20T00:00:00Z", "2026-07-01T14:30:00Z"), now(), None).is_ok());
}

#[test]
fn a_time_zone_gets_its_own_spelling() {
    let request = EventRequest { time_zone: Some("europe/berlin".to_owned()), ..good() };
    assert_eq!(check(&request, now(), None).expect("good").time_zone, "Europe/Berlin");
    let offset = EventRequest { time_zone: Some("+05:30".to_owned()), ..good() };
    assert_eq!(wrong(&offset), ["timeZone"]);
}

#[test]
fn a_past_start_may_stay_but_not_be_chosen() {
    let past = EventRequest { starts_at: Some("2026-05-31T10:00:00Z".to_owned()), ..good() };
    assert_eq!(wrong(&past), ["startsAt"]);
    let known = "2026-05-31T10:00:00Z".parse().expect("a moment");
    assert!(check(&past, now(), Some(known)).is_ok());
}

#[test]
fn either_sections_or_a_total() {
    let both = EventRequest { total_seats: Some(5), ..with_sections(vec![section("A", 1, &["A1"])]) };
    assert_eq!(wrong(&both), ["totalSeats"]);
    for total in [0, -1, i64::MAX] {
        assert_eq!(wrong(&EventRequest { total_seats: Some(total), ..good() }), ["totalSeats"]);
    }
    assert_eq!(wrong(&with_sections(Vec::new())), ["sections"]);
}

#[test]
fn every_wrong_section_is_named_by_its_place() {
    let request = with_sections(vec![
        section("STALLS", -1, &["A1", "A2"]),
        section("STALLS", 1_000_000_001, &["A2", "b1"]),
        SectionRequest { capacity: Some(5), ..section("", 0, &[]) },
        SectionRequest::default(),
    ]);
    assert_eq!(
        wrong(&request),
        [
            "sections[0].price",
            "sections[1].name",
            "sections[1].price",
            "sections[1].seats",
            "sections[2].name",
            "sections[2].capacity",
            "sections[2].seats",
            "sections[3].name",
            "sections[3].price",
            "sections[3].seats"
        ]
    );
}

#[test]
fn seats_and_sections_are_put_in_row_order() {
    let request =
        with_sections(vec![section("BACK", 1, &["AA1", "Z2"]), section("FRONT", 2, &["A10", "A2", "A1"])]);
    let spec = check(&request, now(), None).expect("good");
    assert_eq!(spec.sections[0].name, "FRONT");
    assert_eq!(seats(&spec.sections[0]), ["A1", "A2", "A10"]);
    assert_eq!(seats(&spec.sections[1]), ["Z2", "AA1"]);
}

#[test]
fn areas_stay_in_their_order() {
    let area = |name: &str, capacity| SectionRequest {
        name: Some(name.to_owned()),
        price: Some(0),
        seats: None,
        capacity: Some(capacity),
    };
    let tatkal =
        |sections| EventRequest { booking_mode: Some("TATKAL".to_owned()), ..with_sections(sections) };
    let spec = check(&tatkal(vec![area("SLEEPER", 50), area("CHAIR", 20)]), now(), None).expect("good");
    assert_eq!(spec.sections.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["SLEEPER", "CHAIR"]);
    assert_eq!(wrong(&tatkal(vec![area("SLEEPER", 60_000), area("CHAIR", 60_000)])), ["sections"]);
    assert_eq!(wrong(&tatkal(vec![area("SLEEPER", 0)])), ["sections[0].capacity"]);
    assert_eq!(
        wrong(&tatkal(vec![section("SLEEPER", 1, &["A1"])])),
        ["sections[0].seats", "sections[0].capacity"]
    );
}

#[test]
fn the_default_layout_has_rows_of_ten_in_three_price_groups() {
    let layout = default_layout(BookingMode::Visual, 100);
    let groups: Vec<_> = layout.iter().map(|s| (s.name.as_str(), s.price, seats(s).len())).collect();
    assert_eq!(groups, [("PREMIUM", 10_000, 30), ("STANDARD", 7_500, 30), ("ECONOMY", 5_000, 40)]);
    assert_eq!(seats(&layout[0])[..2], ["A1", "A2"]);
    assert_eq!(seats(&layout[1])[0], "D1");
    assert_eq!(seats(&layout[2]).last().map(String::as_str), Some("J10"));
    let small = default_layout(BookingMode::Visual, 25);
    assert_eq!((small.len(), seats(&small[0]).last().map(String::as_str)), (1, Some("C5")));
}

#[test]
fn rows_go_on_past_z() {
    let layout = default_layout(BookingMode::Visual, 275);
    let economy = seats(layout.last().expect("a section"));
    assert_eq!(economy[economy.len() - 15..][..2], ["AA1", "AA2"]);
    assert_eq!(economy.last().map(String::as_str), Some("AB5"));
    assert_eq!(places(&layout), 275);
}

#[test]
fn the_largest_layouts_are_no_effort() {
    let began = Instant::now();
    assert_eq!(places(&default_layout(BookingMode::Visual, 100_000)), 100_000);
    let names: Vec<String> = (0..12_000).map(|n| format!("A{}", n + 1)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(check(&with_sections(vec![section("LONG", 1, &names)]), now(), None).is_ok());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn general_admission_is_one_section() {
    let layout = default_layout(BookingMode::Tatkal, 200);
    assert_eq!(layout, [Section { name: "GENERAL".to_owned(), price: 5_000, places: Places::Capacity(200) }]);
}

#[test]
fn the_status_follows_clock_sales_and_cancellation() {
    let start = now() + DAY;
    let mut record = Record::draft(None, check(&good(), now(), None).expect("good"), Phase::Published);
    Arc::make_mut(&mut record.spec).sales_start = Some(start);
    assert_eq!(record.status(now()), EventStatus::Scheduled);
    assert_eq!(record.status(start), EventStatus::OnSale);
    record.taken = 100;
    assert_eq!(record.status(start), EventStatus::SoldOut);
    Arc::make_mut(&mut record.spec).sales_end = Some(start + DAY);
    assert_eq!(record.status(start + DAY), EventStatus::Ended);
    assert_eq!(record.status(record.spec.starts_at), EventStatus::Ended);
    record.phase = Phase::Cancelled;
    assert_eq!(record.status(start), EventStatus::Cancelled);
}
