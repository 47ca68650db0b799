//! The events of a store, each behind its own lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ticketblitz_core::{EventId, Timestamp};

use super::event::Event;
use crate::types::Fence;

type Slot = Arc<Mutex<Event>>;

/// Read for every operation and written when an event is loaded or unloaded. The lock on the map is held for a
/// look-up only; what an operation does happens under the event's own lock. Who needs both takes the event's first.
#[derive(Debug, Default)]
pub(super) struct Events {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    loaded: HashMap<EventId, Slot>,
    /// Of those that were unloaded: a few bytes each, for as long as the store lives.
    left: HashMap<EventId, Left>,
}

/// What is left of an unloaded event: where its fences and versions go on. The time alone would not do: a floor may have
/// been ahead of the clock, and a clock may be set back.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Left {
    pub(super) fence: Fence,
    pub(super) version: u64,
}

impl Events {
    pub(super) fn find(&self, event: EventId) -> Option<Slot> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).loaded.get(&event).cloned()
    }

    pub(super) fn find_or_make(&self, event: EventId, now: impl FnOnce() -> Timestamp) -> Slot {
        if let Some(found) = self.find(event) {
            return found;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let Known { loaded, left } = &mut *known;
        let make = || {
            let left = left.get(&event).copied().unwrap_or_default();
            Arc::new(Mutex::new(Event::new(event, left, now())))
        };
        Arc::clone(loaded.entry(event).or_insert_with(make))
    }

    /// Forgets an event but for what is left of it. Its own lock is held until it is off the map, so that nobody gives
    /// out a fence that the next life of the event does not know of.
    pub(super) fn unload(&self, id: EventId) {
        let Some(slot) = self.find(id) else { return };
        let mut event = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if event.is_unloaded() {
            return;
        }
        let left = event.unload();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.loaded.remove(&id);
        known.left.insert(id, left);
    }

    pub(super) fn all(&self) -> Vec<Slot> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).loaded.values().cloned().collect()
    }
}
