//! The expiry stream: the last holds that lapsed, numbered.

use std::collections::VecDeque;

use ticketblitz_core::Timestamp;

use crate::error::LockError;
use crate::types::{Cursor, Expired, Hold};

/// How many lapsed holds are remembered.
const KEEP: usize = 65_536;

#[derive(Debug)]
pub(super) struct Expiries {
    /// The number of the first of `kept`.
    first: u64,
    kept: VecDeque<Hold>,
}

impl Expiries {
    /// Numbers start at the time, so that a cursor from an earlier life of the process is seen to be old instead
    /// of being taken for a place in this one's stream.
    pub(super) fn starting_at(now: Timestamp) -> Self {
        Self { first: u64::try_from(now.as_micros()).unwrap_or_default().max(1), kept: VecDeque::new() }
    }

    pub(super) fn append(&mut self, lapsed: Vec<Hold>) {
        self.kept.extend(lapsed);
        let excess = self.kept.len().saturating_sub(KEEP);
        self.kept.drain(..excess);
        self.first += excess as u64;
    }

    /// A cursor is the number of the last hold seen.
    pub(super) fn after(&self, cursor: &Cursor, limit: usize) -> Result<Expired, LockError> {
        let end = self.first + self.kept.len() as u64;
        let (from, missed) = match cursor.as_str() {
            "" => (self.first, false),
            text => {
                let seen: u64 = text.parse().map_err(|_| LockError::invalid("not a cursor of this store"))?;
                let wanted = seen.saturating_add(1);
                if (self.first..=end).contains(&wanted) { (wanted, false) } else { (self.first, true) }
            }
        };
        let skip = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let holds: Vec<Hold> = self.kept.iter().skip(skip).take(limit).cloned().collect();
        let next = match holds.len() as u64 {
            0 if missed => Cursor::from_text((from - 1).to_string()),
            0 => cursor.clone(),
            found => Cursor::from_text((from + found - 1).to_string()),
        };
        Ok(Expired::new(holds, next, missed))
    }
}
