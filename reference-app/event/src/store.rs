//! What the event service remembers.

pub(crate) mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
pub(crate) use sqlite::SqliteStore;
use ticketblitz_core::{BookingId, Envelope, EventId, MessageId, Timestamp};

use crate::domain::{Record, Spec, State};

/// The stored events. Each method is one transaction, its message in the outbox included.
#[async_trait]
pub(crate) trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Keeps a draft, which nobody sees.
    async fn keep_draft(&self, draft: Record) -> Result<(), Error>;

    /// Keeps the drafts of the sample events, unless that was done in any start before.
    async fn keep_samples(&self, samples: Vec<Record>, now: Timestamp) -> Result<(), Error>;

    /// The sample events that are drafts still.
    async fn sample_drafts(&self) -> Result<Vec<Record>, Error>;

    /// Makes a draft visible and tells it. Published already: nothing.
    async fn publish(&self, id: EventId, created: Envelope) -> Result<(), Error>;

    /// Drops a draft. What is published stays.
    async fn discard(&self, id: EventId) -> Result<(), Error>;

    /// Drops the drafts of requests that a crash has cut off: nobody was answered.
    async fn discard_abandoned(&self) -> Result<u64, Error>;

    /// Keeps what is about to be done to an event, in place of what was before.
    async fn intend(&self, id: EventId, intent: Intent) -> Result<(), Error>;

    /// What is being done to an event.
    async fn intent(&self, id: EventId) -> Result<Option<Intent>, Error>;

    /// The events that something is being done to.
    async fn intended(&self) -> Result<Vec<EventId>, Error>;

    /// Nothing comes of it.
    async fn forget_intent(&self, id: EventId) -> Result<(), Error>;

    /// Changes a published event that is at `version`, and tells it. `false` if it is no longer so. Either way what was
    /// intended is over.
    async fn update(
        &self,
        id: EventId,
        version: u64,
        spec: Arc<Spec>,
        changed: Envelope,
    ) -> Result<bool, Error>;

    /// Cancels an event and tells it; `false` if it was cancelled before. What was intended is over.
    async fn cancel(&self, id: EventId, cancelled: Envelope) -> Result<bool, Error>;

    /// The event, unless it is a draft.
    async fn get(&self, id: EventId) -> Result<Option<Record>, Error>;

    /// Events in the order of their start, drafts left out; `query.limit` of them at most.
    async fn list(&self, query: Query, now: Timestamp) -> Result<Vec<Record>, Error>;

    /// The state of the event that [`Self::get`] answers.
    async fn state(&self, id: EventId) -> Result<Option<State>, Error>;

    /// The states of the events that [`Self::list`] answers.
    async fn states(&self, query: Query, now: Timestamp) -> Result<Vec<State>, Error>;

    /// Counts what happened to a booking: once, however often and in whatever order its messages come.
    async fn count(&self, counted: Counted) -> Result<(), Error>;
}

/// What is being done to an event, in the inventory and here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Intent {
    /// It is to be so.
    Change(Arc<Spec>),
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Filter {
    /// Not begun, not cancelled.
    Upcoming,
    /// On sale, with places left.
    Available,
}

/// Which events. The texts are contained in what is found, case aside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Query {
    pub(crate) filter: Option<Filter>,
    pub(crate) name: Option<String>,
    pub(crate) venue: Option<String>,
    /// Only events after this one in the list.
    pub(crate) after: Option<(Timestamp, EventId)>,
    pub(crate) limit: u32,
}

/// What a message says about a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) message: MessageId,
    pub(crate) booking: BookingId,
    pub(crate) event: EventId,
    pub(crate) quantity: u32,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Confirmed,
    /// A confirmed booking was cancelled.
    Cancelled,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Database(#[from] ticketblitz_core::sqlite::Error),
    #[error(transparent)]
    Messages(#[from] ticketblitz_saga::Error),
}

impl Error {
    /// The same may succeed later.
    pub(crate) fn is_unavailable(&self) -> bool {
        match self {
            Self::Database(error) => platform::db::will_pass(error),
            Self::Messages(error) => error.is_unavailable(),
        }
    }
}

#[cfg(test)]
mod tests;
