//! What explains a difference between two stores: that the work which ends it is not done yet.

use std::collections::HashSet;
use std::fmt::Display;

use super::{Found, Invariant, Reading};

/// What is under way, by whom and of what. Beside a server it is done before a difference counts, so there it
/// explains nothing; on data that nobody runs it waits for the next start.
pub(super) struct Unfinished<'a> {
    idle: bool,
    sagas: HashSet<(&'a str, &'a str)>,
    messages: HashSet<(&'a str, &'a str, &'a str)>,
}

impl<'a> Unfinished<'a> {
    pub(super) fn of(reading: &'a Reading) -> Self {
        let sagas = reading.work.sagas.iter().filter(|saga| !saga.parked);
        let messages = reading.work.messages.iter().filter(|message| !message.dead);
        Self {
            idle: reading.live.is_empty(),
            sagas: sagas.map(|it| (it.name.as_str(), it.key.as_str())).collect(),
            messages: messages.map(|it| (it.consumer.as_str(), it.topic.as_str(), it.key.as_str())).collect(),
        }
    }

    /// The saga of this key goes on, beside a server or at the next start.
    pub(super) fn goes_on(&self, saga: &str, key: &impl Display) -> bool {
        self.sagas.contains(&(saga, key.to_string().as_str()))
    }

    /// The message is on its way, or comes at the next start.
    pub(super) fn comes(&self, consumer: &str, topic: &str, key: &impl Display) -> bool {
        self.messages.contains(&(consumer, topic, key.to_string().as_str()))
    }

    /// Nobody runs the data, and one of these sagas waits for somebody who does.
    pub(super) fn waits_in(&self, sagas: &[&str], key: &impl Display) -> bool {
        self.idle && sagas.iter().any(|saga| self.goes_on(saga, key))
    }

    /// Nobody runs the data, and the message waits for somebody who does.
    pub(super) fn waits_for(&self, consumer: &str, topic: &str, key: &impl Display) -> bool {
        self.idle && self.comes(consumer, topic, key)
    }
}

/// What goes on only when somebody has it go on. A saga that is parked owes something. A dead letter by itself may be
/// no more than what nobody can read: what it leaves undone is a difference, which it does not explain.
pub(super) fn needs_nobody(reading: &Reading, found: &mut Found) {
    let why = |error: &Option<String>| error.clone().unwrap_or_else(|| "nothing says why".to_owned());
    for saga in reading.work.sagas.iter().filter(|saga| saga.parked) {
        let (name, key, node) = (&saga.name, &saga.key, &saga.node);
        let error = why(&saga.error);
        found.add(Invariant::Waiting, format!("saga {name} of {key} is parked at {node} ({error})"));
    }
    for message in reading.work.messages.iter().filter(|message| message.dead) {
        let (topic, key, consumer) = (&message.topic, &message.key, &message.consumer);
        let error = why(&message.error);
        found.note(format!("a person is needed: {topic} of {key} is a dead letter of {consumer} ({error})"));
    }
}
