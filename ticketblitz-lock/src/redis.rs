//! The backend that keeps holds in Redis or Valkey, for any number of processes.

mod cleaning;
mod expiries;
mod link;
mod options;
mod queue;
mod scripts;
mod source;
mod status;
mod together;
mod wire;

pub use ::deadpool_redis;
pub use ::redis as driver;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::{BookingId, EventId};

use crate::error::LockError;
use crate::store::SeatStore;
use crate::types::{
    Capabilities, Cursor, Durability, EventSnapshot, EventStatus, Expired, Fence, FenceScope, Hold, HoldId,
    HoldRef, HoldRequest, Owner, TakenState,
};
use link::{Failure, Link};
pub use options::RedisOptions;
use queue::Queue;
use scripts::Script;
use source::Source;
use wire::Args;

const CAPABILITIES: Capabilities = Capabilities::new(Durability::Server, FenceScope::Event, 10_000);

/// Longer than any event is kept, so that none is forgotten by the stream before it is gone.
const OUTLAST: Duration = Duration::from_secs(400 * 86_400);

/// Holds in Redis 6 or newer, or Valkey: shared by all processes that use the server. Clones share the connection.
///
/// Every operation is a Lua script, and one round trip (unless the server has lost the script: then one more, and it has
/// it again). [`load`](SeatStore::load) and [`expired`](SeatStore::expired) are three, and a hold may be two if others came
/// with it: see below. After a crowd of holds has lapsed, what is answered by counting (a status, a load, a hold of an area
/// or over its limit) may take more: each call cleans up some hundreds, and lets others in before the next.
///
/// The store speaks to one server. All keys of an event have its id as their hash tag and are declared, which is the shape
/// that a cluster asks for, but it follows no redirection and asks no sentinel who the master is: that is for the address
/// to know. A server that says it is no master (any more) is left, and the address asked again.
///
/// # Holds that come together
///
/// A hold on an event about which nobody else has just asked goes at once, by itself. Those that come while it is under way
/// go together, up to 64 holds or 256 seats in one script call, two calls at a time; the script judges them in the order
/// in which they came. There is no timer: nobody waits for others to come.
///
/// - *What it costs*: the call before, and one round trip of one's own. A second one for what the script leaves to the
///   general way: an attempt that is known already, a seat that has lapsed and is not cleaned up, an owner over their limit.
///   A hold with alternatives, with channels, of an area, of more than 32 seats, or that replaces another always goes by
///   itself.
/// - *What a dropped future means*: a hold that was not sent yet never is. One that was sent may be there, as after a lost
///   answer: the same attempt finds it, otherwise it lapses. Nobody else's is touched.
/// - *How long it waits*: for [`connect_timeout`](RedisOptions::connect_timeout) and
///   [`response_timeout`](RedisOptions::response_timeout) together at most. Then, or when the call before it fails, it is
///   [`LockError::Backend`] if it was not sent: nothing has happened.
/// - *What it needs*: a tokio runtime, with time and I/O, for as long as the store is used. Who sends for the others, and
///   who connects, is a task that the store spawns, on the runtime of whoever asked first.
///
/// # One connection
///
/// All tasks share one multiplexed connection: what they send at the same time goes out together, which is faster than a
/// connection each, and a future that is dropped leaves it as usable as before, which is not so in a pool. The pool of
/// `deadpool-redis` asks the server before each loan whether the connection is still there: a second round trip. One
/// that is lost is made again by the next operation. It can be taken out of [a pool](Self::from_pool) all the same.
///
/// # What a lost answer means
///
/// An operation that could not be sent, because the server is not there, is [`LockError::Backend`] after
/// [`connect_timeout`](RedisOptions::connect_timeout) at the latest. One that was sent and is not answered within
/// [`response_timeout`](RedisOptions::response_timeout) is [`LockError::OutcomeUnknown`]: send it again. So is a load that
/// failed, for whatever reason, once the event was loaded; one that is dropped at that point leaves an event that is whole.
///
/// # What Redis loses
///
/// A crash or failover of the server loses the last operations, or all: the store answers [`LockError::NotLoaded`], or
/// knows less than it did. Load the event again with the floor of the truth; fences rise all the same, because they are
/// at least the server's time. A server that may evict keys ([`maxmemory-policy`] other than `noeviction`) is refused.
/// Every key has a time to live: an event that nothing happens to for [`keep`](RedisOptions::keep) is forgotten.
///
/// # What was tried
///
/// Holds a second of 50 callers on one event, client and server on the same two cores, where SET NX PX over a connection
/// each does 140,000 to 160,000 and PING as many:
///
/// | | 1 seat | 4 seats | losing |
/// |---|--:|--:|--:|
/// | a call for each hold, pipelined | 60,000 | 52,000 | 91,000 |
/// | one call at a time for all who wait: both sides idle by turns | 76,000 | 59,000 | 139,000 |
/// | two calls at a time | 117,000 | 84,000 | 128,000 |
/// | a call waits for those just answered to ask again, and arguments are one piece of memory | 110,000 | 82,000 | 183,000 |
///
/// The last is the present way. The rest of the time is the server's: it writes three fields a hold and one a seat into
/// hashes, and looks each up before. Keeping what a call has taken in a table of Lua's only where two want one seat, and
/// few functions in its loop, made the script an eighth shorter for four seats; no functions at all would be little more.
/// That a caller sends for the others and hands that on was not built: one that is kept and not polled would keep all
/// waiting.
///
/// [`maxmemory-policy`]: https://redis.io/docs/latest/develop/reference/eviction/
///
/// ```no_run
/// use std::time::Duration;
/// use ticketblitz_core::EventId;
/// use ticketblitz_lock::{EventSnapshot, LockError, RedisStore, SeatLocks};
///
/// # async fn run() -> Result<(), LockError> {
/// let locks = SeatLocks::new(RedisStore::connect("redis://127.0.0.1:6379").await?);
/// let event = EventId::new();
/// locks.load(&EventSnapshot::new(event)).await?;
/// let hold = locks.hold(event, ["A1", "A2"]).owner("alice").ttl(Duration::from_secs(600)).await?;
/// assert_eq!(hold.seats().len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RedisStore {
    link: Arc<Link>,
    queue: Arc<Queue>,
    options: RedisOptions,
}

