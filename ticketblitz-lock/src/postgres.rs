//! The backend that keeps everything in PostgreSQL.

mod answer;
mod ask;
mod hold;
mod load;
mod setup;
mod status;
mod stream;
mod together;

pub use sqlx as driver;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgPool, PgRow};
use ticketblitz_core::{BookingId, EventId};
use tokio::time::Instant;

use crate::error::LockError;
use crate::queue::{self, Queue};
use crate::store::SeatStore;
use crate::types::{
    Capabilities, Cursor, Durability, EventSnapshot, EventStatus, Expired, Fence, FenceScope, Hold, HoldRef,
    HoldRequest, Owner,
};
use answer::Answer;
use ask::{Effect, Statements, micros, positive};
pub use setup::{setup, setup_schema};

const CAPABILITIES: Capabilities = Capabilities::new(Durability::Disk, FenceScope::Seat, 10_000);

/// How long an operation may take, the wait for a connection included, unless [`PostgresStore::with_timeout`] says
/// otherwise: longer than any takes on a server that is well, shorter than a buyer waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Holds in a PostgreSQL database, shared by all processes that use it. Version 14 or later.
///
/// The caller's pool (of sqlx 0.9, here as [`driver`]) stays the caller's: its size, its TLS, its settings. The tables are in a schema of their own,
/// `ticketblitz_lock` unless [another](Self::in_schema) is chosen, and are made by [`setup`].
///
/// ```no_run
/// use ticketblitz_core::EventId;
/// use ticketblitz_lock::postgres::driver::postgres::{PgConnectOptions, PgPoolOptions};
/// use ticketblitz_lock::postgres::{PostgresStore, setup};
/// use ticketblitz_lock::{EventSnapshot, LockError, SeatLocks};
///
/// # async fn run() -> Result<(), LockError> {
/// let server: PgConnectOptions =
///     "postgres://tickets@localhost/tickets".parse().map_err(LockError::backend)?;
/// let pool = PgPoolOptions::new()
///     .max_connections(16)
///     .test_before_acquire(false) // it costs a round trip an operation, and the store says what is unknown
///     .connect_lazy_with(server.options([("statement_timeout", "4500ms")])); // see "When the server is away"
/// setup(&pool).await?; // at every start, from as many processes as there are
/// let locks = SeatLocks::new(PostgresStore::new(pool));
/// let event = EventId::new();
/// locks.load(&EventSnapshot::new(event)).await?;
/// let hold = locks.hold(event, ["A1", "A2"]).owner("alice").await?;
/// # drop(hold);
/// # Ok(())
/// # }
/// ```
///
/// # What it promises
///
/// Every operation is one statement, a call of a function that [`setup`] made, in a transaction of its own: one round
/// trip once the connection has prepared it, or two for a hold that was looked at with others and has not lost (below).
/// Holds of different seats of one event do not wait for each other, nor for each other's flush of the log; units of one
/// area do. Who loses by what is committed reads, and neither writes nor locks. What is answered survives a power cut as
/// long as the server's `synchronous_commit` is `on`, as it is by default; if it is not, [`Durability::Server`] is what
/// one gets.
///
/// [`FenceScope::Seat`]: a hold's fence is higher than that of every hold that was answered before it began, and of every
/// hold that had one of its seats, whatever has been forgotten of them since; two holds of different seats at the same
/// microsecond may share one.
///
/// A hold reads once, without a lock, and writes where that is still true: its own row and its seats', by name. What was
/// taken meanwhile undoes it, and it is judged anew. The same request for seats of a large event and of a small one reads as
/// many rows, whatever the tables' size was when its connection planned it.
///
/// What has lapsed is cleaned up in batches, but by a load: that is alone with its event, and ends all that has lapsed there.
///
/// # Crowds that lose
///
/// Where the last answer to a usual hold, of up to 32 seats without alternatives, channels or a hold to replace, was that
/// somebody has them, the next is sent at once, and those that come meanwhile are asked about together, up to 64 holds or
/// 256 seats in one statement. It reads, at one moment, and answers those who lose what a hold by itself would; the others
/// (the seats are free or have lapsed, the attempt is known, the limit is near) are sent by themselves then, in a second
/// round trip. Whoever wins where nobody has just lost is not looked at. Nobody waits for a timer, nor longer than an
/// operation may take. A look that the server does not answer is [`LockError::Backend`] for all who wait, as nothing has
/// been written; one that it refuses sends each by themselves.
///
/// # What was tried
///
/// With `pgbench` beside the server on two cores, 16 connections, four seats a hold:
///
/// - Kept: plans that cannot go by the event alone. Those made while the tables were empty read every hold of the event
///   for each new one, a quarter of the speed that the same statements had once the tables were analysed.
/// - Kept: one read in place of a look-up a seat, twice; no advisory locks of seats; writes that are undone if what was
///   read is no longer true. Half as fast again. The subtransaction that this takes costs one hundredth.
/// - Kept: generic plans. For lists, PostgreSQL takes a plan of their length for cheaper and makes one for every call: nearly
///   twice the time of a hold. To hide the length from it in a subquery does the same, and is slower than the setting.
/// - Kept: an answer of one column, a record, in place of twenty: a tenth of a refusal's time. As a list of texts it is no
///   faster.
/// - Kept though they cost a refusal a tenth of its time: the settings of the functions, the one for generic plans and the
///   one against sequential scans. A table that was vacuumed while it was small is read whole by every plan made then.
/// - Undone: the fence in the first read. It saves a winner a statement, a tenth or less of a hold, and costs every refusal.
/// - Kept: crowds that lose are asked about in one statement. The settings of a function, its call and the driver's work
///   for a statement, half of a refusal, are had once for all of them. What is in the way is one function for this and for
///   a hold, in SQL, which the server puts into the statement that asks: it is no call.
/// - Undone: the same for crowds that win. They would be read twice, and write one by one all the same.
/// - Not tried: several holds made in one statement, fences as integers, fewer indexes.
///
/// # What it needs
///
/// The isolation level `read committed`, the server's default: another is refused. The server's time; when that is set
/// back, holds last longer by as much, and nothing is given out twice. Advisory locks of its own, as many at a time as there
/// are operations under way: their keys are hashes with the schema's name in it, `hashtextextended('"<schema>" <event>', 0)`,
/// so that an application's own are not in the way.
///
/// # When the server is away
///
/// An operation takes five seconds at most, or what [`with_timeout`](Self::with_timeout) says, the wait for a connection
/// included; a load, longer by its size. What was refused by the server or never sent is [`LockError::Backend`]; what was sent
/// and is not answered is [`LockError::OutcomeUnknown`]. Reads change nothing, so they fail with `Backend`.
///
/// A statement whose caller has stopped waiting runs on in the server, and if it waits for a lock, it waits on: a crowd that
/// tries again and again behind one slow transaction would take all the server's connections, one by one. So set a
/// `statement_timeout` a little under the store's timeout, as above: the server gives up first, nothing has happened, and
/// that is `Backend`, not unknown. It is for all statements of the pool: an event of so many sales that its load takes longer
/// is loaded by a store with a pool of its own.
///
/// # Behind a pooler
///
/// The store keeps nothing in a session but prepared statements, and its locks end with each statement. So a pooler that
/// gives out a connection a transaction will do if it looks after prepared statements: `PgBouncer` does from version 1.21, with
/// `max_prepared_statements` above zero. It refuses settings at connecting: the driver's own goes with
/// `.extra_float_digits(None)`, and the one above is set for the user, `alter role tickets set statement_timeout = '4500ms'`.
/// What a pooler says of a server that it lost has codes of the pooler's own: only those that PostgreSQL raises before it
/// commits are taken for a refusal, all others are `OutcomeUnknown`.
///
/// # Cancellation
///
/// A dropped future had its effect whole or not at all: what writes is one statement, and a hold that waits with others is
/// not sent once it is dropped. The pool takes the connection back once the server has answered.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: PgPool,
    statements: Statements,
    timeout: Duration,
    queue: Arc<Queue<Self>>,
    #[cfg(feature = "conformance")]
    clock: Option<Arc<dyn ticketblitz_core::Clock>>,
}

