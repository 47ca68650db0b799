//! What an event is, and what makes a request for one right or wrong. Pure: no I/O, no clock.

mod layout;
mod request;

use std::sync::Arc;

use contract::event::{BookingMode, Event, EventStatus, EventSummary, Section};
use contract::inventory::InventoryEvent;
pub(crate) use layout::{default_layout, places};
pub(crate) use request::check;
use serde::{Deserialize, Serialize};
use ticketblitz_core::{Currency, EventId, Timestamp, UserId};

/// A field of a request and what is wrong with it.
pub(crate) type Wrong = (String, String);

/// What an organizer says about an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) venue: String,
    pub(crate) starts_at: Timestamp,
    pub(crate) time_zone: String,
    pub(crate) currency: Currency,
    pub(crate) mode: BookingMode,
    pub(crate) max_per_customer: u32,
    pub(crate) sales_start: Option<Timestamp>,
    pub(crate) sales_end: Option<Timestamp>,
    pub(crate) waiting_room: bool,
    pub(crate) sections: Vec<Section>,
}

impl Spec {
    /// When sales end at the latest: an event that has begun sells nothing.
    pub(crate) fn last_sale(&self) -> Timestamp {
        self.sales_end.unwrap_or(self.starts_at)
    }

    pub(crate) fn sales_opened(&self, now: Timestamp) -> bool {
        self.sales_start.is_none_or(|start| start <= now)
    }

    /// Whether the other sells the same places in the same way at the same prices.
    pub(crate) fn sells_alike(&self, other: &Self) -> bool {
        self.mode == other.mode && self.currency == other.currency && self.sections == other.sections
    }

    /// What the inventory has to know.
    pub(crate) fn for_inventory(&self) -> InventoryEvent {
        InventoryEvent {
            booking_mode: self.mode,
            currency: self.currency,
            max_seats_per_customer: self.max_per_customer,
            sales_start: self.sales_start,
            sales_end: self.last_sale(),
            sections: self.sections.clone(),
        }
    }
}

/// How far an event has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not known to the inventory yet, and seen by nobody.
    Draft,
    /// A draft of a sample event: it is finished after a restart, where another is dropped.
    Sample,
    Published,
    Cancelled,
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: EventId,
    /// `None` for the sample events.
    pub(crate) organizer: Option<UserId>,
    /// The same as long as the version is.
    pub(crate) spec: Arc<Spec>,
    /// Places of confirmed bookings.
    pub(crate) taken: u32,
    pub(crate) phase: Phase,
    pub(crate) version: u64,
}

/// What of an event changes while it is sold, and of which version it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) id: EventId,
    pub(crate) taken: u32,
    pub(crate) phase: Phase,
    pub(crate) version: u64,
}

impl Record {
    pub(crate) fn draft(organizer: Option<UserId>, spec: Spec, phase: Phase) -> Self {
        Self { id: EventId::new(), organizer, spec: Arc::new(spec), taken: 0, phase, version: 1 }
    }

    pub(crate) fn state(&self) -> State {
        State { id: self.id, taken: self.taken, phase: self.phase, version: self.version }
    }

    pub(crate) fn total(&self) -> u32 {
        places(&self.spec.sections)
    }

    pub(crate) fn available(&self) -> u32 {
        self.total().saturating_sub(self.taken)
    }

    pub(crate) fn status(&self, now: Timestamp) -> EventStatus {
        if self.phase == Phase::Cancelled {
            EventStatus::Cancelled
        } else if self.spec.last_sale() <= now {
            EventStatus::Ended
        } else if !self.spec.sales_opened(now) {
            EventStatus::Scheduled
        } else if self.available() == 0 {
            EventStatus::SoldOut
        } else {
            EventStatus::OnSale
        }
    }

    /// As everybody sees it.
    pub(crate) fn event(&self, now: Timestamp) -> Event {
        let spec = &self.spec;
        Event {
            id: self.id,
            name: spec.name.clone(),
            venue: spec.venue.clone(),
            starts_at: spec.starts_at,
            time_zone: spec.time_zone.clone(),
            currency: spec.currency,
            booking_mode: spec.mode,
            max_seats_per_customer: spec.max_per_customer,
            sales_start: spec.sales_start,
            sales_end: spec.sales_end,
            waiting_room: spec.waiting_room,
            sections: spec.sections.clone(),
            total_seats: self.total(),
            available_seats: self.available(),
            status: self.status(now),
            organizer_id: self.organizer,
        }
    }

    /// What other services have to know of it.
    pub(crate) fn summary(&self) -> EventSummary {
        EventSummary {
            id: self.id,
            name: self.spec.name.clone(),
            venue: self.spec.venue.clone(),
            starts_at: self.spec.starts_at,
            time_zone: self.spec.time_zone.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
