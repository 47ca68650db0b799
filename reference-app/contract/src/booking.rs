//! Bookings and tickets.

use serde::{Deserialize, Serialize};
use ticketblitz_core::{BookingId, Currency, EventId, SeatId, Timestamp, UserId};
use ticketblitz_lock::HoldId;
use utoipa::ToSchema;

use crate::TicketId;

/// `POST /api/bookings`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BookingRequest {
    pub hold_id: Option<String>,
    /// `pm_ok` if absent.
    pub payment_method: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BookingStatus {
    Pending,
    Confirmed,
    Failed,
    Cancelled,
    Expired,
}

/// A booking, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Booking {
    #[schema(value_type = String, format = "uuid")]
    pub id: BookingId,
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    #[schema(value_type = String, format = "uuid")]
    pub event_id: EventId,
    #[schema(value_type = String, format = "uuid")]
    pub hold_id: HoldId,
    /// Empty for an area.
    #[schema(value_type = Vec<String>)]
    pub seat_ids: Vec<SeatId>,
    pub section: Option<String>,
    pub quantity: u32,
    /// Minor units.
    pub amount: i64,
    #[schema(value_type = String)]
    pub currency: Currency,
    pub status: BookingStatus,
    /// Why it is FAILED, EXPIRED or CANCELLED, in words for the buyer.
    pub failure_reason: Option<String>,
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// No charge starts after this moment.
    #[schema(value_type = String, format = "date-time")]
    pub expires_at: Timestamp,
    #[schema(value_type = Option<String>, format = "date-time")]
    pub confirmed_at: Option<Timestamp>,
}

/// A ticket of a confirmed booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    #[schema(value_type = String, format = "uuid")]
    pub ticket_id: TicketId,
    /// Absent for an area.
    #[schema(value_type = Option<String>)]
    pub seat_id: Option<SeatId>,
    pub section: Option<String>,
    /// What the door checks: unguessable.
    pub code: String,
}
