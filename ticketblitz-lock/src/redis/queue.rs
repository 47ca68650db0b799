//! Who waits for an event while the server is asked about it.
//!
//! Whoever finds nobody before them is sent at once and by themselves. While that is under way, those who come next are
//! sent together by a task of their own, one call at a time; who comes during such a call goes with the next. Nobody waits
//! for a timer, and nobody waits for another caller to be polled: the task is nobody's.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ticketblitz_core::{EventId, Timestamp};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::driver::Value;
use super::link::Failure;
use super::together::{self, MOST_HOLDS, MOST_SEATS, Packed};
use super::{RedisStore, scripts};
use crate::error::LockError;
use crate::types::{Hold, HoldId, HoldRequest};

/// So many calls at a time: while the server answers one, the answers to another are read.
const LANES: usize = 2;

/// What became of one of several.
#[derive(Debug, Clone)]
enum Answer {
    Told(Timestamp, Value),
    Refused(LockError),
    /// The answer of the call was lost.
    Lost,
    /// It was not sent, and has to be sent by itself.
    Unsent,
}

#[derive(Debug)]
struct Asked {
    packed: Packed,
    answer: oneshot::Sender<Answer>,
    sent: Arc<AtomicBool>,
}

impl Asked {
    fn of(request: &HoldRequest) -> (Self, Asking) {
        let (packed, (answer, answered)) = (Packed::of(request), oneshot::channel());
        let (id, sent) = (packed.id, Arc::<AtomicBool>::default());
        (Self { packed, answer, sent: Arc::clone(&sent) }, Asking { id, answered, sent })
    }

    fn tell(self, answer: Answer) {
        // Whoever has gone away needs no answer.
        let _gone = self.answer.send(answer);
    }
}

/// Who asked, and waits.
#[derive(Debug)]
struct Asking {
    id: HoldId,
    answered: oneshot::Receiver<Answer>,
    /// Set while the events are locked, by whoever takes it out of the queue.
    sent: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Somebody has been sent by themselves and is not answered, or does not look.
    alone: bool,
    /// So many tasks send who waits.
    sending: usize,
    asked: VecDeque<Asked>,
}

#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<HashMap<EventId, Waiting>>);

impl Queue {
    fn events(&self) -> MutexGuard<'_, HashMap<EventId, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn by oneself, if nobody else has one.
    fn alone(&self, event: EventId) -> Option<Alone<'_>> {
        let mut events = self.events();
        let waiting = events.entry(event).or_default();
        if waiting.alone || waiting.sending > 0 {
            return None;
        }
        waiting.alone = true;
        Some(Alone { queue: self, event })
    }

    /// Whether nobody sends who waits: then the caller has to see to it.
    fn wait(&self, event: EventId, asked: Asked) -> bool {
        let mut events = self.events();
        let waiting = events.entry(event).or_default();
        waiting.asked.push_back(asked);
        let one_more = waiting.sending < LANES;
        waiting.sending += usize::from(one_more);
        one_more
    }

    /// Those who go next, without those who have gone away; none, if that is the end.
    fn next(&self, event: EventId) -> Vec<Asked> {
        let (mut next, mut seats) = (Vec::new(), 0);
        let mut events = self.events();
        let Some(waiting) = events.get_mut(&event) else { return next };
        while let Some(first) = waiting.asked.pop_front() {
            // Does not count: so many may have gone that nobody behind them would fit in.
            if first.answer.is_closed() {
                continue;
            }
            if next.len() == MOST_HOLDS || seats + first.packed.seats > MOST_SEATS {
                waiting.asked.push_front(first);
                break;
            }
            seats += first.packed.seats;
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
    fn unsent(&self, event: EventId) -> VecDeque<Asked> {
        self.events().get_mut(&event).map(|waiting| std::mem::take(&mut waiting.asked)).unwrap_or_default()
    }

    /// The answer, in a bounded time: however many are before one, and whatever their calls wait for.
    async fn answer(&self, asking: &mut Asking, patience: Duration) -> Answer {
        match timeout(patience, &mut asking.answered).await {
            // A task that ends during a call leaves nobody an answer.
            Ok(answer) => answer.unwrap_or(Answer::Lost),
            Err(_) => self.give_up(asking),
        }
    }

    fn give_up(&self, asking: &mut Asking) -> Answer {
        // Nobody is taken out of the queue meanwhile, and whoever has gone away is not sent later.
        let _events = self.events();
        asking.answered.close();
        match asking.answered.try_recv() {
            Ok(answer) => answer,
            Err(_) if asking.sent.load(Ordering::Relaxed) => Answer::Lost,
            Err(_) => Answer::Refused(LockError::backend(io::Error::from(io::ErrorKind::TimedOut))),
        }
    }

    fn forget(events: &mut HashMap<EventId, Waiting>, event: EventId) {
        let idle = |waiting: &Waiting| !waiting.alone && waiting.sending == 0 && waiting.asked.is_empty();
        if events.get(&event).is_some_and(idle) {
            events.remove(&event);
        }
    }
}

/// Until it is dropped, others wait.
#[derive(Debug)]
struct Alone<'a> {
    queue: &'a Queue,
    event: EventId,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        let mut events = self.queue.events();
        if let Some(waiting) = events.get_mut(&self.event) {
            waiting.alone = false;
        }
        Queue::forget(&mut events, self.event);
    }
}

