//! What can go wrong at the provider.

/// Why the store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("this Idempotency-Key was used with another request")]
    KeyReused,
    #[error("there is no such charge")]
    UnknownCharge,
    #[error("the charge failed, so there is nothing to refund")]
    NotCharged,
    #[error("the charge has been refunded already")]
    AlreadyRefunded,
    #[error(transparent)]
    Database(#[from] ticketblitz_core::sqlite::Error),
}
