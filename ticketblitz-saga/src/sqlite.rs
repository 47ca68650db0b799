//! Sagas, outbox and inbox in SQLite.

pub(crate) mod purge;
pub mod unfinished;

use ticketblitz_core::sqlite::{self, Sqlite, SqliteConnection};
use ticketblitz_core::{Envelope, Timestamp};

use crate::Error;
use crate::rows::{Stored, sealed};
use crate::state::{Phase, Row, Wake};

/// What makes each version of the tables of the one before. Never changed once released.
const VERSIONS: [&str; 3] = [
    include_str!("sqlite/schema.sql"),
    include_str!("sqlite/schema-2.sql"),
    include_str!("sqlite/schema-3.sql"),
];

/// Makes the tables `saga_instance`, `saga_audit`, `outbox`, `outbox_position`, `outbox_delivery` and `inbox`, or
/// brings those of an earlier version up to date. Call it at every opening; it counts its versions for itself
/// ([`Sqlite::bring_up`]), whatever the application uses.
///
/// # Errors
/// The tables are of a later version than this one, or the database refused.
pub async fn setup(db: &Sqlite) -> Result<(), Error> {
    Ok(db.bring_up("ticketblitz-saga", &VERSIONS).await?)
}

/// Sagas in progress, in the words of the index `saga_instance_in_progress`: by others SQLite would not use it.
macro_rules! in_progress {
    () => {
        "phase NOT IN ('completed', 'failed')"
    };
}
pub(crate) use in_progress;

fn json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::data("a saga's position", e))
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| Error::data("a saga's position", e))
}

/// Versions and indices are far from the 63 bits that SQLite holds.
fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn count<T: TryFrom<i64> + Default>(row: &sqlite::Row, column: &str) -> Result<T, Error> {
    let value: i64 = row.try_get(column)?;
    T::try_from(value).map_err(|_| Error::corrupt(format!("{value} as {column}")))
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Running => "running",
        Phase::Undoing => "undoing",
        Phase::Closing => "closing",
        Phase::Completed => "completed",
        Phase::Failed => "failed",
    }
}

fn phase_of(name: &str) -> Result<Phase, Error> {
    let all = [Phase::Running, Phase::Undoing, Phase::Closing, Phase::Completed, Phase::Failed];
    let found = all.into_iter().find(|&phase| phase_name(phase) == name);
    found.ok_or_else(|| Error::corrupt(format!("the phase {name}")))
}

pub(crate) fn read(row: &sqlite::Row) -> Result<Stored, Error> {
    let wake_at: Option<Timestamp> = row.try_get("wake_at")?;
    let wake = match wake_at {
        Some(Timestamp::EPOCH) => Wake::Now,
        Some(at) => Wake::At(at),
        None if row.try_get("parked")? => Wake::Parked,
        None => Wake::Never,
    };
    let failure: Option<String> = row.try_get("failure")?;
    Ok(Stored {
        name: row.try_get("name")?,
        key: row.try_get("key")?,
        definition: count(row, "definition")?,
        node_name: row.try_get("node_name")?,
        wake_at,
        started_at: row.try_get("started_at")?,
        updated_at: row.try_get("updated_at")?,
        row: Row {
            version: count(row, "version")?,
            phase: phase_of(&row.try_get::<String>("phase")?)?,
            node: count(row, "node")?,
            doubt: row.try_get("doubt")?,
            failures: count(row, "failures")?,
            state: row.try_get("state")?,
            cancel: row.try_get("cancel")?,
            failure: failure.as_deref().map(parse).transpose()?,
            undos: parse(&row.try_get::<String>("undos")?)?,
            owed: parse(&row.try_get::<String>("owed")?)?,
            wake,
            error: row.try_get("error")?,
        },
    })
}

