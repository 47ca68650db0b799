//! Live seats, holds, and the inventory's side of a payment.

use std::collections::BTreeMap;

use platform::{Client, ClientError};
use serde::{Deserialize, Serialize};
use ticketblitz_core::{BookingId, Currency, EventId, SeatId, Timestamp, UserId};
use ticketblitz_lock::HoldId;
use utoipa::ToSchema;

use crate::event::{BookingMode, Section};

/// The state of a seat on the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SeatState {
    Available,
    Held,
    Paying,
    Sold,
}

/// `GET /api/inventory/events/{id}/seats`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveSeats {
    #[schema(value_type = String, format = "uuid")]
    pub event_id: EventId,
    /// Rises with every change.
    pub version: u64,
    /// VISUAL: every seat, in row order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, SeatState>>)]
    pub seats: Option<BTreeMap<SeatId, SeatState>>,
    /// TATKAL: every area.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<Vec<LiveArea>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveArea {
    pub name: String,
    pub capacity: u32,
    pub available: u32,
    pub held: u32,
    pub paying: u32,
    pub sold: u32,
}

/// `POST /api/inventory/holds`: seats, or a quantity of a section.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldRequest {
    pub event_id: Option<String>,
    pub seat_ids: Option<Vec<String>>,
    pub section: Option<String>,
    pub quantity: Option<i64>,
}

/// `POST /api/inventory/holds/{holdId}/extend`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtendRequest {
    pub seconds: Option<i64>,
}

/// A hold, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    #[schema(value_type = String, format = "uuid")]
    pub hold_id: HoldId,
    #[schema(value_type = String, format = "uuid")]
    pub event_id: EventId,
    /// Empty for an area.
    #[schema(value_type = Vec<String>)]
    pub seat_ids: Vec<SeatId>,
    pub section: Option<String>,
    /// How many places, seats too.
    pub quantity: u32,
    pub fence: u64,
    #[schema(value_type = String, format = "date-time")]
    pub expires_at: Timestamp,
    /// Whole seconds left when this was answered.
    pub ttl_seconds: u64,
}

/// One blocked seat of a 409 `seats-unavailable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlockedSeat {
    #[schema(value_type = String)]
    pub seat_id: SeatId,
    pub state: SeatState,
    /// When it may be free; absent for a sold seat.
    pub retry_after_seconds: Option<u64>,
}

/// A short area of a 409 `seats-unavailable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlockedArea {
    pub section: String,
    pub requested: u32,
    pub available: u32,
}

/// What the event service tells the inventory of an event before it answers the organizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventoryEvent {
    pub booking_mode: BookingMode,
    #[schema(value_type = String)]
    pub currency: Currency,
    pub max_seats_per_customer: u32,
    /// Sales are open from the first; `None`: at once.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub sales_start: Option<Timestamp>,
    /// Sales end here: the event's own end of sales, or its start.
    #[schema(value_type = String, format = "date-time")]
    pub sales_end: Timestamp,
    pub sections: Vec<Section>,
}

/// A booking asks to move its hold into payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BeginPayment {
    #[schema(value_type = String, format = "uuid")]
    pub booking_id: BookingId,
    #[schema(value_type = String, format = "uuid")]
    pub hold_id: HoldId,
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    /// From now until the booking's deadline.
    pub deadline_seconds: u64,
    /// From the deadline until the seats may lapse: the provider's timeout and a margin.
    pub grace_seconds: u64,
}

/// The hold is in payment for this booking, which is the first that asked, not always the one that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InPayment {
    #[schema(value_type = String, format = "uuid")]
    pub booking_id: BookingId,
    #[schema(value_type = String, format = "uuid")]
    pub hold_id: HoldId,
    #[schema(value_type = String, format = "uuid")]
    pub event_id: EventId,
    #[schema(value_type = Vec<String>)]
    pub seat_ids: Vec<SeatId>,
    pub section: Option<String>,
    pub quantity: u32,
    /// Minor units, from the event's prices.
    pub amount: i64,
    #[schema(value_type = String)]
    pub currency: Currency,
    pub fence: u64,
    /// No charge starts after this moment.
    #[schema(value_type = String, format = "date-time")]
    pub deadline: Timestamp,
}

/// Whether the booking got its seats for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SellOutcome {
    Sold,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sold {
    pub outcome: SellOutcome,
}

/// Calls to the inventory service. Each is idempotent: whoever lost the reply asks again.
#[derive(Debug, Clone)]
pub struct InventoryClient(Client);

impl InventoryClient {
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Makes the event holdable, or changes it; 409 `event-on-sale` if what is fixed would change.
    pub async fn put_event(&self, id: EventId, event: &InventoryEvent) -> Result<(), ClientError> {
        self.0.put(&format!("/internal/inventory/events/{id}"), event).await
    }

    /// Ends holds and payments of the event; what is sold stays sold.
    pub async fn close_event(&self, id: EventId) -> Result<(), ClientError> {
        self.0.post(&format!("/internal/inventory/events/{id}/close"), &()).await
    }

    /// Moves a hold into payment.
    pub async fn begin_payment(&self, begin: &BeginPayment) -> Result<InPayment, ClientError> {
        self.0.post("/internal/inventory/payments", begin).await
    }

    /// Sells the booking its seats.
    pub async fn sell(&self, booking: BookingId) -> Result<SellOutcome, ClientError> {
        let sold: Sold = self.0.post(&format!("/internal/inventory/bookings/{booking}/sell"), &()).await?;
        Ok(sold.outcome)
    }

    /// Frees the seats of a booking that will not be paid.
    pub async fn release(&self, booking: BookingId) -> Result<(), ClientError> {
        self.0.post(&format!("/internal/inventory/bookings/{booking}/release"), &()).await
    }

    /// Frees the seats of a booking that was refunded.
    pub async fn reopen(&self, booking: BookingId) -> Result<(), ClientError> {
        self.0.post(&format!("/internal/inventory/bookings/{booking}/reopen"), &()).await
    }
}
