//! From an organizer's words to a [`Spec`], or to everything that is wrong with them.

use contract::event::{BookingMode, EventRequest};
use jiff::tz::TimeZoneDatabase;
use ticketblitz_core::{Currency, Timestamp};

use super::layout::{MAX_PLACES, check_sections, default_layout};
use super::{Spec, Wrong};

const NAME: usize = 200;
const DEFAULT_MAX_PER_CUSTOMER: i64 = 10;
/// The seat lock holds no more for one customer in one step.
const MAX_HELD_AT_ONCE: i64 = 10_000;

/// What a request asks for, or each of its wrong fields. `known_start` is when a stored event starts: it may
/// have passed, as long as it is left alone.
pub(crate) fn check(
    request: &EventRequest,
    now: Timestamp,
    known_start: Option<Timestamp>,
) -> Result<Spec, Vec<Wrong>> {
    let mut fields = Fields::default();
    let name = fields.take("name", text(request.name.as_deref(), NAME));
    let venue = fields.take("venue", text(request.venue.as_deref(), NAME));
    let starts_at = fields.take("startsAt", starts_at(request.starts_at.as_deref(), now, known_start));
    let time_zone = fields.take("timeZone", time_zone(request.time_zone.as_deref()));
    let currency = fields.take("currency", currency(request.currency.as_deref()));
    let mode = fields.take("bookingMode", mode(request.booking_mode.as_deref()));
    let max_per_customer =
        fields.take("maxSeatsPerCustomer", max_per_customer(request.max_seats_per_customer));
    let sales_start = fields.take("salesStart", moment(request.sales_start.as_deref())).flatten();
    let sales_end = fields.take("salesEnd", moment(request.sales_end.as_deref())).flatten();
    fields.check_sales(starts_at, sales_start, sales_end);
    let sections = match (&request.sections, request.total_seats) {
        (Some(sections), None) => check_sections(mode, sections, &mut fields.wrong),
        (None, Some(total @ 1..=MAX_PLACES)) => {
            let total = u32::try_from(total).unwrap_or(u32::MAX);
            mode.map(|mode| default_layout(mode, total)).unwrap_or_default()
        }
        (None, Some(_)) => fields.refuse("totalSeats", format!("between 1 and {MAX_PLACES}")),
        (None, None) => fields.refuse("sections", "sections or totalSeats is required"),
        (Some(_), Some(_)) => fields.refuse("totalSeats", "either sections or totalSeats, not both"),
    };
    if request.waiting_room == Some(true) {
        let () = fields.refuse("waitingRoom", "there is no waiting room yet: an event sells without one");
    }
    let spec = (|| {
        Some(Spec {
            name: name?,
            venue: venue?,
            starts_at: starts_at?,
            time_zone: time_zone?,
            currency: currency?,
            mode: mode?,
            max_per_customer: max_per_customer?,
            sales_start,
            sales_end,
            waiting_room: false,
            sections,
        })
    })();
    match spec {
        Some(spec) if fields.wrong.is_empty() => Ok(spec),
        _ => Err(fields.wrong),
    }
}

/// What is wrong so far.
#[derive(Default)]
struct Fields {
    wrong: Vec<Wrong>,
}

impl Fields {
    fn take<T>(&mut self, field: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.wrong.push((field.to_owned(), message))).ok()
    }

    fn refuse<T: Default>(&mut self, field: &str, message: impl Into<String>) -> T {
        self.wrong.push((field.to_owned(), message.into()));
        T::default()
    }

    fn check_sales(&mut self, starts: Option<Timestamp>, open: Option<Timestamp>, end: Option<Timestamp>) {
        if let (Some(open), Some(starts)) = (open, starts)
            && open >= starts
        {
            self.refuse::<()>("salesStart", "before startsAt");
        }
        if let (Some(end), Some(starts)) = (end, starts)
            && end > starts
        {
            self.refuse::<()>("salesEnd", "not after startsAt");
        } else if let (Some(open), Some(end)) = (open, end)
            && open >= end
        {
            self.refuse::<()>("salesEnd", "after salesStart");
        }
    }
}

/// A text without space around it: 1 to `most` characters, none of them a control character.
pub(super) fn text(value: Option<&str>, most: usize) -> Result<String, String> {
    let value = value.ok_or("required")?.trim();
    if !(1..=most).contains(&value.chars().count()) {
        return Err(format!("1 to {most} characters"));
    }
    if value.chars().any(char::is_control) {
        return Err("no control characters".to_owned());
    }
    Ok(value.to_owned())
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(value: Option<&str>) -> Result<T, String> {
    value.ok_or("required")?.parse().map_err(|error: T::Err| error.to_string())
}

fn currency(value: Option<&str>) -> Result<Currency, String> {
    let currency: Currency = parsed(value)?;
    if currency.is_active() {
        return Ok(currency);
    }
    Err(format!("a currency in use (ISO 4217), such as INR; {currency} is none"))
}

fn moment(value: Option<&str>) -> Result<Option<Timestamp>, String> {
    value.map(|value| parsed(Some(value))).transpose()
}

fn starts_at(
    value: Option<&str>,
    now: Timestamp,
    known_start: Option<Timestamp>,
) -> Result<Timestamp, String> {
    let starts_at = parsed(value)?;
    if starts_at <= now && known_start != Some(starts_at) {
        return Err("in the future".to_owned());
    }
    Ok(starts_at)
}

/// The zone's own spelling. From the database that is compiled in, so that every machine knows the same zones.
fn time_zone(value: Option<&str>) -> Result<String, String> {
    let zone = TimeZoneDatabase::bundled().get(value.ok_or("required")?);
    let name = zone.ok().and_then(|zone| zone.iana_name().map(str::to_owned));
    name.ok_or_else(|| "an IANA time zone, such as Asia/Kolkata".to_owned())
}

fn mode(value: Option<&str>) -> Result<BookingMode, String> {
    match value.ok_or("required")? {
        "VISUAL" => Ok(BookingMode::Visual),
        "TATKAL" => Ok(BookingMode::Tatkal),
        _ => Err("VISUAL or TATKAL".to_owned()),
    }
}

fn max_per_customer(value: Option<i64>) -> Result<u32, String> {
    match value.unwrap_or(DEFAULT_MAX_PER_CUSTOMER) {
        most @ 1..=MAX_HELD_AT_ONCE => Ok(u32::try_from(most).unwrap_or(u32::MAX)),
        _ => Err(format!("between 1 and {MAX_HELD_AT_ONCE}")),
    }
}