/// Both statements below bind the same values in the same order.
macro_rules! bound {
    ($statement:literal, $saga:ident) => {{
        let row = &$saga.row;
        sqlite::query($statement)
            .bind(&$saga.name)
            .bind(&$saga.key)
            .bind(i64::from($saga.definition))
            .bind(number(row.version))
            .bind(phase_name(row.phase))
            .bind(number(row.node as u64))
            .bind(&$saga.node_name)
            .bind(row.doubt)
            .bind(i64::from(row.failures))
            .bind(&row.state)
            .bind(&row.cancel)
            .bind(row.failure.as_ref().map(json).transpose()?)
            .bind(json(&row.undos)?)
            .bind(json(&row.owed)?)
            .bind(row.wake == Wake::Parked)
            .bind($saga.wake_at)
            .bind(&row.error)
            .bind($saga.started_at)
            .bind($saga.updated_at)
    }};
}

impl sealed::Rows for SqliteConnection {
    async fn insert(&mut self, saga: &Stored) -> Result<bool, Error> {
        let insert = bound!(
            "INSERT INTO saga_instance (name, key, definition, version, phase, node, node_name, doubt, failures,
                 state, cancel, failure, undos, owed, parked, wake_at, error, started_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
             ON CONFLICT DO NOTHING",
            saga
        );
        Ok(insert.execute(self).await? == 1)
    }

    async fn load(&mut self, name: &str, key: &str) -> Result<Option<Stored>, Error> {
        let select = sqlite::query("SELECT * FROM saga_instance WHERE name = $1 AND key = $2");
        select.bind(name).bind(key).fetch_optional(self).await?.as_ref().map(read).transpose()
    }

    async fn stands(&mut self, saga: &Stored) -> Result<bool, Error> {
        let stands = "SELECT EXISTS (SELECT 1 FROM saga_instance
                      WHERE name = $1 AND key = $2 AND version = $3 AND node = $4 AND state = $5)";
        let stands = sqlite::query_scalar(stands).bind(&saga.name).bind(&saga.key);
        let stands = stands.bind(number(saga.row.version)).bind(number(saga.row.node as u64));
        Ok(stands.bind(&saga.row.state).fetch_one(self).await?)
    }

    async fn update(&mut self, saga: &Stored, from: u64) -> Result<bool, Error> {
        let update = bound!(
            "UPDATE saga_instance SET definition = $3, version = $4, phase = $5, node = $6, node_name = $7,
                 doubt = $8, failures = $9, state = $10, cancel = $11, failure = $12, undos = $13, owed = $14,
                 parked = $15, wake_at = $16, error = $17, started_at = $18, updated_at = $19
             WHERE name = $1 AND key = $2 AND version = $20",
            saga
        );
        Ok(update.bind(number(from)).execute(self).await? == 1)
    }

    async fn push(&mut self, event: &Envelope) -> Result<(), Error> {
        let envelope = serde_json::to_string(event).map_err(|e| Error::data("an event", e))?;
        // No number is given twice, even after its row was purged: what is purged was delivered, to somebody whose position
        // is not below it.
        sqlite::query(
            "INSERT INTO outbox (seq, id, topic, key, envelope, occurred_at)
             VALUES (1 + max(coalesce((SELECT max(seq) FROM outbox), 0),
                             coalesce((SELECT max(seq) FROM outbox_position), 0)), $1, $2, $3, $4, $5)",
        )
        .bind(event.id)
        .bind(&event.kind)
        .bind(&event.key)
        .bind(envelope)
        .bind(event.occurred_at)
        .execute(&mut *self)
        .await?;
        self.announce();
        Ok(())
    }

    async fn claim(&mut self, consumer: &str, id: &str) -> Result<bool, Error> {
        let insert = sqlite::query("INSERT INTO inbox (consumer, id) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        Ok(insert.bind(consumer).bind(id).execute(self).await? == 1)
    }

    fn after_commit(&mut self, told: impl FnOnce() + Send + 'static) {
        SqliteConnection::after_commit(self, told);
    }
}