impl RedisStore {
    /// Connects to the server of this URL with the default [options](RedisOptions).
    ///
    /// # Errors
    /// As [`connect_with`](Self::connect_with).
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::connect_with(url, RedisOptions::default()).await
    }

    /// Connects to the server of this URL.
    ///
    /// # Errors
    /// [`LockError::Invalid`] for what is no URL and for an empty prefix, [`LockError::Backend`] if the server does not
    /// answer in time or its `maxmemory-policy` is not `noeviction`.
    pub async fn connect_with(url: &str, options: RedisOptions) -> Result<Self, LockError> {
        let client = driver::Client::open(url).map_err(|error| LockError::Invalid(error.to_string()))?;
        Self::connect_client(&client, options).await
    }

    /// Connects as a client of the [driver] is set up: with a password, over TLS.
    ///
    /// # Errors
    /// [`LockError::Backend`], as [`connect_with`](Self::connect_with).
    pub async fn connect_client(client: &driver::Client, options: RedisOptions) -> Result<Self, LockError> {
        let source = Source::server(client).map_err(LockError::backend)?;
        Self::open(source, options).await
    }

    /// Takes its connection out of a pool of the application's: what the pool connects to, and how, is what this does.
    ///
    /// The one connection is taken for good when the store is made, and another when that is lost; the pool may then
    /// give as many as before to everybody else. So nothing is asked of the pool before an operation, nor by the pool of
    /// the server. The pool's own timeouts count while a connection is made, besides
    /// [`connect_timeout`](RedisOptions::connect_timeout); its response timeout does not.
    ///
    /// ```no_run
    /// use ticketblitz_lock::redis::deadpool_redis::{Config, Runtime};
    /// use ticketblitz_lock::{RedisOptions, RedisStore, SeatLocks};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Config::from_url("redis://127.0.0.1:6379").create_pool(Some(Runtime::Tokio1))?;
    /// let locks = SeatLocks::new(RedisStore::from_pool(pool.clone(), RedisOptions::default()).await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LockError::Backend`], as [`connect_with`](Self::connect_with), and if the pool has no connection to give.
    pub async fn from_pool(pool: deadpool_redis::Pool, options: RedisOptions) -> Result<Self, LockError> {
        Self::open(Source::Pool(pool), options).await
    }

    async fn open(source: Source, options: RedisOptions) -> Result<Self, LockError> {
        if options.prefix.is_empty() {
            return Err(LockError::invalid("an empty prefix: the stream's keys would have no hash tag"));
        }
        let link = Link::open(source, options.connect_timeout, options.response_timeout).await;
        Ok(Self { link: link.map_err(Failure::of_read)?, queue: Arc::default(), options })
    }

    /// All that any script on the event touches.
    fn keys(&self, event: EventId) -> [String; 5] {
        let prefix = &self.options.prefix;
        ["", ":holds", ":due", ":lapsed", ":left"].map(|part| format!("{{{prefix}:{event}}}{part}"))
    }

    fn stream_keys(&self) -> [String; 3] {
        ["events", "expired", "numbers"].map(|part| format!("{{{}}}:{part}", self.options.prefix))
    }

    /// The time of the tests, if it is theirs, and how long to keep the event: what every script on one begins with.
    fn args(&self) -> Args {
        let now = self.options.clock.as_ref().map(|clock| clock.now().as_micros());
        Args::default().id(now).number(self.options.keep.as_millis())
    }

    fn keep_stream(&self) -> u128 {
        self.options.keep.saturating_add(OUTLAST).as_millis()
    }

    async fn run(&self, script: &Script, event: EventId, args: Args) -> Result<driver::Value, Failure> {
        self.link.run(script, &self.keys(event), &args).await
    }

    async fn change(&self, script: &Script, event: EventId, args: Args) -> Result<driver::Value, LockError> {
        self.run(script, event, args).await.map_err(Failure::of_change)
    }

    /// The stream looks at the event.
    async fn register(&self, event: EventId) -> Result<(), LockError> {
        let args = Args::default().number(self.keep_stream()).id(Some(event));
        let registered = self.link.run(&scripts::REGISTER, &self.stream_keys(), &args).await;
        wire::done(registered.map_err(Failure::of_change)?)
    }

    /// A hold in a call by itself, whatever it is.
    async fn hold_alone(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        let args = tell_request(self.args(), request);
        let asked = self.run_cleaned(&scripts::HOLD, request.event, &args).await;
        let answer = asked.map_err(|failure| match failure {
            Failure::Lost(_) => LockError::OutcomeUnknown { attempt: Some(request.attempt) },
            refused => refused.of_change(),
        })?;
        wire::hold(request.event, answer, request.limit.unwrap_or_default())
    }
}

