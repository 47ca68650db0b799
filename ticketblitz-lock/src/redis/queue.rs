//! Who waits for an event while the server is asked about it.
//!
//! Whoever finds nobody before them is sent at once and by themselves. While that is under way, those who come next are
//! sent together by a task of their own, one call at a time; who comes during such a call goes with the next. Nobody waits
//! for a timer, and nobody waits for another caller to be polled: the task is nobody's.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ticketblitz_core::{EventId, Timestamp};
use tokio::sync::oneshot;

use super::driver::Value;
use super::link::Failure;
use super::together::{self, MOST_HOLDS, MOST_SEATS, Packed};
use super::{RedisStore, scripts};
use crate::error::LockError;
use crate::types::{Hold, HoldRequest};

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
            next.push(first);
        }
        // Any one of them fits in: nobody is left.
        if next.is_empty() {
            waiting.sending -= 1;
            Self::forget(&mut events, event);
        }
        next
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
            // Whoever has gone away needs no answer.
            let _gone = asked.answer.send(Answer::Unsent);
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
        let answer = self.store.run(&scripts::HOLD_TOGETHER, self.event, args).await;
        let read = match answer {
            Ok(answer) => together::read(answer, holds.len()).map_err(Answer::Refused),
            Err(Failure::Lost(_)) => Err(Answer::Lost),
            Err(refused) => Err(Answer::Refused(refused.of_change())),
        };
        match read {
            Ok((now, answers)) => {
                for (asked, answer) in holds.into_iter().zip(answers) {
                    let _gone = asked.answer.send(Answer::Told(now, answer));
                }
            }
            Err(all) => {
                for asked in holds {
                    let _gone = asked.answer.send(all.clone());
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
        let (answer, answered) = oneshot::channel();
        let packed = Packed::of(request);
        let id = packed.id;
        if self.queue.wait(request.event, Asked { packed, answer }) {
            tokio::spawn(Sending { store: self.clone(), event: request.event, done: false }.run());
        }
        // A task that ends during a call leaves nobody an answer.
        match answered.await.unwrap_or(Answer::Lost) {
            Answer::Told(now, answer) => match together::read_one(request, id, now, &answer)? {
                Some(hold) => Ok(hold),
                None => self.hold_alone(request).await,
            },
            Answer::Unsent => self.hold_alone(request).await,
            Answer::Refused(error) => Err(error),
            Answer::Lost => Err(LockError::OutcomeUnknown { attempt: Some(request.attempt) }),
        }
    }
}
