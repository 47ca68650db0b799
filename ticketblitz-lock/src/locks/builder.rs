//! A hold in the making.

use std::fmt::Debug;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::{EventId, SeatId};

use super::{Held, ToSeat};
use crate::error::LockError;
use crate::store::SeatStore;
use crate::types::{AttemptId, HoldRef, HoldRequest, Owner, Want};

/// In place of the owner of a hold that nobody was named for: such a [`HoldBuilder`] cannot be awaited.
#[derive(Debug, Clone, Copy)]
pub struct NoOwner;

/// A hold in the making; `.await` makes it. Without an owner it does not compile:
///
/// ```compile_fail
/// # use ticketblitz_core::EventId;
/// # use ticketblitz_lock::{MemoryStore, SeatLocks};
/// # async fn run() {
/// let locks = SeatLocks::new(MemoryStore::default());
/// locks.hold(EventId::new(), ["A1"]).await;
/// # }
/// ```
///
/// To repeat a hold after [`LockError::OutcomeUnknown`], give it the same [attempt](Self::attempt): both then
/// get the same hold.
///
/// Cancellation: a dropped `.await` had its effect whole or not at all. Only whoever named an attempt before can ask
/// again and learn which, or release what was held; without one the attempt is a new one each time, nobody knows the
/// hold, and its seats stay held for the whole [ttl](Self::ttl). So name an attempt wherever the future can be dropped:
/// beneath a timeout, a `select!` or a server that drops handlers whose client has hung up.
#[derive(Debug, Clone)]
#[must_use = "a hold is made by .await"]
pub struct HoldBuilder<O = NoOwner> {
    store: Arc<dyn SeatStore>,
    event: EventId,
    /// The first candidate.
    want: Result<Want, LockError>,
    alternatives: Vec<Want>,
    owner: O,
    options: Options,
}

#[derive(Debug, Clone, Default)]
struct Options {
    channels: Vec<String>,
    replacing: Option<HoldRef>,
    attempt: Option<AttemptId>,
    ttl: Option<Duration>,
    ceiling: Option<Duration>,
    limit: Option<u32>,
}

impl HoldBuilder {
    pub(super) fn new(store: Arc<dyn SeatStore>, event: EventId, want: Result<Want, LockError>) -> Self {
        Self { store, event, want, alternatives: Vec::new(), owner: NoOwner, options: Options::default() }
    }

    /// Names who will hold.
    pub fn owner(self, owner: impl Into<Owner>) -> HoldBuilder<Owner> {
        let Self { store, event, want, alternatives, owner: NoOwner, options } = self;
        HoldBuilder { store, event, want, alternatives, owner: owner.into(), options }
    }
}

impl<O> HoldBuilder<O> {
    /// Adds a candidate: these seats, if nothing named before is wholly available.
    pub fn or<S>(self, seats: S) -> Self
    where
        S: IntoIterator<Item: ToSeat>,
    {
        self.or_want(wanted(seats))
    }

    /// Adds a candidate: units of an area, if nothing named before is wholly available.
    pub fn or_area(self, section: impl Into<String>, quantity: u32) -> Self {
        self.or_want(Ok(Want::Area { section: section.into(), quantity }))
    }

    pub(super) fn or_want(mut self, want: Result<Want, LockError>) -> Self {
        match want {
            Ok(want) => self.alternatives.push(want),
            // The first mistake is the one that is told.
            Err(error) => self.want = self.want.and(Err(error)),
        }
        self
    }

    /// May hold the seats that are reserved for this channel too. Can be called for several.
    pub fn channel(mut self, name: impl Into<String>) -> Self {
        self.options.channels.push(name.into());
        self
    }

    /// Gives up the owner's own hold for this one, in the same step and only if this one succeeds:
    /// see [`Held::replace`].
    pub fn replacing(mut self, hold: HoldRef) -> Self {
        self.options.replacing = Some(hold);
        self
    }

    /// Sets how long to hold, counted by the store from the moment it holds; ten minutes by default. At least a microsecond and
    /// at most the [ceiling](Self::ceiling).
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.options.ttl = Some(ttl);
        self
    }

    /// Sets how long the hold may last with all its extensions, counted from its beginning; half an hour by default. A payment
    /// may go on after it, for its grace.
    pub fn ceiling(mut self, ceiling: Duration) -> Self {
        self.options.ceiling = Some(ceiling);
        self
    }

    /// Repeats an attempt, or names a first one that may have to be repeated.
    pub fn attempt(mut self, attempt: AttemptId) -> Self {
        self.options.attempt = Some(attempt);
        self
    }

    /// Sets the most units of the event that the owner may hold, pay and have bought together. Counted within the
    /// atomic step: two holds at once cannot exceed it.
    pub fn limit(mut self, limit: impl Into<Option<u32>>) -> Self {
        self.options.limit = limit.into();
        self
    }
}

impl HoldBuilder<Owner> {
    async fn send(self) -> Result<Held, LockError> {
        let mut request = HoldRequest::new(self.event, self.owner, self.want?).limit(self.options.limit);
        request.alternatives = self.alternatives;
        request.channels = self.options.channels;
        request.replacing = self.options.replacing;
        request.attempt = self.options.attempt.unwrap_or(request.attempt);
        request.ttl = self.options.ttl.unwrap_or(request.ttl);
        request.ceiling = self.options.ceiling.unwrap_or(request.ceiling);
        let hold = self.store.hold(&request).await?;
        Ok(Held::new(self.store, hold))
    }
}

impl IntoFuture for HoldBuilder<Owner> {
    type Output = Result<Held, LockError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// These seats as a candidate, if their names are some.
pub(super) fn wanted<S>(seats: S) -> Result<Want, LockError>
where
    S: IntoIterator<Item: ToSeat>,
{
    let seats: Result<Vec<SeatId>, _> = seats.into_iter().map(ToSeat::to_seat).collect();
    seats.map(Want::Seats).map_err(|error| LockError::invalid(error.to_string()))
}
