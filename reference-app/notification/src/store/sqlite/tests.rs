//! What the first schema has kept.

use platform::db::open;
use sqlx::migrate::Migrator;

use super::*;
use crate::domain::Status;

const ID: &str = "01890000-0000-7000-8000-00000000000";

#[tokio::test]
async fn notifications_of_the_first_schema_are_carried_over_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Migrator::with_migrations(crate::MIGRATIONS.iter().take(1).cloned().collect());
    let db = open(dir.path(), "notification", &first).await.expect("opens");
    let rows = format!(
        "INSERT INTO notifications (id, booking_id, kind, user_id, status, created_at, sent_at, recipient, subject, \
         failure) VALUES \
         ('{ID}1', '{ID}8', 'BOOKING_CONFIRMED', '{ID}9', 'SENT', 1, 2, 'ann@example.com', 'Your tickets', NULL), \
         ('{ID}2', '{ID}7', 'BOOKING_CONFIRMED', '{ID}9', 'FAILED', 3, NULL, NULL, NULL, 'nobody')"
    );
    let kept: Result<_, StoreError> =
        db.write(|conn| Box::pin(async move { Ok(sqlite::query(rows).execute(conn).await?) })).await;
    kept.expect("kept");
    db.close().await;

    let db = open(dir.path(), "notification", &crate::MIGRATIONS).await.expect("is migrated");
    let store = SqliteStore::new(db.clone());
    let user = format!("{ID}9").parse().expect("an id");
    let [failed, sent]: [Notification; 2] =
        store.list(user, None, 10).await.expect("read").try_into().expect("both, the newest first");
    assert_eq!((failed.id.to_string(), failed.status), (format!("{ID}2"), Status::Failed));
    assert_eq!((failed.failure.as_deref(), failed.sent), (Some("nobody"), None));
    assert_eq!((sent.booking.to_string(), sent.user, sent.failure.clone()), (format!("{ID}8"), user, None));
    let mail = sent.sent.clone().expect("it was sent");
    assert_eq!(
        (mail.at.as_micros(), mail.recipient.as_str(), mail.subject.as_str()),
        (2, "ann@example.com", "Your tickets")
    );
    assert_eq!(store.sent_lately(10).await.expect("read"), std::slice::from_ref(&sent));
    assert_eq!(store.get(sent.id).await.expect("read"), Some(sent.clone()));
    let again = Notification { id: NotificationId::new(), ..sent };
    let twice: Result<bool, StoreError> =
        db.write(move |conn| Box::pin(async move { Ok(rows::insert(conn, &again).await?) })).await;
    assert!(!twice.expect("an answer"), "one a booking and kind");
}
