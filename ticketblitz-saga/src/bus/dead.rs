//! Dead letters: what a consumer will not take, and what was behind it.

use ticketblitz_core::Envelope;
use ticketblitz_core::sqlite::{self, Sqlite};

use crate::Error;

/// A message that a consumer does not get any more, until it is [replayed](replay).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Who does not get it.
    pub consumer: String,
    /// The message's key, to [replay] it by.
    pub key: String,
    /// The message; none if it cannot be read.
    pub message: Option<Envelope>,
    /// Why; of a message that was behind another one of its key, that one's reason.
    pub error: Option<String>,
}

/// The dead letters of the outbox in `db`, oldest first. Cancel safe: it reads.
///
/// # Errors
/// The database failed.
pub async fn dead_letters(db: &Sqlite) -> Result<Vec<DeadLetter>, Error> {
    let rows = sqlite::query(
        "SELECT d.consumer, d.key, o.envelope, d.error FROM outbox_delivery d JOIN outbox o USING (seq)
         WHERE d.state = 'dead' ORDER BY seq, d.consumer",
    )
    .fetch_all(db.readers())
    .await?;
    rows.iter()
        .map(|row| {
            let message = serde_json::from_str(&row.try_get::<String>("envelope")?).ok();
            let (consumer, key) = (row.try_get("consumer")?, row.try_get("key")?);
            Ok(DeadLetter { consumer, key, message, error: row.try_get("error")? })
        })
        .collect()
}

/// Has `consumer` get its dead letters of `key` again, in their order; answers how many they are. A bus that runs
/// takes them up within about a second.
///
/// Cancel safe as [`Sqlite::write`] is.
///
/// # Errors
/// The database failed.
pub async fn replay(db: &Sqlite, consumer: &str, key: &str) -> Result<u64, Error> {
    let (consumer, key) = (consumer.to_owned(), key.to_owned());
    db.write(move |conn| {
        Box::pin(async move {
            let replay = "UPDATE outbox_delivery SET state = 'replay' WHERE consumer = $1 AND key = $2 AND state = 'dead'";
            Ok(sqlite::query(replay).bind(consumer).bind(key).execute(conn).await?)
        })
    })
    .await
}