#[async_trait]
impl SeatStore for RedisStore {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn load(&self, snapshot: &EventSnapshot) -> Result<(), LockError> {
        snapshot.validate()?;
        let event = snapshot.event;
        // Before: whoever goes away after the next step leaves no event with holds that the stream never looks at.
        self.register(event).await?;
        let args = tell_snapshot(self.args(), snapshot);
        let loaded = self.run_cleaned(&scripts::LOAD, event, &args).await;
        wire::done(loaded.map_err(Failure::of_change)?)?;
        // And afterwards: the stream may just be forgetting the event's former life. Whatever that fails of, the event
        // is loaded.
        self.register(event).await.map_err(|_| LockError::OutcomeUnknown { attempt: None })
    }

    async fn unload(&self, event: EventId) -> Result<(), LockError> {
        wire::done(self.change(&scripts::UNLOAD, event, self.args()).await?)
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        request.validate(CAPABILITIES.max_units)?;
        if together::is_usual(request) {
            return self.hold_in_turn(request).await;
        }
        self.hold_alone(request).await
    }

    async fn get(&self, hold: HoldRef) -> Result<Hold, LockError> {
        let asked = self.run(&scripts::GET, hold.event, self.args().id(Some(hold.hold))).await;
        wire::hold(hold.event, asked.map_err(Failure::of_read)?, 0)
    }

