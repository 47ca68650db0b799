//! Layouts: the default ones, and what is wrong with a requested one.

use std::collections::{BTreeMap, HashSet};

use contract::event::{BookingMode, Places, Section, SectionRequest};
use ticketblitz_core::SeatId;

use super::Wrong;
use super::request::text;

/// The most places an event may have.
pub(crate) const MAX_PLACES: i64 = 100_000;
/// The highest price of a place, in minor units.
const MAX_PRICE: i64 = 1_000_000_000;
const SECTION_NAME: usize = 100;
const SEATS_A_ROW: u32 = 10;
/// The default price groups: their name, their price, and the first row after them.
const GROUPS: [(&str, i64, u32); 3] =
    [("PREMIUM", 10_000, 4), ("STANDARD", 7_500, 7), ("ECONOMY", 5_000, u32::MAX)];

/// How many places these sections have.
pub(crate) fn places(sections: &[Section]) -> u32 {
    sections.iter().fold(0, |sum, section| sum.saturating_add(section.places.count()))
}

/// The layout of an event that was made with a number of places only.
pub(crate) fn default_layout(mode: BookingMode, total: u32) -> Vec<Section> {
    if mode == BookingMode::Tatkal {
        return vec![Section { name: "GENERAL".to_owned(), price: 5_000, places: Places::Capacity(total) }];
    }
    let mut seats = (0..total)
        .filter_map(|index| SeatId::new(index / SEATS_A_ROW + 1, index % SEATS_A_ROW + 1))
        .peekable();
    let mut sections = Vec::new();
    for (name, price, end) in GROUPS {
        let group: Vec<SeatId> = std::iter::from_fn(|| seats.next_if(|seat| seat.row() < end)).collect();
        if !group.is_empty() {
            sections.push(Section { name: name.to_owned(), price, places: Places::Seats(group) });
        }
    }
    sections
}

/// The requested sections in row order. Names all that is wrong with them; the answer counts only if nothing is.
pub(super) fn check_sections(
    mode: Option<BookingMode>,
    requested: &[SectionRequest],
    wrong: &mut Vec<Wrong>,
) -> Vec<Section> {
    let mut sections = Vec::with_capacity(requested.len());
    let mut names = HashSet::new();
    let mut seen = HashSet::new();
    if requested.is_empty() {
        wrong.push(("sections".to_owned(), "at least one section".to_owned()));
    }
    for (index, section) in requested.iter().enumerate() {
        let at = |field: &str| format!("sections[{index}].{field}");
        let name = text(section.name.as_deref(), SECTION_NAME).unwrap_or_else(|message| {
            wrong.push((at("name"), message));
            String::new()
        });
        if !name.is_empty() && !names.insert(name.clone()) {
            wrong.push((at("name"), "another section has this name".to_owned()));
        }
        let price = match section.price {
            Some(price @ 0..=MAX_PRICE) => price,
            None => {
                wrong.push((at("price"), "required".to_owned()));
                0
            }
            Some(_) => {
                wrong.push((at("price"), format!("between 0 and {MAX_PRICE} minor units")));
                0
            }
        };
        let places = match mode {
            // Without a mode nothing can be said about the places; the mode itself is named as wrong.
            None => continue,
            Some(BookingMode::Visual) => {
                if section.capacity.is_some() {
                    wrong.push((at("capacity"), "a VISUAL event has seats, no capacity".to_owned()));
                }
                seats(section.seats.as_deref(), &mut seen).map(Places::Seats).map_err(|m| ("seats", m))
            }
            Some(BookingMode::Tatkal) => {
                if section.seats.is_some() {
                    wrong.push((at("seats"), "a TATKAL event has a capacity, no seats".to_owned()));
                }
                capacity(section.capacity).map(Places::Capacity).map_err(|m| ("capacity", m))
            }
        };
        match places {
            Ok(places) => sections.push(Section { name, price, places }),
            Err((field, message)) => wrong.push((at(field), message)),
        }
    }
    if i64::from(places(&sections)) > MAX_PLACES {
        wrong.push(("sections".to_owned(), format!("at most {MAX_PLACES} places in all")));
    }
    sections.sort_by_key(|section| match &section.places {
        Places::Seats(seats) => seats.first().copied(),
        Places::Capacity(_) => None, // stable: areas stay as the organizer put them
    });
    sections
}

/// The seats in order. `seen` are those of the sections before, so that a seat is in one section only.
fn seats(requested: Option<&[String]>, seen: &mut HashSet<SeatId>) -> Result<Vec<SeatId>, String> {
    let requested = requested.ok_or("required for a VISUAL event")?;
    if requested.is_empty() {
        return Err("at least one seat".to_owned());
    }
    let mut seats = Vec::with_capacity(requested.len());
    let mut problems: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for text in requested {
        match text.parse::<SeatId>() {
            Err(_) => problems.entry("not a seat such as A1").or_default().push(text),
            Ok(seat) if !seen.insert(seat) => {
                problems.entry("named more than once").or_default().push(text);
            }
            Ok(seat) => seats.push(seat),
        }
    }
    if problems.is_empty() {
        seats.sort_unstable();
        return Ok(seats);
    }
    let problems: Vec<String> =
        problems.into_iter().map(|(what, which)| format!("{what}: {}", which.join(", "))).collect();
    Err(problems.join("; "))
}

fn capacity(requested: Option<i64>) -> Result<u32, String> {
    match requested {
        None => Err("required for a TATKAL event".to_owned()),
        Some(capacity @ 1..=MAX_PLACES) => Ok(u32::try_from(capacity).unwrap_or(u32::MAX)),
        Some(_) => Err(format!("between 1 and {MAX_PLACES}")),
    }
}
