//! Events and their static layouts.

use platform::{Client, ClientError};
use serde::{Deserialize, Serialize};
use ticketblitz_core::{Currency, EventId, SeatId, Timestamp, UserId};
use utoipa::ToSchema;

/// How places are sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BookingMode {
    /// The customer picks seats on a map.
    Visual,
    /// General admission: a quantity of an area.
    Tatkal,
}

/// `POST /api/events` and `PUT /api/events/{id}`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventRequest {
    pub name: Option<String>,
    pub venue: Option<String>,
    /// RFC 3339.
    pub starts_at: Option<String>,
    /// IANA name, `Asia/Kolkata`.
    pub time_zone: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// `VISUAL` or `TATKAL`.
    pub booking_mode: Option<String>,
    /// 10 if absent.
    pub max_seats_per_customer: Option<i64>,
    pub sales_start: Option<String>,
    pub sales_end: Option<String>,
    pub waiting_room: Option<bool>,
    pub sections: Option<Vec<SectionRequest>>,
    /// Instead of sections: the default layout.
    pub total_seats: Option<i64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SectionRequest {
    pub name: Option<String>,
    /// Minor units of the event's currency.
    pub price: Option<i64>,
    pub seats: Option<Vec<String>>,
    pub capacity: Option<i64>,
}

/// A section: named seats (VISUAL) or a number of places (TATKAL), at one price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    pub name: String,
    /// Minor units of the event's currency.
    pub price: i64,
    #[serde(flatten)]
    pub places: Places,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Places {
    #[schema(value_type = Vec<String>)]
    Seats(Vec<SeatId>),
    Capacity(u32),
}

impl Places {
    /// How many places these are.
    pub fn count(&self) -> u32 {
        match self {
            Self::Seats(seats) => u32::try_from(seats.len()).unwrap_or(u32::MAX),
            Self::Capacity(capacity) => *capacity,
        }
    }
}

/// `GET /api/events/{id}/seats`: the static layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    #[schema(value_type = String, format = "uuid")]
    pub event_id: EventId,
    #[schema(value_type = String)]
    pub currency: Currency,
    /// In row order.
    pub sections: Vec<Section>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventStatus {
    Scheduled,
    OnSale,
    SoldOut,
    Cancelled,
    Ended,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    #[schema(value_type = String, format = "uuid")]
    pub id: EventId,
    pub name: String,
    pub venue: String,
    #[schema(value_type = String, format = "date-time")]
    pub starts_at: Timestamp,
    pub time_zone: String,
    #[schema(value_type = String)]
    pub currency: Currency,
    pub booking_mode: BookingMode,
    pub max_seats_per_customer: u32,
    #[schema(value_type = Option<String>, format = "date-time")]
    pub sales_start: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = "date-time")]
    pub sales_end: Option<Timestamp>,
    pub waiting_room: bool,
    pub sections: Vec<Section>,
    pub total_seats: u32,
    pub available_seats: u32,
    pub status: EventStatus,
    /// Who made it; absent for the sample events.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub organizer_id: Option<UserId>,
}

/// `GET /internal/events/{id}`: what other services have to know of an event, however many seats it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSummary {
    #[schema(value_type = String, format = "uuid")]
    pub id: EventId,
    pub name: String,
    pub venue: String,
    #[schema(value_type = String, format = "date-time")]
    pub starts_at: Timestamp,
    pub time_zone: String,
}

/// Calls to the event service.
#[derive(Debug, Clone)]
pub struct EventClient(Client);

impl EventClient {
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// What is to be known of the event with this id.
    pub async fn summary(&self, event: EventId) -> Result<EventSummary, ClientError> {
        self.0.get(&format!("/internal/events/{event}")).await
    }
}
