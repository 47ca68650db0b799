//! Payments.

use serde::{Deserialize, Serialize};
use ticketblitz_core::{BookingId, Currency, Timestamp};
use utoipa::ToSchema;

use crate::PaymentId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PaymentStatus {
    Pending,
    Succeeded,
    Failed,
    /// The provider's answer was lost; it is being looked up.
    Unknown,
    Refunded,
}

/// The payment of a booking, as the booking's owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    #[schema(value_type = String, format = "uuid")]
    pub id: PaymentId,
    #[schema(value_type = String, format = "uuid")]
    pub booking_id: BookingId,
    /// Minor units.
    pub amount: i64,
    #[schema(value_type = String)]
    pub currency: Currency,
    pub status: PaymentStatus,
    pub provider_charge_id: Option<String>,
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
}
