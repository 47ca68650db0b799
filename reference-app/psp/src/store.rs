//! Where the ledger is kept.

pub mod sqlite;

use std::fmt;

use async_trait::async_trait;
use ticketblitz_core::Timestamp;

use crate::domain::{Charge, ChargeRequest, Ledger, Refund, RefundRequest, Reply};
use crate::error::StoreError;

pub use sqlite::SqliteStore;

/// What came of an attempt to charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charged {
    /// The attempt made this charge.
    Made { charge: Charge, reply: Reply },
    /// The key's charge, made before.
    Replayed(Charge),
    /// Nothing was charged, and the caller is not to learn that.
    Lost,
}

/// What came of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunded {
    Made(Refund),
    /// The key's refund, made before.
    Replayed(Refund),
}

/// Each method is a whole use case and atomic. Of requests that race with one Idempotency-Key the first does
/// what it asks for, and the others are answered with its result.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Charges, once for each key.
    async fn charge(
        &self,
        key: Option<&str>,
        request: &ChargeRequest,
        now: Timestamp,
    ) -> Result<Charged, StoreError>;

    /// Refunds a charge as a whole, once for each charge.
    async fn refund(
        &self,
        key: Option<&str>,
        request: &RefundRequest,
        now: Timestamp,
    ) -> Result<Refunded, StoreError>;

    /// The charges with this reference, oldest first.
    async fn charges(&self, reference: &str) -> Result<Vec<Charge>, StoreError>;

    /// Everything, as of one moment: a refund's charge is always there.
    async fn ledger(&self) -> Result<Ledger, StoreError>;
}

#[cfg(test)]
mod tests;
