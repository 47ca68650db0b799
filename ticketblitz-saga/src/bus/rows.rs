//! What the relays keep in a producer's database.

use ticketblitz_core::sqlite::{self, Readers, Sqlite, SqliteConnection};
use ticketblitz_core::{Envelope, Timestamp};

use super::lanes::{Blocked, Message};
use crate::Error;

/// Messages read at once.
const BATCH: i64 = 256;

/// Up to where a consumer is done, but for what is in `outbox_delivery`.
pub(super) async fn position(db: &Sqlite, consumer: &str) -> Result<i64, Error> {
    let position = sqlite::query_scalar("SELECT seq FROM outbox_position WHERE consumer = $1");
    Ok(position.bind(consumer).fetch_optional(db.readers()).await?.unwrap_or(0))
}

/// The statement that reads on in the outbox for a consumer of `topics`. Of other messages it reads the numbers alone.
pub(super) fn reading_on(topics: &[String]) -> String {
    // Not a list: of three and more SQLite makes a table each time.
    let wanted = (0..topics.len()).map(|at| format!("topic = ${}", at + 3)).collect::<Vec<_>>();
    let wanted = if wanted.is_empty() { "FALSE".to_owned() } else { wanted.join(" OR ") };
    format!(
        "SELECT seq, key, CASE WHEN {wanted} THEN envelope END AS envelope FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2"
    )
}

/// The next messages of these topics after `seq`, up to where that was looked, and whether there may be more by now.
pub(super) async fn after(
    db: &Sqlite,
    seq: i64,
    (reading_on, topics): (&str, &[String]),
) -> Result<(Vec<Message>, i64, bool), Error> {
    let rows = sqlite::query(reading_on.to_owned()).bind(seq).bind(BATCH);
    let rows = topics.iter().fold(rows, sqlite::Query::bind).fetch_all(db.readers()).await?;
    let (mut messages, mut seen) = (Vec::new(), seq);
    for row in &rows {
        seen = row.try_get("seq")?;
        if let Some(envelope) = row.try_get::<Option<String>>("envelope")? {
            messages.push(message(row, &envelope)?);
        }
    }
    Ok((messages, seen, i64::try_from(rows.len()).unwrap_or(BATCH) == BATCH))
}

/// The messages of a consumer in this state, in order, with their failures.
pub(super) async fn kept(
    readers: &Readers,
    consumer: &str,
    state: &str,
) -> Result<Vec<(Message, u32, Timestamp)>, Error> {
    let rows = sqlite::query(
        "SELECT o.seq, o.key, o.envelope, d.failures, d.retry_at FROM outbox_delivery d JOIN outbox o USING (seq)
         WHERE d.consumer = $1 AND d.state = $2 ORDER BY seq",
    );
    let rows = rows.bind(consumer).bind(state).fetch_all(readers).await?;
    let message = |row: &sqlite::Row| message(row, &row.try_get::<String>("envelope")?);
    rows.iter().map(|row| Ok((message(row)?, row.try_get("failures")?, row.try_get("retry_at")?))).collect()
}

/// The keys that are dead to this consumer, each with the first of its dead letters.
pub(super) async fn dead_keys(db: &Sqlite, consumer: &str) -> Result<Vec<(String, i64)>, Error> {
    let keys =
        "SELECT key, min(seq) FROM outbox_delivery WHERE consumer = $1 AND state = 'dead' GROUP BY key";
    Ok(sqlite::query_as(keys).bind(consumer).fetch_all(db.readers()).await?)
}

/// What is written down of a consumer's messages after `seq`.
pub(super) async fn written_after(db: &Sqlite, consumer: &str, seq: i64) -> Result<Vec<i64>, Error> {
    let written = sqlite::query_scalar("SELECT seq FROM outbox_delivery WHERE consumer = $1 AND seq > $2");
    Ok(written.bind(consumer).bind(seq).fetch_all(db.readers()).await?)
}

/// Whether an operator wants dead letters of this consumer delivered again.
pub(super) async fn any_replays(db: &Sqlite, consumer: &str) -> Result<bool, Error> {
    let any = "SELECT EXISTS (SELECT 1 FROM outbox_delivery WHERE consumer = $1 AND state = 'replay')";
    Ok(sqlite::query_scalar(any).bind(consumer).fetch_one(db.readers()).await?)
}

/// With a message to be replayed, all the dead ones of its key.
pub(super) async fn replay_whole_keys(conn: &mut SqliteConnection, consumer: &str) -> Result<(), Error> {
    let whole = sqlite::query(
        "UPDATE outbox_delivery SET state = 'replay' WHERE consumer = $1 AND state = 'dead'
             AND key IN (SELECT key FROM outbox_delivery WHERE consumer = $1 AND state = 'replay')",
    );
    whole.bind(consumer).execute(conn).await?;
    Ok(())
}

fn message(row: &sqlite::Row, envelope: &str) -> Result<Message, Error> {
    // One that cannot be read must not keep those behind it: it is handed on as what it is.
    let envelope: Option<Envelope> = serde_json::from_str(envelope).ok();
    Ok(Message { seq: row.try_get("seq")?, key: row.try_get("key")?, envelope })
}

/// What has changed since the last time.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) position: i64,
    pub(super) blocked: Vec<Blocked>,
    pub(super) done: Vec<i64>,
}

pub(super) async fn write(
    conn: &mut SqliteConnection,
    consumer: &str,
    changes: &Changes,
) -> Result<(), Error> {
    for blocked in &changes.blocked {
        let upsert = sqlite::query(
            "INSERT INTO outbox_delivery (consumer, seq, key, state, failures, retry_at, error)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (consumer, seq) DO UPDATE SET state = excluded.state, failures = excluded.failures,
                 retry_at = excluded.retry_at, error = excluded.error",
        );
        let upsert = upsert.bind(consumer).bind(blocked.seq).bind(&blocked.key);
        let upsert =
            upsert.bind(if blocked.dead { "dead" } else { "waiting" }).bind(i64::from(blocked.failures));
        upsert.bind(blocked.retry_at).bind(&blocked.error).execute(&mut *conn).await?;
    }
    for seq in &changes.done {
        let delete = sqlite::query("DELETE FROM outbox_delivery WHERE consumer = $1 AND seq = $2");
        delete.bind(consumer).bind(seq).execute(&mut *conn).await?;
    }
    let position = sqlite::query(
        "INSERT INTO outbox_position (consumer, seq) VALUES ($1, $2)
         ON CONFLICT (consumer) DO UPDATE SET seq = max(seq, excluded.seq)",
    );
    position.bind(consumer).bind(changes.position).execute(conn).await?;
    Ok(())
}
