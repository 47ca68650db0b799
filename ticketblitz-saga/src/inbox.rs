//! What turns "delivered at least once" into "took effect once".

#[cfg(feature = "sqlite")]
pub use crate::sqlite::purge::{inbox as purge, note};
use crate::{Connection, Error};

/// Claims the message `id` for `consumer` in the transaction that `connection` is in: true the first time, false
/// if a transaction that claimed it has committed. On false, do nothing and commit.
///
/// `id` is the message's id, or an id of the business when different messages say the same thing: a provider's
/// charge id, say.
///
/// Cancel safe as long as the transaction is rolled back where this was dropped halfway.
///
/// # Errors
/// The database refused: roll back.
pub async fn claim<C: Connection>(connection: &mut C, consumer: &str, id: &str) -> Result<bool, Error> {
    connection.claim(consumer, id).await
}
