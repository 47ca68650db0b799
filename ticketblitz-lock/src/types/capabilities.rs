//! What a backend promises beyond the contract.

/// What a backend promises beyond the contract, for callers that choose or refuse one at start.
///
/// ```
/// use ticketblitz_lock::{Durability, MemoryStore, SeatStore};
/// assert_eq!(MemoryStore::default().capabilities().durability, Durability::Process);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// What holds survive.
    pub durability: Durability,
    /// Among which holds fences are ordered.
    pub fence_scope: FenceScope,
    /// The most seats, or units of an area, in one hold.
    pub max_units: u32,
}

impl Capabilities {
    /// States a backend's promises.
    #[must_use]
    pub const fn new(durability: Durability, fence_scope: FenceScope, max_units: u32) -> Self {
        Self { durability, fence_scope, max_units }
    }
}

/// What holds survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Durability {
    /// Lost with this process, and seen by no other.
    Process,
    /// Shared by processes; a crash or failover of the server may lose the last ones, or all.
    Server,
    /// Survives a crash and a power cut once answered.
    Disk,
}

/// Among which holds fences are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FenceScope {
    /// Among the holds of one seat: the least that the contract asks for.
    Seat,
    /// Among all the holds of an event.
    Event,
}
