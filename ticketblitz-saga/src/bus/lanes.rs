//! What a consumer has before it: one lane a key, so that order holds within a key and nobody waits for another
//! key's trouble. Pure: no async, no I/O, no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use ticketblitz_core::{Envelope, Timestamp};

/// A message of an outbox.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) seq: i64,
    pub(super) key: String,
    /// None: it cannot be read.
    pub(super) envelope: Option<Envelope>,
}

/// A message that is written down beside the position, because the position goes on without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blocked {
    pub(super) seq: i64,
    pub(super) key: String,
    pub(super) dead: bool,
    pub(super) failures: u32,
    pub(super) retry_at: Timestamp,
    pub(super) error: Option<String>,
}

#[derive(Debug, Default)]
struct Lane {
    messages: VecDeque<Message>,
    running: bool,
    /// Of the first message.
    failures: u32,
    retry_at: Option<Timestamp>,
    error: Option<String>,
}

/// All lanes of one consumer at one outbox.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<String, Lane>,
    /// Keys with a message that can be handled at once, in the order in which they came.
    ready: VecDeque<String>,
    /// Keys that wait for a moment.
    waiting: BTreeSet<(Timestamp, String)>,
    /// Keys that are dead, each from this message on.
    dead: HashMap<String, i64>,
    /// Messages in all lanes together.
    len: usize,
    /// Not done and not written down, with their keys: the position stays before the first of them.
    outstanding: BTreeMap<i64, String>,
    /// Done, but behind one that is outstanding: delivered again after a crash.
    ahead: BTreeSet<i64>,
    /// Written down, now or at the next writing.
    written: HashSet<i64>,
    /// Written down by an earlier run of the bus and not yet come past in the outbox.
    known: HashSet<i64>,
    blocked: BTreeMap<i64, Blocked>,
    done: Vec<i64>,
}

impl Lanes {
    /// What an earlier run of the bus left: keys that are dead, each from this message on, and the messages behind
    /// the position that are written down. The outbox brings the latter once more; they are taken from where they are
    /// written.
    pub(super) fn resumed(dead: Vec<(String, i64)>, known: Vec<i64>) -> Self {
        Self { dead: dead.into_iter().collect(), known: known.into_iter().collect(), ..Self::default() }
    }

    /// Messages that are not done.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Those of them that do not wait for a failed one.
    pub(super) fn moving(&self) -> usize {
        self.outstanding.len()
    }

    /// The next message, new from the outbox.
    pub(super) fn push(&mut self, message: Message) {
        if self.known.remove(&message.seq) {
            return;
        }
        // What came before the dead letter was handled before that died, but for the position, which lags: not dead.
        if self.dead.get(&message.key).is_some_and(|first| *first < message.seq) {
            let error = Some("behind a dead letter of its key".to_owned());
            return self.bury(&message, 0, error);
        }
        self.outstanding.insert(message.seq, message.key.clone());
        self.enqueue(message, None);
    }

    /// A message that was written down before; `due` if it has to wait.
    pub(super) fn restore(&mut self, message: Message, failures: u32, due: Option<Timestamp>) {
        self.written.insert(message.seq);
        let key = message.key.clone();
        self.enqueue(message, due);
        if let Some(lane) = self.lanes.get_mut(&key).filter(|lane| lane.messages.len() == 1) {
            lane.failures = failures;
        }
    }

    /// A dead letter that comes to life. Seen twice before it is struck, it is taken once.
    pub(super) fn replay(&mut self, message: Message, now: Timestamp) {
        if !self.written.contains(&message.seq) && !self.done.contains(&message.seq) {
            self.dead.remove(&message.key);
            // In a lane that waits for now: what comes behind it is written down like it.
            self.restore(message, 0, Some(now));
        }
    }

    fn enqueue(&mut self, message: Message, due: Option<Timestamp>) {
        let key = message.key.clone();
        let seq = message.seq;
        let lane = self.lanes.entry(key.clone()).or_default();
        lane.messages.push_back(message);
        self.len += 1;
        if lane.messages.len() == 1 {
            lane.retry_at = due;
            match due {
                Some(due) => drop(self.waiting.insert((due, key))),
                None => self.ready.push_back(key),
            }
        } else if let Some(retry_at) = lane.retry_at {
            // Behind one that failed.
            let error = lane.error.clone();
            self.write_down(Blocked { seq, key, dead: false, failures: 0, retry_at, error });
        }
    }

    /// A message to handle now. Its key rests until [`Self::done`] or [`Self::failed`].
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Message> {
        while let Some((due, key)) = self.waiting.first().cloned().filter(|(due, _)| *due <= now) {
            self.waiting.remove(&(due, key.clone()));
            self.ready.push_back(key);
        }
        let lane = self.lanes.get_mut(&self.ready.pop_front()?)?;
        lane.running = true;
        lane.messages.front().cloned()
    }

