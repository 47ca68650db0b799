//! Where keys are kept.

mod memory;
mod record;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use memory::MemoryStore;

use crate::{Error, Fingerprint, Key, Scope, StoredResponse};

/// How long a key is remembered after it was claimed, unless a store is told otherwise.
pub const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps keys, leases and answers. Every operation is one round trip and atomic.
///
/// A lease is fenced by a sequence that grows with every claim in the store: whoever holds a lease that has
/// since been claimed by another can no longer write. An expired lease that nobody has claimed since is still
/// its holder's: it can be renewed and finished.
///
/// Time is the store's own. Nothing that a caller believes about the time changes what a store answers.
///
/// Cancellation: an operation whose future is dropped happens as a whole or not at all.
///
/// The `testing` feature has the suite that every store passes.
#[async_trait]
pub trait IdempotencyStore: Send + Sync + fmt::Debug + 'static {
    /// Takes the key if it is free, if its lease has expired (the execution is taken to be dead) or if it is
    /// past its retention. Answers what is known about it otherwise.
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, Error>;

    /// Makes the lease last for its full length from now.
    ///
    /// # Errors
    /// [`Error::Superseded`] if the lease has been lost.
    async fn renew(&self, lease: &Lease) -> Result<(), Error>;

    /// Stores the answer and ends the lease. A late or repeated finish stores nothing and gets the answer that
    /// stands.
    ///
    /// # Errors
    /// [`Error::Superseded`] if the lease has been lost and there is no answer to the same request yet.
    async fn finish(&self, lease: &Lease, response: &StoredResponse) -> Result<Finished, Error>;

    /// Forgets the key, so that it can be claimed at once. Without effect if the lease has been lost or finished.
    async fn release(&self, lease: &Lease) -> Result<(), Error>;

    /// Deletes at most `limit` keys past their retention; answers how many. Keys that are finished or claimed
    /// while this runs are safe: a key is deleted only by its age, and past it a claim does not see it anyway.
    async fn purge(&self, limit: u32) -> Result<u64, Error>;
}

/// Asks for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimRequest {
    /// Whose key.
    pub scope: Scope,
    /// The key.
    pub key: Key,
    /// What is to be done under it.
    pub fingerprint: Fingerprint,
    /// How long the lease lasts without renewal.
    pub lease: Duration,
}

impl ClaimRequest {
    /// A lease of this length on the key.
    #[must_use]
    pub const fn new(scope: Scope, key: Key, fingerprint: Fingerprint, lease: Duration) -> Self {
        Self { scope, key, fingerprint, lease }
    }
}

/// What a claim came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// The key is the caller's, who now executes.
    Execute(Lease),
    /// It was done before.
    Replay(StoredResponse),
    /// It is being done.
    InFlight {
        /// When the lease of whoever does it ends unless it is renewed.
        retry_after: Duration,
    },
    /// The key stands for something else.
    Mismatch,
}

/// What finishing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finished {
    /// The answer is stored.
    Stored,
    /// Another answer was stored before; it is the one that stands.
    Superseded(StoredResponse),
}

/// The right to execute under a key for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    claim: Arc<ClaimRequest>,
    sequence: u64,
}

impl Lease {
    /// For stores: the lease that answers `request`. `sequence` must be higher than that of every lease before
    /// it, of whichever key.
    #[must_use]
    pub fn new(request: &ClaimRequest, sequence: u64) -> Self {
        Self { claim: Arc::new(request.clone()), sequence }
    }

    /// What was asked for.
    #[must_use]
    pub fn claim(&self) -> &ClaimRequest {
        &self.claim
    }

    /// The fence.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

#[async_trait]
impl<T: IdempotencyStore + ?Sized> IdempotencyStore for Arc<T> {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, Error> {
        (**self).claim(request).await
    }

    async fn renew(&self, lease: &Lease) -> Result<(), Error> {
        (**self).renew(lease).await
    }

    async fn finish(&self, lease: &Lease, response: &StoredResponse) -> Result<Finished, Error> {
        (**self).finish(lease, response).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), Error> {
        (**self).release(lease).await
    }

    async fn purge(&self, limit: u32) -> Result<u64, Error> {
        (**self).purge(limit).await
    }
}
