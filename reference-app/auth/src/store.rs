//! Where accounts, refresh tokens and the signing key are kept.

mod sqlite;

use std::fmt;

use async_trait::async_trait;
use ticketblitz_core::{Timestamp, UserId};

use crate::domain::{FamilyId, NewUser, User};
use crate::error::StoreError;
use crate::token::{Seed, TokenDigest};

pub use sqlite::SqliteStore;

/// The first refresh token of a family, to be kept.
#[derive(Debug, Clone)]
pub struct NewFamily {
    pub id: FamilyId,
    pub user: UserId,
    pub digest: TokenDigest,
    pub expires_at: Timestamp,
}

/// A refresh token that is exchanged for the next one of its family.
#[derive(Debug, Clone)]
pub struct Rotation {
    pub spent: TokenDigest,
    pub next: TokenDigest,
    pub next_expires_at: Timestamp,
    pub now: Timestamp,
}

/// What became of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// The next token is live; it is this user's.
    Renewed(User),
    /// The token was spent before. Its family has ended with this call, if it had not yet.
    Reused,
    /// Unknown or expired, or its family has ended.
    Refused,
}

/// Each method is a whole use case and atomic: all of its effects stay, or none.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Adds an account, and the family of its first session if there is one. Of several accounts with one
    /// address, in whatever case, the first is kept and the others are [`StoreError::EmailTaken`].
    async fn create(&self, user: &NewUser, family: Option<&NewFamily>) -> Result<(), StoreError>;

    /// Adds an account if no administrator exists; says whether it did.
    async fn create_first_admin(&self, user: &NewUser) -> Result<bool, StoreError>;

    /// Whether an administrator exists.
    async fn has_admin(&self) -> Result<bool, StoreError>;

    /// The account with this [key](crate::domain::Email::key), and the hash of its password.
    async fn by_email(&self, key: &str) -> Result<Option<(User, Option<String>)>, StoreError>;

    /// The account.
    async fn by_id(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Keeps a new family, and forgets those of the same user that expired before `now`.
    async fn open_family(&self, family: &NewFamily, now: Timestamp) -> Result<(), StoreError>;

    /// Spends a token for the next. Of two that race with one token, the first is [`Rotated::Renewed`] and the
    /// second is [`Rotated::Reused`], which ends the family and with it what the first one got: which of the two
    /// is the thief cannot be known, so both log in again.
    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated, StoreError>;

    /// Ends the family of this token, spent or not. An unknown token is no error.
    async fn end_family(&self, digest: &TokenDigest, now: Timestamp) -> Result<(), StoreError>;

    /// Forgets at most `limit` refresh tokens and families that expired before `before`; answers how many. A token
    /// that is not known is refused as one that has expired is.
    async fn forget_sessions(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// The seed of the signing key: the one that was kept first, from then on for ever.
    async fn signing_seed(&self, candidate: &Seed, now: Timestamp) -> Result<Seed, StoreError>;
}

#[cfg(test)]
mod tests;
