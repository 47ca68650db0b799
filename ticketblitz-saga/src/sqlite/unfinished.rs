//! What a database has under way, for whoever looks into it beside the engine and the bus, or without them.

use std::collections::HashSet;

use ticketblitz_core::sqlite::{self, SqliteConnection};

use super::purge::names;

/// A saga that is in progress, or parked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnfinishedSaga {
    /// The definition's name.
    pub name: String,
    /// The saga's key.
    pub key: String,
    /// The node it stands at.
    pub node: String,
    /// It does nothing until it is [resumed](crate::Engine::resume).
    pub parked: bool,
    /// The last error.
    pub error: Option<String>,
}

/// A message that a consumer may not have got yet: the bus writes down what was delivered a moment after.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undelivered {
    /// Who is to get it.
    pub consumer: String,
    /// The message's id, as the consumer's inbox has it once it was taken.
    pub id: String,
    /// What it is about.
    pub topic: String,
    /// Which aggregate it is of.
    pub key: String,
    /// Nobody delivers it until it is [replayed](crate::replay).
    pub dead: bool,
    /// Why it could not be delivered.
    pub error: Option<String>,
}

/// The sagas that have not ended, as the connection's transaction sees them. It reads only.
///
/// # Errors
/// The database refused, or has no sagas' tables.
pub async fn sagas(conn: &mut SqliteConnection) -> Result<Vec<UnfinishedSaga>, sqlite::Error> {
    let live = concat!(
        "SELECT name, key, node_name, parked, error FROM saga_instance WHERE parked OR ",
        super::in_progress!(),
        " ORDER BY name, key"
    );
    sqlite::query_as(live).fetch_all(conn).await
}

/// What `consumer` may not have got yet of these topics, as the connection's transaction sees it. It reads only.
///
/// # Errors
/// The database refused, or has no outbox.
pub async fn messages<S: AsRef<str>>(
    conn: &mut SqliteConnection,
    consumer: &str,
    topics: &[S],
) -> Result<Vec<Undelivered>, sqlite::Error> {
    let undelivered =
        "SELECT $1 AS consumer, o.id, o.topic, o.key, coalesce(d.state = 'dead', 0) AS dead, d.error
                       FROM outbox o LEFT JOIN outbox_delivery d ON d.consumer = $1 AND d.seq = o.seq
                       WHERE o.topic IN (SELECT value FROM json_each($2)) AND (d.seq IS NOT NULL OR
                           o.seq > coalesce((SELECT seq FROM outbox_position WHERE consumer = $1), 0))
                       ORDER BY o.seq";
    sqlite::query_as(undelivered).bind(consumer).bind(names(topics)).fetch_all(conn).await
}

/// Which of these ids `consumer` has [claimed](crate::inbox::claim), as the connection's transaction sees it.
///
/// # Errors
/// The database refused, or has no inbox.
pub async fn claimed<S: AsRef<str>>(
    conn: &mut SqliteConnection,
    consumer: &str,
    ids: &[S],
) -> Result<HashSet<String>, sqlite::Error> {
    let claimed = "SELECT id FROM inbox WHERE consumer = $1 AND id IN (SELECT value FROM json_each($2))";
    let ids: Vec<String> =
        sqlite::query_scalar(claimed).bind(consumer).bind(names(ids)).fetch_all(conn).await?;
    Ok(ids.into_iter().collect())
}

impl sqlite::FromRow for UnfinishedSaga {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        Ok(Self {
            name: row.try_get("name")?,
            key: row.try_get("key")?,
            node: row.try_get("node_name")?,
            parked: row.try_get("parked")?,
            error: row.try_get("error")?,
        })
    }
}

impl sqlite::FromRow for Undelivered {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        Ok(Self {
            consumer: row.try_get("consumer")?,
            id: row.try_get("id")?,
            topic: row.try_get("topic")?,
            key: row.try_get("key")?,
            dead: row.try_get("dead")?,
            error: row.try_get("error")?,
        })
    }
}
