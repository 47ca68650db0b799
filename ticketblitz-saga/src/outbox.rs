//! Events that are published if, and only if, the transaction they were pushed in commits.

use ticketblitz_core::Envelope;

#[cfg(feature = "sqlite")]
pub use crate::sqlite::purge::{oldest_undelivered, outbox as purge};
use crate::{Connection, Error};

/// Publishes `event` with the transaction that `connection` is in.
///
/// The bus delivers it at least once, in the order in which events of the same key were pushed. Pushed twice, it is
/// delivered twice, and taken once where its id is [claimed](crate::inbox::claim).
///
/// Cancel safe as long as the transaction is rolled back where this was dropped halfway.
///
/// # Errors
/// The database refused: roll back.
pub async fn push<C: Connection>(connection: &mut C, event: &Envelope) -> Result<(), Error> {
    connection.push(event).await
}
