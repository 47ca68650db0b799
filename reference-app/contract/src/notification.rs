//! Notifications to customers.

use serde::{Deserialize, Serialize};
use ticketblitz_core::{BookingId, Timestamp};
use utoipa::ToSchema;

use crate::NotificationId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum NotificationStatus {
    Pending,
    Sent,
    Failed,
}

/// A notification, as the customer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    #[schema(value_type = String, format = "uuid")]
    pub id: NotificationId,
    #[schema(value_type = String, format = "uuid")]
    pub booking_id: BookingId,
    /// `BOOKING_CONFIRMED`.
    pub kind: String,
    pub status: NotificationStatus,
    /// When the mail server accepted it.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub sent_at: Option<Timestamp>,
}
