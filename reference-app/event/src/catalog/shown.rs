//! Events as they are sent. Nearly all of the text is the sections: they are rendered once a version.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use contract::event::{BookingMode, EventStatus};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};
use ticketblitz_core::{Currency, EventId, Timestamp, UserId};

use crate::domain::{Record, State};

/// An event as it was read, with its version's sections as they are sent.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) record: Record,
    rendered: Arc<Rendered>,
}

/// What is the same as long as the version is.
#[derive(Debug)]
struct Rendered {
    sections: Box<RawValue>,
    layout: OnceLock<Layout>,
}

/// A layout as it is sent.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) json: Bytes,
    /// The value of `ETag`, with its quotes.
    pub(crate) tag: String,
}

/// A `contract::event::Event`, field for field, but for how its sections are held.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent<'a> {
    id: EventId,
    name: &'a str,
    venue: &'a str,
    starts_at: Timestamp,
    time_zone: &'a str,
    currency: Currency,
    booking_mode: BookingMode,
    max_seats_per_customer: u32,
    sales_start: Option<Timestamp>,
    sales_end: Option<Timestamp>,
    waiting_room: bool,
    sections: &'a RawValue,
    total_seats: u32,
    available_seats: u32,
    status: EventStatus,
    organizer_id: Option<UserId>,
}

/// A `contract::event::Layout` in the same way.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SentLayout<'a> {
    event_id: EventId,
    currency: Currency,
    sections: &'a RawValue,
}

impl Shown {
    pub(super) fn new(record: Record) -> Self {
        let sections = to_raw_value(&record.spec.sections).expect("sections are JSON");
        Self { record, rendered: Arc::new(Rendered { sections, layout: OnceLock::new() }) }
    }

    /// This event in another state of the same version; `None` if it is of another one.
    pub(super) fn at(&self, state: State) -> Option<Self> {
        (self.record.version == state.version).then(|| Self {
            record: Record { phase: state.phase, taken: state.taken, ..self.record.clone() },
            rendered: Arc::clone(&self.rendered),
        })
    }

    /// As everybody sees it.
    pub(crate) fn event(&self, now: Timestamp) -> Sent<'_> {
        let (record, spec) = (&self.record, &*self.record.spec);
        Sent {
            id: record.id,
            name: &spec.name,
            venue: &spec.venue,
            starts_at: spec.starts_at,
            time_zone: &spec.time_zone,
            currency: spec.currency,
            booking_mode: spec.mode,
            max_seats_per_customer: spec.max_per_customer,
            sales_start: spec.sales_start,
            sales_end: spec.sales_end,
            waiting_room: spec.waiting_room,
            sections: &self.rendered.sections,
            total_seats: record.total(),
            available_seats: record.available(),
            status: record.status(now),
            organizer_id: record.organizer,
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        self.rendered.layout.get_or_init(|| {
            let layout = SentLayout {
                event_id: self.record.id,
                currency: self.record.spec.currency,
                sections: &self.rendered.sections,
            };
            let json = serde_json::to_vec(&layout).expect("a layout is JSON");
            let digest = Sha256::digest(&json);
            let tag = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
            Layout { json: json.into(), tag: format!("\"{tag}\"") }
        })
    }
}

#[cfg(test)]
mod tests {
    use contract::event::{Event, EventRequest, Layout};

    use super::*;
    use crate::domain::{Phase, Record, check, tests::good};

    /// Every kind of places, and every field that may be absent, there and not.
    fn records() -> Vec<Record> {
        let text = |text: &str| Some(text.to_owned());
        let now = "2026-06-01T10:00:00Z".parse().expect("a moment");
        let visual = EventRequest { name: text("\"sections\":[] \\ é"), ..good() };
        let tatkal = EventRequest {
            booking_mode: text("TATKAL"),
            sales_start: text("2026-06-10T00:00:00Z"),
            sales_end: text("2026-06-20T00:00:00Z"),
            ..good()
        };
        let record = |request, organizer| {
            let spec = check(&request, now, None).expect("good");
            Record { taken: 3, ..Record::draft(organizer, spec, Phase::Published) }
        };
        vec![record(visual, None), record(tatkal, Some(UserId::new()))]
    }

    #[test]
    fn what_is_sent_is_the_contract_to_the_byte() {
        let now = "2026-06-15T10:00:00Z".parse().expect("a moment");
        for record in records() {
            let event: Event = record.event(now);
            let layout = Layout {
                event_id: record.id,
                currency: record.spec.currency,
                sections: record.spec.sections.clone(),
            };
            let shown = Shown::new(record);
            let text = serde_json::to_string(&shown.event(now)).expect("JSON");
            assert_eq!(text, serde_json::to_string(&event).expect("JSON"));
            assert_eq!(shown.layout().json, serde_json::to_string(&layout).expect("JSON"));
        }
    }
}