    async fn extend(&self, hold: HoldRef, owner: &Owner, ttl: Duration) -> Result<Hold, LockError> {
        positive(ttl)?;
        owner.validate()?;
        let args = self.args().id(Some(hold.hold)).text(owner.as_str()).micros(ttl);
        wire::hold(hold.event, self.change(&scripts::EXTEND, hold.event, args).await?, 0)
    }

    async fn release(&self, hold: HoldRef, owner: &Owner) -> Result<(), LockError> {
        owner.validate()?;
        let args = self.args().id(Some(hold.hold)).text(owner.as_str());
        wire::done(self.change(&scripts::RELEASE, hold.event, args).await?)
    }

    async fn begin_commit(&self, hold: HoldRef, owner: &Owner, grace: Duration) -> Result<Hold, LockError> {
        positive(grace)?;
        owner.validate()?;
        let args = self.args().id(Some(hold.hold)).text(owner.as_str()).micros(grace);
        wire::hold(hold.event, self.change(&scripts::BEGIN_COMMIT, hold.event, args).await?, 0)
    }

    async fn abort_commit(&self, hold: HoldRef) -> Result<(), LockError> {
        let args = self.args().id(Some(hold.hold));
        wire::done(self.change(&scripts::ABORT_COMMIT, hold.event, args).await?)
    }

    async fn sold(&self, hold: HoldRef, fence: Fence, booking: BookingId) -> Result<(), LockError> {
        let args = self.args().id(Some(hold.hold)).fence(fence).id(Some(booking));
        wire::done(self.change(&scripts::SOLD, hold.event, args).await?)
    }

    async fn reopen(&self, event: EventId, booking: BookingId) -> Result<(), LockError> {
        wire::done(self.change(&scripts::REOPEN, event, self.args().id(Some(booking))).await?)
    }

    async fn status(&self, event: EventId) -> Result<EventStatus, LockError> {
        let asked = self.run_cleaned(&scripts::STATUS, event, &self.args()).await;
        status::read(asked.map_err(Failure::of_read)?)
    }

    async fn expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError> {
        self.read_expired(after, limit).await
    }
}

fn positive(duration: Duration) -> Result<(), LockError> {
    if duration.as_micros() == 0 {
        return Err(LockError::invalid("a duration of no time at all"));
    }
    Ok(())
}

fn tell_request(args: Args, request: &HoldRequest) -> Args {
    let id = HoldId::in_event(request.event);
    let args = args.id(Some(request.attempt)).id(Some(id)).text(request.owner.as_str());
    let args = args.micros(request.ttl).micros(request.ceiling).id(request.limit);
    let args = args.id(request.replacing.map(|hold| hold.hold)).number(request.channels.len());
    let args = request.channels.iter().fold(args, Args::text);
    request.candidates().fold(args, Args::want)
}

fn tell_snapshot(args: Args, snapshot: &EventSnapshot) -> Args {
    let mut channels = snapshot.channels.clone();
    channels.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    channels.iter_mut().for_each(|channel| channel.seats.sort_unstable());
    let reserved = channels.iter().map(|channel| channel.seats.len()).sum::<usize>();

    let mut args = args.fence(snapshot.fence_floor).number(snapshot.areas.len());
    for area in &snapshot.areas {
        args = args.text(&area.section).number(area.capacity);
    }
    args = args.channels(&channels).number(2 * reserved);
    for channel in &channels {
        for seat in &channel.seats {
            args = args.shown(format_args!("r{seat}")).text(&channel.name);
        }
    }
    for taken in &snapshot.taken {
        args = args.id(taken.hold).id(Some(HoldId::in_event(snapshot.event))).id(taken.booking);
        args = args.text(taken.owner.as_str()).want(&taken.want);
        args = match taken.state {
            TakenState::Paying { until } => args.text("P").number(until.as_micros()),
            TakenState::Sold => args.text("S").number(0),
        };
        args = args.fence(taken.fence);
    }
    args
}
