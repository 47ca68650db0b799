//! What a store knows about a key, and what follows from it. Pure, so that every store decides alike.

use std::time::Duration;

use ticketblitz_core::Timestamp;

use super::{Claim, Finished};
use crate::{Error, Fingerprint, StoredResponse};

/// A key that somebody has claimed.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) sequence: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) leased_until: Timestamp,
    pub(super) kept_until: Timestamp,
    pub(super) response: Option<StoredResponse>,
}

impl Record {
    /// What a claim is answered without taking the key; `None` if it takes it.
    ///
    /// An abandoned key still stands for its request: whoever was executing may have done half of it, and what
    /// is run again must be the same.
    pub(super) fn answer(&self, fingerprint: &Fingerprint, now: Timestamp) -> Option<Claim> {
        if self.kept_until <= now {
            return None;
        }
        if self.fingerprint != *fingerprint {
            return Some(Claim::Mismatch);
        }
        match &self.response {
            Some(response) => Some(Claim::Replay(response.clone())),
            None if now < self.leased_until => {
                Some(Claim::InFlight { retry_after: self.leased_until.since(now) })
            }
            None => None,
        }
    }

    /// What a finish is answered that could not write.
    pub(super) fn late(self, fingerprint: &Fingerprint) -> Result<Finished, Error> {
        // A key that was released and taken again may stand for something else by now.
        let same = self.fingerprint == *fingerprint;
        self.response.filter(|_| same).map(Finished::Superseded).ok_or(Error::Superseded)
    }
}

/// Until when a lease that begins now lasts, and until when its key is remembered.
pub(super) fn spans(now: Timestamp, lease: Duration, retention: Duration) -> (Timestamp, Timestamp) {
    // The retention counts from the end of the lease, so that no key is forgotten while it is being executed.
    (now + lease, now + lease + retention)
}
