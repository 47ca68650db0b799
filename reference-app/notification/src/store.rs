//! Where notifications are kept. A method is a whole use case, in one commit.

pub mod sqlite;

use std::fmt;

use async_trait::async_trait;
use contract::NotificationId;
use ticketblitz_core::{MessageId, UserId};
use ticketblitz_saga::{Advance, Advanced, Start};

use crate::domain::{Notification, Sent};

pub use sqlite::SqliteStore;

/// Why a store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error(transparent)]
    Database(#[from] ticketblitz_core::sqlite::Error),
    /// The saga's, inbox's or outbox's tables failed.
    #[error(transparent)]
    Saga(#[from] ticketblitz_saga::Error),
}

impl StoreError {
    /// The same may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Database(error) => platform::db::will_pass(error),
            Self::Saga(error) => error.is_unavailable(),
        }
    }
}

/// The notifications of this service.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Keeps the notification and starts its `mail`. A message seen before changes nothing, and neither does
    /// a second notification of the same kind about the same booking.
    async fn accept(
        &self,
        message: MessageId,
        notification: Notification,
        mail: Start,
    ) -> Result<(), StoreError>;

    /// The mail server has it: SENT, and the saga's step.
    async fn sent(&self, id: NotificationId, sent: Sent, advance: Advance) -> Result<Advanced, StoreError>;

    /// Nobody will try again: FAILED, and the saga's end.
    async fn failed(
        &self,
        id: NotificationId,
        reason: String,
        advance: Advance,
    ) -> Result<Advanced, StoreError>;

    /// One notification.
    async fn get(&self, id: NotificationId) -> Result<Option<Notification>, StoreError>;

    /// The customer's notifications, newest first, those made before `before` if one is named.
    async fn list(
        &self,
        user: UserId,
        before: Option<NotificationId>,
        limit: u32,
    ) -> Result<Vec<Notification>, StoreError>;

    /// Everybody's notifications that were sent, newest first.
    async fn sent_lately(&self, limit: u32) -> Result<Vec<Notification>, StoreError>;
}