impl PostgresStore {
    /// Holds in the schema `ticketblitz_lock`, which [`setup`] makes. Nothing is sent yet.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self::with_statements(pool, Statements::default())
    }

    /// Holds in a schema of the caller's choice, which [`setup_schema`] makes.
    ///
    /// # Errors
    /// [`LockError::Invalid`] if that is no name of small letters, digits and underscores.
    pub fn in_schema(pool: PgPool, schema: &str) -> Result<Self, LockError> {
        setup::validate(schema)?;
        Ok(Self::with_statements(pool, Statements::of(schema)))
    }

    fn with_statements(pool: PgPool, statements: Statements) -> Self {
        Self {
            pool,
            statements,
            timeout: TIMEOUT,
            queue: Arc::default(),
            #[cfg(feature = "conformance")]
            clock: None,
        }
    }

    /// Sets how long an operation may take: five seconds unless it is set. A load may take longer by a tenth of a
    /// millisecond for each entry and each seat of its snapshot: a house of 100,000 that is sold out takes some seconds.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        // Nobody waits for a call that has another time.
        self.queue = Arc::default();
        self
    }

    /// For tests alone: takes the time from this clock in place of the server's.
    #[cfg(feature = "conformance")]
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn ticketblitz_core::Clock>) -> Self {
        self.clock = Some(clock);
        self.queue = Arc::default();
        self
    }

    /// The time that a statement is told; none in production, where the server's counts.
    #[cfg(feature = "conformance")]
    fn told_time(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| clock.now().as_micros())
    }

    #[cfg(not(feature = "conformance"))]
    #[allow(clippy::unused_self)]
    const fn told_time(&self) -> Option<i64> {
        None
    }
}

