//! What can go wrong with an account.

/// Why the store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("an account with this e-mail address exists already")]
    EmailTaken,
    #[error(transparent)]
    Database(ticketblitz_core::sqlite::Error),
}

impl From<ticketblitz_core::sqlite::Error> for StoreError {
    fn from(error: ticketblitz_core::sqlite::Error) -> Self {
        if error.constraint() == Some("users.email_key") { Self::EmailTaken } else { Self::Database(error) }
    }
}

/// Why a request about an account was not fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Unknown address and wrong password are one answer, so that nobody learns who has an account.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials,
    /// Unknown, expired, spent or ended: the client can only log in again.
    #[error("the refresh token is not valid; log in again")]
    InvalidRefreshToken,
    #[error("too many passwords are being checked at the moment")]
    Overloaded,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a password could not be hashed: {0}")]
    Hash(#[from] argon2::password_hash::Error),
    #[error("a token could not be signed: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
    #[error("the task that hashes a password ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}
