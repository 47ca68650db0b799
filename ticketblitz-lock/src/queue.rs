//! Who waits for an event while the server is asked about it.
//!
//! Whoever finds nobody before them is sent at once and by themselves. While that is under way, those who come next are
//! sent together by a task of their own, one call at a time; who comes during such a call goes with the next. Nobody waits
//! for a timer, and nobody waits for another caller to be polled: the task is nobody's.
//!
//! A store whose calls make holds always does so. One whose calls only say who loses does so for events that somebody has
//! just lost in; in all others everybody goes by themselves, and waits for nobody.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ticketblitz_core::EventId;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::error::LockError;
use crate::types::{Hold, HoldRequest};

/// So many calls at a time: while the server answers one, the answers to another are read.
const LANES: usize = 2;
/// So many seats in one call at most: Redis does nothing else meanwhile, and Lua has room for some thousand values.
const MOST_SEATS: usize = 256;
/// So many holds at most.
const MOST_HOLDS: usize = 64;
/// A hold of more goes by itself.
const MOST_OF_ONE: usize = 32;
/// So many events are known to be lost in: more than have a crowd at a time, few enough to be gone through.
const MOST_LOSING: usize = 64;

/// A store that asks for several holds in one call.
pub(crate) trait Together: Clone + Send + Sync + 'static {
    /// Whether a call makes holds. If not, it only says who loses; the others have to be sent by themselves, so that it
    /// would be in vain for a crowd that wins.
    const MAKES_HOLDS: bool;
    /// A request as it is sent: made by whoever asks, not by the task that sends it.
    type Asked: Send + 'static;
    /// What a call says to one of them.
    type Told: Send + 'static;

    fn queue(&self) -> &Queue<Self>;

    /// How long to wait for one's turn and its answer.
    fn patience(&self) -> Duration;

    fn pack(request: &HoldRequest) -> Self::Asked;

    /// Sends them. As many answers, in their order.
    fn send(
        &self,
        event: EventId,
        holds: Vec<Self::Asked>,
    ) -> impl Future<Output = Result<Vec<Self::Told>, Failed>> + Send;

    /// The answer to one of them; none if it has to be sent by itself.
    fn read(request: &HoldRequest, told: Self::Told) -> Result<Option<Hold>, LockError>;

    /// Sends one by itself that was asked for at this time.
    fn by_itself(
        &self,
        request: &HoldRequest,
        began: Instant,
    ) -> impl Future<Output = Result<Hold, LockError>> + Send;
}

/// A call that answered nobody.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: LockError,
    /// Whether it may have made holds all the same.
    pub(crate) lost: bool,
}

/// Whether others like it may go with it: it is of some seats, there is one candidate, it replaces nothing and names no
/// channel. What the server knows may make it unusual all the same.
pub(crate) fn is_usual(request: &HoldRequest) -> bool {
    let seats = request.want.seats().len();
    (1..=MOST_OF_ONE).contains(&seats)
        && request.alternatives.is_empty()
        && request.channels.is_empty()
        && request.replacing.is_none()
}

/// A usual hold: by itself if nobody else asks about the event or nobody loses there, with the others otherwise.
pub(crate) async fn hold<S: Together>(store: &S, request: &HoldRequest) -> Result<Hold, LockError> {
    if S::MAKES_HOLDS {
        return in_turn(store, request).await;
    }
    let answer = if store.queue().is_lost_in(request.event) {
        in_turn(store, request).await
    } else {
        store.by_itself(request, Instant::now()).await
    };
    store.queue().note(request.event, matches!(answer, Err(LockError::Unavailable(_))));
    answer
}

async fn in_turn<S: Together>(store: &S, request: &HoldRequest) -> Result<Hold, LockError> {
    let (queue, began) = (store.queue(), Instant::now());
    if let Some(_turn) = queue.alone(request.event) {
        return store.by_itself(request, began).await;
    }
    let (asked, mut asking) = Asked::of(request);
    if queue.wait(request.event, asked) {
        tokio::spawn(Sending { store: store.clone(), event: request.event, done: false }.run());
    }
    match queue.answer(&mut asking, store.patience()).await {
        Answer::Told(told) => match S::read(request, told)? {
            Some(hold) => Ok(hold),
            None => store.by_itself(request, began).await,
        },
        Answer::Unsent => store.by_itself(request, began).await,
        Answer::Refused(error) => Err(error),
        Answer::Lost => Err(LockError::OutcomeUnknown { attempt: Some(request.attempt) }),
    }
}

