//! The events of a store, each behind its own lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ticketblitz_core::{EventId, Timestamp};

use super::event::Event;

type Slot = Arc<Mutex<Event>>;

/// Read for every operation and written when an event is loaded or unloaded. The lock on the map is held for a
/// look-up only; what an operation does happens under the event's own lock.
#[derive(Debug, Default)]
pub(super) struct Events {
    by_id: RwLock<HashMap<EventId, Slot>>,
}

impl Events {
    pub(super) fn find(&self, event: EventId) -> Option<Slot> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(&event).cloned()
    }

    pub(super) fn find_or_make(&self, event: EventId, now: impl FnOnce() -> Timestamp) -> Slot {
        if let Some(found) = self.find(event) {
            return found;
        }
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(by_id.entry(event).or_insert_with(|| Arc::new(Mutex::new(Event::new(event, now())))))
    }

    pub(super) fn remove(&self, event: EventId) -> Option<Slot> {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).remove(&event)
    }

    pub(super) fn all(&self) -> Vec<Slot> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
