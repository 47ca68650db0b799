//! What the services tell each other: the `data` of each event. The constants are the events' names and topics.

use serde::{Deserialize, Serialize};
use ticketblitz_core::{BookingId, Currency, EventId, SeatId, Timestamp, UserId};

use crate::PaymentId;
use crate::booking::{BookingStatus, Ticket};
use crate::event::Event;

pub const BOOKING_CREATED: &str = "booking.created";
pub const BOOKING_CONFIRMED: &str = "booking.confirmed";
pub const BOOKING_FAILED: &str = "booking.failed";
pub const BOOKING_CANCELLED: &str = "booking.cancelled";
pub const PAYMENT_SUCCEEDED: &str = "payment.succeeded";
pub const PAYMENT_FAILED: &str = "payment.failed";
pub const REFUND_REQUESTED: &str = "refund.requested";
pub const PAYMENT_REFUNDED: &str = "payment.refunded";
pub const EVENT_CREATED: &str = "event.created";
pub const EVENT_CHANGED: &str = "event.changed";
pub const EVENT_CANCELLED: &str = "event.cancelled";

/// A booking is PENDING and wants to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingCreated {
    pub booking_id: BookingId,
    pub user_id: UserId,
    pub event_id: EventId,
    pub amount: i64,
    pub currency: Currency,
    pub payment_method: String,
    /// No charge starts after this moment.
    pub expires_at: Timestamp,
}

/// A booking has its seats and its tickets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingConfirmed {
    pub booking_id: BookingId,
    pub user_id: UserId,
    pub event_id: EventId,
    pub seat_ids: Vec<SeatId>,
    pub section: Option<String>,
    pub quantity: u32,
    pub amount: i64,
    pub currency: Currency,
    pub tickets: Vec<Ticket>,
}

/// A booking ended without tickets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingFailed {
    pub booking_id: BookingId,
    pub user_id: UserId,
    pub event_id: EventId,
    /// FAILED or EXPIRED.
    pub status: BookingStatus,
    pub reason: String,
}

/// A booking was cancelled; if it was confirmed, its places are free again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingCancelled {
    pub booking_id: BookingId,
    pub user_id: UserId,
    pub event_id: EventId,
    pub quantity: u32,
    pub was_confirmed: bool,
}

/// The customer was charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentSucceeded {
    pub payment_id: PaymentId,
    pub booking_id: BookingId,
    pub amount: i64,
    pub currency: Currency,
    /// Absent where nothing was to be paid.
    pub provider_charge_id: Option<String>,
}

/// The customer was not charged and will not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentFailed {
    pub payment_id: PaymentId,
    pub booking_id: BookingId,
    /// In words for the buyer.
    pub reason: String,
}

/// The booking's payment is to be void: not made if it was not made yet, given back if it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundRequested {
    pub booking_id: BookingId,
    pub reason: String,
}

/// The customer has the money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRefunded {
    pub payment_id: PaymentId,
    pub booking_id: BookingId,
    pub amount: i64,
    pub currency: Currency,
}

/// An event was made or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventChanged {
    pub event: Event,
}

/// An event will not take place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventCancelled {
    pub event_id: EventId,
}
