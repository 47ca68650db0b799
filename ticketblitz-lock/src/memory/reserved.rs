//! The seats that are kept for channels.

use std::collections::HashMap;

use ticketblitz_core::SeatId;

use crate::types::{Channel, HoldRequest};

#[derive(Debug, Default)]
pub(super) struct Reserved {
    /// By name, their seats in order: as a status tells them.
    channels: Vec<Channel>,
    /// The place in `channels` that a seat belongs to.
    of: HashMap<SeatId, usize>,
}

impl Reserved {
    /// The seats of these channels; none has a seat that another has.
    pub(super) fn new(channels: &[Channel]) -> Self {
        let mut channels = channels.to_vec();
        channels.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let mut of = HashMap::new();
        for (at, channel) in channels.iter_mut().enumerate() {
            channel.seats.sort_unstable();
            of.extend(channel.seats.iter().map(|seat| (*seat, at)));
        }
        Self { channels, of }
    }

    pub(super) fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Whether a seat is kept from this request.
    pub(super) fn bars(&self, seat: SeatId, request: &HoldRequest) -> bool {
        let channel = self.of.get(&seat).and_then(|at| self.channels.get(*at));
        channel.is_some_and(|channel| !request.channels.contains(&channel.name))
    }
}