#[async_trait]
impl SeatStore for PostgresStore {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError> {
        snapshot.validate()?;
        let query = load::query(self.statements.load(), snapshot, self.told_time());
        let patient = self.clone().with_timeout(self.timeout.saturating_add(load::longer(snapshot)));
        patient.answer(query, Effect::Change).await?.done()
    }

    async fn unload(&self, event: EventId) -> Result<(), LockError> {
        let query = sqlx::query(self.statements.unload()).bind(event.as_uuid());
        self.answer(query, Effect::Change).await?.done()
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        request.validate(CAPABILITIES.max_units)?;
        if queue::is_usual(request) {
            return queue::hold(self, request).await;
        }
        self.hold_alone(request, Instant::now()).await
    }

    async fn get(&self, hold: HoldRef) -> Result<Hold, LockError> {
        let query = sqlx::query(self.statements.get()).bind(hold.event.as_uuid()).bind(hold.hold.as_uuid());
        self.answer(query.bind(self.told_time()), Effect::None).await?.hold(hold.event)
    }

    async fn extend(&self, hold: HoldRef, owner: &Owner, ttl: Duration) -> Result<Hold, LockError> {
        positive(ttl)?;
        owner.validate()?;
        let query =
            sqlx::query(self.statements.extend()).bind(hold.event.as_uuid()).bind(hold.hold.as_uuid());
        let query = query.bind(owner.as_str()).bind(micros(ttl)).bind(self.told_time());
        self.answer(query, Effect::Change).await?.hold(hold.event)
    }

    async fn release(&self, hold: HoldRef, owner: &Owner) -> Result<(), LockError> {
        owner.validate()?;
        let query =
            sqlx::query(self.statements.release()).bind(hold.event.as_uuid()).bind(hold.hold.as_uuid());
        let query = query.bind(owner.as_str()).bind(self.told_time());
        self.answer(query, Effect::Change).await?.done()
    }

    async fn begin_commit(&self, hold: HoldRef, owner: &Owner, grace: Duration) -> Result<Hold, LockError> {
        positive(grace)?;
        owner.validate()?;
        let query =
            sqlx::query(self.statements.begin_commit()).bind(hold.event.as_uuid()).bind(hold.hold.as_uuid());
        let query = query.bind(owner.as_str()).bind(micros(grace)).bind(self.told_time());
        self.answer(query, Effect::Change).await?.hold(hold.event)
    }

    async fn abort_commit(&self, hold: HoldRef) -> Result<(), LockError> {
        let query =
            sqlx::query(self.statements.abort_commit()).bind(hold.event.as_uuid()).bind(hold.hold.as_uuid());
        self.answer(query.bind(self.told_time()), Effect::Change).await?.done()
    }

    async fn sold(&self, hold: HoldRef, fence: Fence, booking: BookingId) -> Result<(), LockError> {
        let query = sqlx::query(self.statements.sold()).bind(hold.event.as_uuid()).bind(hold.hold.as_uuid());
        let query = query.bind(fence.to_string()).bind(booking.as_uuid()).bind(self.told_time());
        self.answer(query, Effect::Change).await?.done()
    }

    async fn reopen(&self, event: EventId, booking: BookingId) -> Result<(), LockError> {
        let query = sqlx::query(self.statements.reopen()).bind(event.as_uuid()).bind(booking.as_uuid());
        self.answer(query.bind(self.told_time()), Effect::Change).await?.done()
    }

    async fn status(&self, event: EventId) -> Result<EventStatus, LockError> {
        let query = sqlx::query(self.statements.status()).bind(event.as_uuid()).bind(self.told_time());
        let rows = self.rows(query, Effect::None).await?;
        status::read(rows.first().ok_or(LockError::NotLoaded)?)
    }

    async fn expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError> {
        let number = stream::number(after)?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = sqlx::query(self.statements.expired()).bind(number).bind(most).bind(self.told_time());
        stream::read(&self.rows(query, Effect::None).await?, after)
    }
}

type Query = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

impl PostgresStore {
    async fn answer(&self, query: Query, effect: Effect) -> Result<Answer, LockError> {
        Self::first(&self.rows(query, effect).await?, effect)
    }

    fn first(rows: &[PgRow], effect: Effect) -> Result<Answer, LockError> {
        let row = rows.first().ok_or_else(|| effect.failed(sqlx::Error::RowNotFound))?;
        Answer::read(row).map_err(|error| effect.failed(error))
    }

    /// A hold in a statement by itself, whatever it is.
    async fn hold_alone(&self, request: &HoldRequest, began: Instant) -> Result<Hold, LockError> {
        let query = hold::query(self.statements.hold(), request, self.told_time());
        let effect = Effect::Hold(request.attempt);
        Self::first(&self.rows_since(began, query, effect).await?, effect)?.hold_for(request)
    }
}