/// The task that sends. If it ends before its time, with its runtime say, nobody waits for it.
struct Sending {
    store: RedisStore,
    event: EventId,
    /// Nobody waited any more.
    done: bool,
}

impl Drop for Sending {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut events = self.store.queue.events();
        let Some(waiting) = events.get_mut(&self.event) else { return };
        waiting.sending -= 1;
        for asked in std::mem::take(&mut waiting.asked) {
            asked.tell(Answer::Unsent);
        }
        Queue::forget(&mut events, self.event);
    }
}

impl Sending {
    async fn run(mut self) {
        loop {
            let next = self.store.queue.next(self.event);
            if next.is_empty() {
                self.done = true;
                return;
            }
            self.send(next).await;
            // Those who have been answered may ask again, and go together.
            tokio::task::yield_now().await;
        }
    }

    async fn send(&self, holds: Vec<Asked>) {
        let args = together::tell(self.store.args(), holds.iter().map(|asked| &asked.packed));
        let (source, became) = match self.store.run(&scripts::HOLD_TOGETHER, self.event, args).await {
            Ok(answer) => return Self::tell(holds, answer),
            Err(Failure::Lost(source)) => (source, Answer::Lost),
            Err(Failure::Refused(source)) => {
                (Arc::clone(&source), Answer::Refused(LockError::Backend { source }))
            }
        };
        // Whoever is behind them would wait as long again, to learn the same.
        for asked in self.store.queue.unsent(self.event) {
            asked.tell(Answer::Refused(LockError::Backend { source: Arc::clone(&source) }));
        }
        for asked in holds {
            asked.tell(became.clone());
        }
    }

    fn tell(holds: Vec<Asked>, answer: Value) {
        match together::read(answer, holds.len()) {
            Ok((now, answers)) => {
                for (asked, answer) in holds.into_iter().zip(answers) {
                    asked.tell(Answer::Told(now, answer));
                }
            }
            Err(all) => {
                for asked in holds {
                    asked.tell(Answer::Refused(all.clone()));
                }
            }
        }
    }
}

impl RedisStore {
    /// A usual hold: by itself if nobody else asks about the event, with the others otherwise.
    pub(super) async fn hold_in_turn(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        if let Some(_turn) = self.queue.alone(request.event) {
            return self.hold_alone(request).await;
        }
        let (asked, mut asking) = Asked::of(request);
        if self.queue.wait(request.event, asked) {
            tokio::spawn(Sending { store: self.clone(), event: request.event, done: false }.run());
        }
        let patience = self.options.connect_timeout.saturating_add(self.options.response_timeout);
        match self.queue.answer(&mut asking, patience).await {
            Answer::Told(now, answer) => match together::read_one(request, asking.id, now, &answer)? {
                Some(hold) => Ok(hold),
                None => self.hold_alone(request).await,
            },
            Answer::Unsent => self.hold_alone(request).await,
            Answer::Refused(error) => Err(error),
            Answer::Lost => Err(LockError::OutcomeUnknown { attempt: Some(request.attempt) }),
        }
    }
}
