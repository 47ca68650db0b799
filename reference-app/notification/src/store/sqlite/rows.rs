//! The rows of a notification.

use contract::NotificationId;
use ticketblitz_core::UserId;
use ticketblitz_core::sqlite::{self, SqliteConnection};

use crate::domain::{Kind, Notification, Sent, Status};

ticketblitz_core::sqlite_text!(Kind);
ticketblitz_core::sqlite_text!(Status);

impl sqlite::FromRow for Notification {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        let (at, recipient, subject) =
            (row.try_get("sent_at")?, row.try_get("recipient")?, row.try_get("subject")?);
        let sent = match (at, recipient, subject) {
            (Some(at), Some(recipient), Some(subject)) => Some(Sent { at, recipient, subject }),
            _ => None,
        };
        Ok(Self {
            id: row.try_get("id")?,
            booking: row.try_get("booking_id")?,
            kind: row.try_get("kind")?,
            user: row.try_get("user_id")?,
            status: row.try_get("status")?,
            created_at: row.try_get("created_at")?,
            sent,
            failure: row.try_get("failure")?,
        })
    }
}

/// Keeps it, unless the booking has one of this kind: says which.
pub(super) async fn insert(conn: &mut SqliteConnection, it: &Notification) -> Result<bool, sqlite::Error> {
    let inserted = sqlite::query(
        "INSERT INTO notifications (id, booking_id, kind, user_id, status, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (booking_id, kind) DO NOTHING",
    )
    .bind(it.id)
    .bind(it.booking)
    .bind(it.kind)
    .bind(it.user)
    .bind(it.status)
    .bind(it.created_at)
    .execute(conn)
    .await?;
    Ok(inserted == 1)
}

pub(super) async fn mark_sent(
    conn: &mut SqliteConnection,
    id: NotificationId,
    sent: &Sent,
) -> Result<(), sqlite::Error> {
    sqlite::query(
        "UPDATE notifications SET status = 'SENT', sent_at = $1, recipient = $2, subject = $3 WHERE id = $4",
    )
    .bind(sent.at)
    .bind(&sent.recipient)
    .bind(&sent.subject)
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn mark_failed(
    conn: &mut SqliteConnection,
    id: NotificationId,
    reason: &str,
) -> Result<(), sqlite::Error> {
    sqlite::query("UPDATE notifications SET status = 'FAILED', failure = $1 WHERE id = $2")
        .bind(reason)
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn by_id(
    db: impl sqlite::Executor,
    id: NotificationId,
) -> Result<Option<Notification>, sqlite::Error> {
    sqlite::query_as("SELECT * FROM notifications WHERE id = $1").bind(id).fetch_optional(db).await
}

pub(super) async fn all(db: impl sqlite::Executor) -> Result<Vec<Notification>, sqlite::Error> {
    sqlite::query_as("SELECT * FROM notifications ORDER BY id").fetch_all(db).await
}

// Ids sort by the time they were made, so the id is the cursor and the order at once.
pub(super) async fn newest_of(
    db: impl sqlite::Executor,
    user: UserId,
    before: Option<NotificationId>,
    limit: u32,
) -> Result<Vec<Notification>, sqlite::Error> {
    sqlite::query_as(
        "SELECT * FROM notifications WHERE user_id = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
    )
    .bind(user)
    .bind(before)
    .bind(limit)
    .fetch_all(db)
    .await
}

pub(super) async fn newest_sent(
    db: impl sqlite::Executor,
    limit: u32,
) -> Result<Vec<Notification>, sqlite::Error> {
    sqlite::query_as("SELECT * FROM notifications WHERE status = 'SENT' ORDER BY id DESC LIMIT $1")
        .bind(limit)
        .fetch_all(db)
        .await
}