/// What became of one of several.
enum Answer<T> {
    Told(T),
    Refused(LockError),
    /// The answer of a call that makes holds was lost.
    Lost,
    /// It was not sent, or in vain, and has to be sent by itself.
    Unsent,
}

struct Asked<S: Together> {
    request: S::Asked,
    seats: usize,
    answer: oneshot::Sender<Answer<S::Told>>,
    sent: Arc<AtomicBool>,
}

impl<S: Together> Asked<S> {
    fn of(request: &HoldRequest) -> (Self, Asking<S>) {
        let (answer, answered) = oneshot::channel();
        let (seats, sent) = (request.want.seats().len(), Arc::<AtomicBool>::default());
        let asking = Asking { answered, sent: Arc::clone(&sent) };
        (Self { request: S::pack(request), seats, answer, sent }, asking)
    }
}

/// Whoever has gone away needs no answer.
fn tell<T>(answer: oneshot::Sender<Answer<T>>, told: Answer<T>) {
    let _gone = answer.send(told);
}

/// Who asked, and waits.
struct Asking<S: Together> {
    answered: oneshot::Receiver<Answer<S::Told>>,
    /// Set while the events are locked, by whoever takes it out of the queue.
    sent: Arc<AtomicBool>,
}

struct Waiting<S: Together> {
    /// Somebody has been sent by themselves and is not answered, or does not look.
    alone: bool,
    /// So many tasks send who waits.
    sending: usize,
    asked: VecDeque<Asked<S>>,
}

impl<S: Together> Default for Waiting<S> {
    fn default() -> Self {
        Self { alone: false, sending: 0, asked: VecDeque::new() }
    }
}

pub(crate) struct Queue<S: Together> {
    events: Mutex<HashMap<EventId, Waiting<S>>>,
    /// Those whose last answer was that somebody lost, the latest at the end. Kept though nobody waits: a crowd may have been
    /// answered, and be about to ask again.
    losing: Mutex<Vec<EventId>>,
}

impl<S: Together> Default for Queue<S> {
    fn default() -> Self {
        Self { events: Mutex::default(), losing: Mutex::default() }
    }
}

impl<S: Together> fmt::Debug for Queue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl<S: Together> Queue<S> {
    fn events(&self) -> MutexGuard<'_, HashMap<EventId, Waiting<S>>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn losing(&self) -> MutexGuard<'_, Vec<EventId>> {
        self.losing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the last who was answered lost.
    fn is_lost_in(&self, event: EventId) -> bool {
        self.losing().contains(&event)
    }

    fn note(&self, event: EventId, lost: bool) {
        let mut losing = self.losing();
        match (losing.iter().position(|one| *one == event), lost) {
            (None, true) => {
                if losing.len() == MOST_LOSING {
                    losing.remove(0);
                }
                losing.push(event);
            }
            (Some(place), true) => losing[place..].rotate_left(1),
            (Some(place), false) => drop(losing.remove(place)),
            (None, false) => {}
        }
    }

    /// A turn by oneself, if nobody else has one.
    fn alone(&self, event: EventId) -> Option<Alone<'_, S>> {
        let mut events = self.events();
        let waiting = events.entry(event).or_default();
        if waiting.alone || waiting.sending > 0 {
            return None;
        }
        waiting.alone = true;
        Some(Alone { queue: self, event })
    }

    /// Whether nobody sends who waits: then the caller has to see to it.
    fn wait(&self, event: EventId, asked: Asked<S>) -> bool {
        let mut events = self.events();
        let waiting = events.entry(event).or_default();
        waiting.asked.push_back(asked);
        let one_more = waiting.sending < LANES;
        waiting.sending += usize::from(one_more);
        one_more
    }

