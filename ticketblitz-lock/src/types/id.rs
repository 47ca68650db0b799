//! The ids of holds and attempts.

use ticketblitz_core::EventId;
use ticketblitz_core::id::Uuid;

ticketblitz_core::ids! {
    /// A hold. A backend makes it with [`HoldId::in_event`].
    HoldId;
    /// One attempt to get a hold: all the repeats of it, after a lost answer say, bear the same id and get the
    /// same hold.
    AttemptId;
}

impl HoldId {
    /// A new id, with the machine's time for its order, that carries its event's [tag](EventTag) in its low 32 bits, so that whoever is handed a bare
    /// hold id finds the event without an index.
    ///
    /// ```
    /// use ticketblitz_core::EventId;
    /// use ticketblitz_lock::{EventTag, HoldId};
    /// let event = EventId::new();
    /// assert_eq!(HoldId::in_event(event).event_tag(), EventTag::of(event));
    /// ```
    #[must_use]
    pub fn in_event(event: EventId) -> Self {
        let mut bytes = Uuid::now_v7().into_bytes();
        bytes[12..].copy_from_slice(&EventTag::of(event).0.to_be_bytes());
        Self::from_uuid(Uuid::from_bytes(bytes))
    }

    /// The tag of the event that the hold was made in.
    #[must_use]
    pub const fn event_tag(&self) -> EventTag {
        EventTag::last_word(self.as_uuid())
    }
}

/// 32 bits of an event's id. Two events may share one: it narrows a search and decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTag(u32);

impl EventTag {
    /// The event's tag: the last 32 bits of its id, which are random in a UUIDv7. Stored ids rely on it.
    #[must_use]
    pub const fn of(event: EventId) -> Self {
        Self::last_word(event.as_uuid())
    }

    /// The tag as a number, to index events by.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    const fn last_word(uuid: Uuid) -> Self {
        let bytes = uuid.into_bytes();
        Self(u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_of_one_event_are_unique_sorted_version_7() {
        let event = EventId::new();
        let ids: Vec<HoldId> = (0..10_000).map(|_| HoldId::in_event(event)).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| id.as_uuid().get_version_num() == 7));
    }
}