    /// Everybody who waits is due at `now`: the moments were of a clock that was ahead.
    pub(super) fn hurry(&mut self, now: Timestamp) {
        for (_, key) in std::mem::take(&mut self.waiting) {
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.retry_at = Some(now);
            }
            self.waiting.insert((now, key));
        }
    }

    /// When the next key that waits is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(due, _)| *due)
    }

    pub(super) fn done(&mut self, key: &str) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        if let Some(message) = lane.messages.pop_front() {
            self.len -= 1;
            self.blocked.remove(&message.seq);
            if self.written.remove(&message.seq) {
                self.done.push(message.seq);
            } else {
                self.outstanding.remove(&message.seq);
                if self.outstanding.first_key_value().is_some_and(|(first, _)| *first < message.seq) {
                    self.ahead.insert(message.seq);
                }
            }
        }
        *lane = Lane { messages: std::mem::take(&mut lane.messages), ..Lane::default() };
        if lane.messages.is_empty() {
            self.lanes.remove(key);
        } else {
            self.ready.push_back(key.to_owned());
        }
    }

    /// The first message of the key failed: it waits, and what is behind it too.
    pub(super) fn failed(&mut self, key: &str, error: String, retry_at: Timestamp) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        lane.running = false;
        lane.failures = lane.failures.saturating_add(1);
        lane.retry_at = Some(retry_at);
        lane.error = Some(error);
        self.waiting.insert((retry_at, key.to_owned()));
        let (failures, error) = (lane.failures, lane.error.clone());
        let seqs: Vec<i64> = lane.messages.iter().map(|message| message.seq).collect();
        for (at, seq) in seqs.into_iter().enumerate() {
            // What was behind at the failure before is written down already.
            if at == 0 || !self.written.contains(&seq) {
                let failures = if at == 0 { failures } else { 0 };
                let (key, error) = (key.to_owned(), error.clone());
                self.write_down(Blocked { seq, key, dead: false, failures, retry_at, error });
            }
        }
    }

    pub(super) fn failures(&self, key: &str) -> u32 {
        self.lanes.get(key).map_or(0, |lane| lane.failures)
    }

    /// The first message of the key is dead, and what is behind it goes with it.
    pub(super) fn died(&mut self, key: &str, error: &str) {
        let Some(lane) = self.lanes.remove(key) else { return };
        self.len -= lane.messages.len();
        if let Some(first) = lane.messages.front() {
            self.dead.insert(key.to_owned(), first.seq);
        }
        for message in lane.messages {
            self.bury(&message, lane.failures, Some(error.to_owned()));
        }
    }

    fn bury(&mut self, message: &Message, failures: u32, error: Option<String>) {
        self.outstanding.remove(&message.seq);
        self.written.remove(&message.seq);
        let Message { seq, key, .. } = message.clone();
        self.blocked
            .insert(seq, Blocked { seq, key, dead: true, failures, retry_at: Timestamp::EPOCH, error });
    }

    fn write_down(&mut self, row: Blocked) {
        self.outstanding.remove(&row.seq);
        self.written.insert(row.seq);
        self.blocked.insert(row.seq, row);
    }

    /// The position when everything up to `read` has been pushed: nothing at or below it is neither done nor
    /// written down.
    pub(super) fn position(&self, read: i64) -> i64 {
        self.outstanding.first_key_value().map_or(read, |(first, _)| first - 1)
    }

    /// Writes down what keeps the position back, so that no more than `most` are done and yet behind it: while a
    /// handler takes its time they would be ever more.
    pub(super) fn keep_up(&mut self, most: usize) {
        if let Some(&passed) = self.ahead.iter().nth_back(most) {
            while let Some(first) = self.outstanding.first_entry().filter(|first| *first.key() < passed) {
                let (seq, key) = first.remove_entry();
                // Due at once when it is read back; until then its lane knows better.
                let retry_at = Timestamp::EPOCH;
                self.write_down(Blocked { seq, key, dead: false, failures: 0, retry_at, error: None });
            }
        }
        let first = self.outstanding.first_key_value().map_or(i64::MAX, |(first, _)| *first);
        self.ahead = self.ahead.split_off(&first);
    }

    /// What is to be written since the last call: messages to write down, and those to strike.
    pub(super) fn take_changes(&mut self) -> (Vec<Blocked>, Vec<i64>) {
        (std::mem::take(&mut self.blocked).into_values().collect(), std::mem::take(&mut self.done))
    }

    pub(super) fn restore_changes(&mut self, blocked: Vec<Blocked>, mut done: Vec<i64>) {
        for row in blocked {
            if row.dead || self.written.contains(&row.seq) {
                self.blocked.entry(row.seq).or_insert(row);
            }
        }
        self.done.append(&mut done);
    }
}

#[cfg(test)]
mod tests;