    /// Those who go next, without those who have gone away; none, if that is the end.
    fn next(&self, event: EventId) -> Vec<Asked<S>> {
        let (mut next, mut seats) = (Vec::new(), 0);
        let mut events = self.events();
        let Some(waiting) = events.get_mut(&event) else { return next };
        while let Some(first) = waiting.asked.pop_front() {
            // Does not count: so many may have gone that nobody behind them would fit in.
            if first.answer.is_closed() {
                continue;
            }
            if next.len() == MOST_HOLDS || seats + first.seats > MOST_SEATS {
                waiting.asked.push_front(first);
                break;
            }
            seats += first.seats;
            first.sent.store(true, Ordering::Relaxed);
            next.push(first);
        }
        // Any one of them fits in: nobody is left.
        if next.is_empty() {
            waiting.sending -= 1;
            Self::forget(&mut events, event);
        }
        next
    }

    /// All who have not been sent.
    fn unsent(&self, event: EventId) -> VecDeque<Asked<S>> {
        self.events().get_mut(&event).map(|waiting| std::mem::take(&mut waiting.asked)).unwrap_or_default()
    }

    /// The answer, in a bounded time: however many are before one, and whatever their calls wait for.
    async fn answer(&self, asking: &mut Asking<S>, patience: Duration) -> Answer<S::Told> {
        match timeout(patience, &mut asking.answered).await {
            Ok(Ok(answer)) => answer,
            // A task that ends during a call leaves nobody an answer.
            Ok(Err(_)) if S::MAKES_HOLDS => Answer::Lost,
            Ok(Err(_)) => Answer::Unsent,
            Err(_) => self.give_up(asking),
        }
    }

    fn give_up(&self, asking: &mut Asking<S>) -> Answer<S::Told> {
        // Nobody is taken out of the queue meanwhile, and whoever has gone away is not sent later.
        let _events = self.events();
        asking.answered.close();
        match asking.answered.try_recv() {
            Ok(answer) => answer,
            Err(_) if S::MAKES_HOLDS && asking.sent.load(Ordering::Relaxed) => Answer::Lost,
            Err(_) => Answer::Refused(LockError::backend(io::Error::from(io::ErrorKind::TimedOut))),
        }
    }

    fn forget(events: &mut HashMap<EventId, Waiting<S>>, event: EventId) {
        let idle = |waiting: &Waiting<S>| !waiting.alone && waiting.sending == 0 && waiting.asked.is_empty();
        if events.get(&event).is_some_and(idle) {
            events.remove(&event);
        }
    }
}

/// Until it is dropped, others wait.
struct Alone<'a, S: Together> {
    queue: &'a Queue<S>,
    event: EventId,
}

impl<S: Together> Drop for Alone<'_, S> {
    fn drop(&mut self) {
        let mut events = self.queue.events();
        if let Some(waiting) = events.get_mut(&self.event) {
            waiting.alone = false;
        }
        Queue::forget(&mut events, self.event);
    }
}

/// The task that sends. If it ends before its time, with its runtime say, nobody waits for it.
struct Sending<S: Together> {
    store: S,
    event: EventId,
    /// Nobody waited any more.
    done: bool,
}

impl<S: Together> Drop for Sending<S> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut events = self.store.queue().events();
        let Some(waiting) = events.get_mut(&self.event) else { return };
        waiting.sending -= 1;
        for asked in std::mem::take(&mut waiting.asked) {
            tell(asked.answer, Answer::Unsent);
        }
        Queue::forget(&mut events, self.event);
    }
}

impl<S: Together> Sending<S> {
    async fn run(mut self) {
        loop {
            let next = self.store.queue().next(self.event);
            if next.is_empty() {
                self.done = true;
                return;
            }
            self.send(next).await;
            // Those who have been answered may ask again, and go together.
            tokio::task::yield_now().await;
        }
    }

    async fn send(&self, asked: Vec<Asked<S>>) {
        let (holds, answers): (Vec<_>, Vec<_>) =
            asked.into_iter().map(|asked| (asked.request, asked.answer)).unzip();
        let Failed { error, lost } = match self.store.send(self.event, holds).await {
            Ok(told) => {
                for (answer, told) in answers.into_iter().zip(told) {
                    tell(answer, Answer::Told(told));
                }
                return;
            }
            Err(failed) => failed,
        };
        // Whoever is behind them would wait as long again, to learn the same.
        for asked in self.store.queue().unsent(self.event) {
            tell(asked.answer, Answer::Refused(error.clone()));
        }
        for answer in answers {
            tell(answer, if lost { Answer::Lost } else { Answer::Refused(error.clone()) });
        }
    }
}
