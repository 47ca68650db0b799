//! What is being done to events.

use std::sync::Arc;

use ticketblitz_core::EventId;
use ticketblitz_core::sqlite::{self, SqliteConnection};

use super::super::{Error, Intent};

pub(super) async fn keep(conn: &mut SqliteConnection, id: EventId, intent: &Intent) -> Result<(), Error> {
    let spec = match intent {
        Intent::Change(spec) => Some(serde_json::to_string(&**spec).expect("an event is JSON")),
        Intent::Cancel => None,
    };
    sqlite::query(
        "INSERT INTO intents (event, spec) VALUES ($1, $2) ON CONFLICT (event) DO UPDATE SET spec = excluded.spec",
    )
    .bind(id)
    .bind(spec)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn forget(conn: &mut SqliteConnection, id: EventId) -> Result<(), Error> {
    sqlite::query("DELETE FROM intents WHERE event = $1").bind(id).execute(conn).await?;
    Ok(())
}

pub(super) async fn of(db: impl sqlite::Executor, id: EventId) -> Result<Option<Intent>, Error> {
    let row = sqlite::query("SELECT spec FROM intents WHERE event = $1").bind(id).fetch_optional(db).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(match row.try_get::<Option<String>>("spec")? {
        Some(spec) => Intent::Change(Arc::new(serde_json::from_str(&spec).map_err(sqlite::Error::decode)?)),
        None => Intent::Cancel,
    }))
}

pub(super) async fn all(db: impl sqlite::Executor) -> Result<Vec<EventId>, Error> {
    Ok(sqlite::query_scalar("SELECT event FROM intents ORDER BY event").fetch_all(db).await?)
}
