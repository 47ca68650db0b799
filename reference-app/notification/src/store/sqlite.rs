//! Notifications in SQLite. Every write is one closure behind a savepoint, in a commit shared with its neighbours.

mod rows;

use async_trait::async_trait;
use contract::NotificationId;
use ticketblitz_core::sqlite::{self, Sqlite, SqliteConnection};
use ticketblitz_core::{MessageId, UserId};
use ticketblitz_saga::{Advance, Advanced, Start, inbox};

use super::{Store, StoreError};
use crate::domain::{Notification, Sent};

/// The inbox's name for this service.
const CONSUMER: &str = "notification";

/// Notifications in the service's own database file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    db: Sqlite,
}

impl SqliteStore {
    /// A store over a migrated database.
    #[must_use]
    pub fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

/// Every notification that the connection's transaction sees.
pub(crate) async fn all(conn: &mut SqliteConnection) -> Result<Vec<Notification>, sqlite::Error> {
    rows::all(conn).await
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(
        &self,
        message: MessageId,
        notification: Notification,
        mail: Start,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    if inbox::claim(conn, CONSUMER, &message.to_string()).await?
                        && rows::insert(conn, &notification).await?
                    {
                        mail.apply(conn).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn sent(&self, id: NotificationId, sent: Sent, advance: Advance) -> Result<Advanced, StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    rows::mark_sent(conn, id, &sent).await?;
                    Ok(advance.apply(conn).await?)
                })
            })
            .await
    }

    async fn failed(
        &self,
        id: NotificationId,
        reason: String,
        advance: Advance,
    ) -> Result<Advanced, StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    rows::mark_failed(conn, id, &reason).await?;
                    Ok(advance.apply(conn).await?)
                })
            })
            .await
    }

    async fn get(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        Ok(rows::by_id(self.db.readers(), id).await?)
    }

    async fn list(
        &self,
        user: UserId,
        before: Option<NotificationId>,
        limit: u32,
    ) -> Result<Vec<Notification>, StoreError> {
        Ok(rows::newest_of(self.db.readers(), user, before, limit).await?)
    }

    async fn sent_lately(&self, limit: u32) -> Result<Vec<Notification>, StoreError> {
        Ok(rows::newest_sent(self.db.readers(), limit).await?)
    }
}

#[cfg(test)]
mod tests;
