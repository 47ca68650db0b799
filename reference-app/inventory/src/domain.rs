//! What may be held and what it costs. Pure: no I/O, no clock.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use contract::event::{BookingMode, Places, Section};
use contract::inventory::InventoryEvent;
use ticketblitz_core::{SeatId, Timestamp};
use ticketblitz_lock::{Area, Want};

/// The most places an event may have.
pub(crate) const MAX_PLACES: u64 = 100_000;
/// The highest price of a place, in minor units.
pub(crate) const MAX_PRICE: i64 = 1_000_000_000;

/// A field of a request and what is wrong with it.
pub(crate) type Wrong = (&'static str, String);

/// An event as the inventory sells it, indexed for looking up seats.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) event: InventoryEvent,
    pub(crate) closed: bool,
    seats: HashMap<SeatId, usize>,
}

/// What a request wants, as it stands in the body.
#[derive(Debug, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) seats: Option<&'a [String]>,
    pub(crate) section: Option<&'a str>,
    pub(crate) quantity: Option<i64>,
}

impl Plan {
    pub(crate) fn new(event: InventoryEvent, closed: bool) -> Self {
        let mut seats = HashMap::new();
        for (position, section) in event.sections.iter().enumerate() {
            if let Places::Seats(of_section) = &section.places {
                seats.extend(of_section.iter().map(|seat| (*seat, position)));
            }
        }
        Self { event, closed, seats }
    }

    /// Every seat of the event, in no order.
    pub(crate) fn seats(&self) -> impl Iterator<Item = SeatId> + '_ {
        self.seats.keys().copied()
    }

    /// How many places the layout has: the weight of this plan in a cache.
    pub(crate) fn size(&self) -> usize {
        self.seats.len() + self.event.sections.len()
    }

    pub(crate) fn on_sale(&self, now: Timestamp) -> bool {
        !self.closed && self.event.sales_start.is_none_or(|start| start <= now) && now < self.event.sales_end
    }

    /// What is to be held, or everything that is wrong with what was asked.
    pub(crate) fn want(&self, asked: &Asked<'_>) -> Result<Want, Vec<Wrong>> {
        match self.event.booking_mode {
            BookingMode::Visual => self.want_seats(asked),
            BookingMode::Tatkal => self.want_area(asked),
        }
    }

    fn want_seats(&self, asked: &Asked<'_>) -> Result<Want, Vec<Wrong>> {
        let Some(texts) = asked.seats else {
            return Err(vec![("seatIds", "this event is sold by seat: name the seats".to_owned())]);
        };
        let (mut seats, mut unknown, mut repeated) = (BTreeSet::new(), Vec::new(), Vec::new());
        for text in texts {
            match text.parse::<SeatId>().ok().filter(|seat| self.seats.contains_key(seat)) {
                None => unknown.push(text.as_str()),
                Some(seat) if !seats.insert(seat) => repeated.push(text.as_str()),
                Some(_) => {}
            }
        }
        let mut wrong = String::new();
        if texts.is_empty() {
            wrong.push_str("at least one seat");
        }
        for (what, which) in [("not a seat of this event", &unknown), ("named more than once", &repeated)] {
            if !which.is_empty() {
                let separator = if wrong.is_empty() { "" } else { "; " };
                // Writing to a String cannot fail.
                let _ = write!(wrong, "{separator}{what}: {}", which.join(", "));
            }
        }
        if !wrong.is_empty() {
            return Err(vec![("seatIds", wrong)]);
        }
        Ok(Want::Seats(seats.into_iter().collect()))
    }

    fn want_area(&self, asked: &Asked<'_>) -> Result<Want, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let section = match asked.section {
            None => {
                wrong.push(("section", "this event is sold by section: name one".to_owned()));
                None
            }
            Some(name) => {
                let known = self.event.sections.iter().find(|section| section.name == name);
                if known.is_none() {
                    wrong.push(("section", "not a section of this event".to_owned()));
                }
                known
            }
        };
        let quantity = asked.quantity.and_then(|quantity| u32::try_from(quantity).ok());
        match (section, quantity) {
            (Some(section), Some(quantity)) if quantity > 0 => {
                if quantity <= section.places.count() {
                    return Ok(Want::Area { section: section.name.clone(), quantity });
                }
                let most = section.places.count();
                wrong.push(("quantity", format!("the section has {most} places")));
            }
            (_, Some(quantity)) if quantity > 0 => {}
            _ => wrong.push(("quantity", format!("between 1 and {MAX_PLACES}"))),
        }
        Err(wrong)
    }
}

/// What is wrong with the form of a hold request, before its event is known: seats or a section, not both.
pub(crate) fn check_form(asked: &Asked<'_>) -> Vec<Wrong> {
    let area = asked.section.is_some() || asked.quantity.is_some();
    match (asked.seats.is_some(), area) {
        (true, true) => vec![("seatIds", "either seats or a section and a quantity, not both".to_owned())],
        (false, false) => vec![("seatIds", "seats, or a section and a quantity, are required".to_owned())],
        (false, true) => {
            let mut wrong = Vec::new();
            if asked.section.is_none() {
                wrong.push(("section", "required with a quantity".to_owned()));
            }
            match asked.quantity {
                None => wrong.push(("quantity", "required with a section".to_owned())),
                Some(quantity) if quantity < 1 => wrong.push(("quantity", "at least 1".to_owned())),
                Some(_) => {}
            }
            wrong
        }
        (true, false) => Vec::new(),
    }
}

/// What is wrong with an event that another service wants sold. That service has checked it already; this is
/// what keeps its mistake out of the truth.
pub(crate) fn check_event(event: &InventoryEvent) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if event.max_seats_per_customer == 0 {
        wrong.push(("maxSeatsPerCustomer", "at least 1".to_owned()));
    }
    if event.sales_start.is_some_and(|start| start >= event.sales_end) {
        wrong.push(("salesEnd", "after salesStart".to_owned()));
    }
    if let Some(message) = check_sections(event.booking_mode, &event.sections) {
        wrong.push(("sections", message));
    }
    wrong
}

fn check_sections(mode: BookingMode, sections: &[Section]) -> Option<String> {
    let total: u64 = sections.iter().map(|section| u64::from(section.places.count())).sum();
    if !(1..=MAX_PLACES).contains(&total) {
        return Some(format!("between 1 and {MAX_PLACES} places"));
    }
    let (mut names, mut seats) = (BTreeSet::new(), std::collections::HashSet::new());
    for section in sections {
        let name = &section.name;
        // What the seat locks could not keep: a hold on it, or a load of it, would be refused for ever.
        if let Err(error) = Area::new(name, 1).validate() {
            return Some(error.to_string());
        }
        if !names.insert(name.as_str()) {
            return Some(format!("{name}: two sections of this name"));
        }
        if !(0..=MAX_PRICE).contains(&section.price) {
            return Some(format!("{name}: a price is between 0 and {MAX_PRICE}"));
        }
        if section.places.count() == 0 {
            return Some(format!("{name}: no places"));
        }
        match (&section.places, mode) {
            (Places::Seats(of_section), BookingMode::Visual) => {
                if let Some(twice) = of_section.iter().find(|seat| !seats.insert(**seat)) {
                    return Some(format!("{name}: {twice} is there twice"));
                }
            }
            (Places::Capacity(_), BookingMode::Tatkal) => {}
            (Places::Seats(_), BookingMode::Tatkal) => return Some(format!("{name}: a capacity, not seats")),
            (Places::Capacity(_), BookingMode::Visual) => {
                return Some(format!("{name}: seats, not a capacity"));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
