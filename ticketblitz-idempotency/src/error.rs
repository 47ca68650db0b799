//! What can go wrong.

use std::time::Duration;

use crate::KeyError;

/// Why an operation was not executed, or its answer not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key was used before for something else.
    #[error("this idempotency key was used before with a different request")]
    Mismatch,
    /// The first execution under this key is still running.
    #[error("the first request with this idempotency key is still being processed")]
    InFlight {
        /// When its lease ends unless it is renewed.
        retry_after: Duration,
    },
    /// The lease has been lost: another execution has taken the key, or the key is gone. Nothing was written.
    #[error("this execution took too long and has lost its idempotency key to another one")]
    Superseded,
    /// A value does not go into or come out of JSON.
    #[error("the value cannot be kept as JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// The store failed.
    #[error("the store of idempotency keys failed: {0}")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Wraps the failure of a store's driver.
    pub fn backend(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Backend(source.into())
    }
}

#[cfg(feature = "sqlite")]
impl From<ticketblitz_core::sqlite::Error> for Error {
    fn from(error: ticketblitz_core::sqlite::Error) -> Self {
        Self::backend(error)
    }
}
