//! What the scripts are told, and how their answers are read.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::ops::Range;
use std::time::Duration;

use ticketblitz_core::{EventId, SeatId, Timestamp};

use super::driver::Value;
use crate::error::{AreaConflict, Conflicts, LockError, SeatConflict};
use crate::types::{Channel, Fence, Hold, HoldRef, HoldState, Owner, SeatState, Want};

/// An answer that no script of this version gives: somebody else writes under the same prefix.
#[derive(Debug, thiserror::Error)]
#[error("the Redis server's answer is not one of this library's: {0}")]
struct Unreadable(String);

pub(super) fn unreadable(what: impl std::fmt::Debug) -> LockError {
    LockError::backend(Unreadable(format!("{what:?}")))
}

/// The arguments of a script, one after the other in one piece.
#[derive(Debug, Default)]
pub(super) struct Args {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Args {
    pub(super) fn with_capacity(count: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(count) }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }

    pub(super) fn part(mut self, part: &[u8]) -> Self {
        self.bytes.extend_from_slice(part);
        self.ends.push(self.bytes.len());
        self
    }

    /// Some of another's.
    pub(super) fn some_of(mut self, other: &Self, places: Range<usize>) -> Self {
        let place =
            |at: usize| at.checked_sub(1).and_then(|at| other.ends.get(at)).copied().unwrap_or_default();
        let (start, before) = (place(places.start), self.bytes.len());
        self.bytes.extend_from_slice(other.bytes.get(start..place(places.end)).unwrap_or_default());
        self.ends.extend(places.filter_map(|at| other.ends.get(at)).map(|end| end - start + before));
        self
    }

    pub(super) fn text(self, text: impl AsRef<str>) -> Self {
        self.part(text.as_ref().as_bytes())
    }

    /// As it is shown.
    pub(super) fn shown(mut self, what: impl fmt::Display) -> Self {
        let _infallible = write!(self.bytes, "{what}");
        self.ends.push(self.bytes.len());
        self
    }

    pub(super) fn number(self, number: impl fmt::Display) -> Self {
        self.shown(number)
    }

    pub(super) fn id(self, id: Option<impl fmt::Display>) -> Self {
        match id {
            Some(id) => self.shown(id),
            None => self.text(""),
        }
    }

    pub(super) fn micros(self, duration: Duration) -> Self {
        self.number(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }

    /// Twenty digits, so that fences are compared as text.
    pub(super) fn fence(self, fence: Fence) -> Self {
        self.shown(format_args!("{:020}", fence.as_u64()))
    }

    pub(super) fn want(self, want: &Want) -> Self {
        match want {
            Want::Seats(seats) => self.text(joined(seats)),
            Want::Area { section, quantity } => self.shown(format_args!("#{quantity}:{section}")),
        }
    }

    pub(super) fn channels(self, channels: &[Channel]) -> Self {
        let mut kept = String::new();
        for Channel { name, seats } in channels {
            let seats = joined(seats);
            kept.push_str(&format!("{}:{name}{}:{seats}", name.len(), seats.len()));
        }
        self.text(kept)
    }
}

pub(super) fn joined(seats: &[SeatId]) -> String {
    let mut text = String::with_capacity(8 * seats.len());
    for (at, seat) in seats.iter().enumerate() {
        let _infallible = write!(text, "{}{seat}", if at == 0 { "" } else { " " });
    }
    text
}

/// The text of a value of the server's.
pub(super) fn text(value: &Value) -> Result<&str, LockError> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).map_err(|_| unreadable(value)),
        Value::SimpleString(text) => Ok(text),
        _ => Err(unreadable(value)),
    }
}

pub(super) fn list(value: Value) -> Result<Vec<Value>, LockError> {
    match value {
        Value::Array(parts) => Ok(parts),
        other => Err(unreadable(other)),
    }
}

fn number<T: std::str::FromStr>(value: &Value) -> Result<T, LockError> {
    text(value)?.parse().map_err(|_| unreadable(value))
}

pub(super) fn moment(value: &Value) -> Result<Timestamp, LockError> {
    Ok(Timestamp::from_micros(number(value)?))
}

/// Whether a script has stopped, with something done and without an answer, so that others come to their turn.
pub(super) fn is_more(answer: &Value) -> bool {
    matches!(answer, Value::Array(parts) if matches!(&parts[..], [word] if text(word).is_ok_and(|word| word == "MORE")))
}

/// What an operation that answers a hold answered.
pub(super) fn hold(event: EventId, answer: Value, limit: u32) -> Result<Hold, LockError> {
    let parts = list(answer)?;
    match &parts[..] {
        [kind, now, rest @ ..] if text(kind)? == "HOLD" => read_hold(event, rest, Some(moment(now)?)),
        _ => Err(refusal(&parts, limit)),
    }
}

/// What one that answers nothing answered.
pub(super) fn done(answer: Value) -> Result<(), LockError> {
    let parts = list(answer)?;
    match &parts[..] {
        [kind] if text(kind)? == "DONE" => Ok(()),
        _ => Err(refusal(&parts, 0)),
    }
}

/// A hold from its parts: as it lapsed, if there is no `now`.
pub(super) fn read_hold(event: EventId, parts: &[Value], now: Option<Timestamp>) -> Result<Hold, LockError> {
    let [id, phase, until, fence, ceiling, owner, want] = parts else { return Err(unreadable(parts)) };
    let reference = HoldRef { event, hold: text(id)?.parse().map_err(|_| unreadable(id))? };
    let (until, owner) = (moment(until)?, Owner::from(text(owner)?));
    let hold = Hold::new(
        reference,
        owner,
        read_want(text(want)?)?,
        Fence::new(number(fence)?),
        until,
        now.unwrap_or(until),
    );
    let state = match text(phase)? {
        "H" => HoldState::Held,
        "P" => HoldState::Paying,
        _ => return Err(unreadable(phase)),
    };
    Ok(hold.with_state(state).with_ceiling(moment(ceiling)?))
}

fn read_want(want: &str) -> Result<Want, LockError> {
    let Some(area) = want.strip_prefix('#') else { return read_seats(want).map(Want::Seats) };
    let (quantity, section) = area.split_once(':').ok_or_else(|| unreadable(want))?;
    let quantity = quantity.parse().map_err(|_| unreadable(want))?;
    Ok(Want::Area { section: section.to_owned(), quantity })
}

fn read_seats(seats: &str) -> Result<Vec<SeatId>, LockError> {
    seats.split_ascii_whitespace().map(|seat| seat.parse().map_err(|_| unreadable(seat))).collect()
}

pub(super) fn read_channels(mut kept: &str) -> Result<Vec<Channel>, LockError> {
    let mut part = || {
        let (length, rest) = kept.split_once(':')?;
        let (part, rest) = rest.split_at_checked(length.parse().ok()?)?;
        kept = rest;
        Some(part)
    };
    let mut channels = Vec::new();
    while let Some(name) = part() {
        let seats = part().ok_or_else(|| unreadable(name))?;
        channels.push(Channel::new(name, read_seats(seats)?));
    }
    Ok(channels)
}

pub(super) fn seat_state(letter: &str) -> Result<SeatState, LockError> {
    match letter {
        "H" => Ok(SeatState::Held),
        "P" => Ok(SeatState::Paying),
        "S" => Ok(SeatState::Sold),
        "R" => Ok(SeatState::Reserved),
        _ => Err(unreadable(letter)),
    }
}

/// Why nothing was done. `limit` is the request's.
pub(super) fn refusal(parts: &[Value], limit: u32) -> LockError {
    read_refusal(parts, limit).unwrap_or_else(|unreadable| unreadable)
}

fn read_refusal(parts: &[Value], limit: u32) -> Result<LockError, LockError> {
    let (kind, rest) = parts.split_first().ok_or_else(|| unreadable(parts))?;
    Ok(match (text(kind)?, rest) {
        ("NOTLOADED", []) => LockError::NotLoaded,
        ("NOTHELD", []) => LockError::NotHeld,
        ("INPAYMENT", []) => LockError::InPayment,
        ("REUSED", []) => LockError::AttemptReused,
        ("ATTEMPTLAPSED", []) => LockError::AttemptLapsed,
        ("NOTITSFENCE", []) => LockError::invalid("the hold never had this fence"),
        ("NOAREA", [section]) => LockError::Invalid(format!("the event has no area {}", text(section)?)),
        ("CEILING", [at]) => LockError::CeilingReached { ceiling_at: moment(at)? },
        ("LIMIT", [taken]) => LockError::LimitExceeded { limit, taken: number(taken)? },
        ("STALE", [seen]) => LockError::StaleFence { seen: Fence::new(number(seen)?) },
        ("UNAVAILABLE", conflicts) => LockError::Unavailable(read_conflicts(conflicts)?),
        _ => unreadable(parts),
    })
}

fn read_conflicts(parts: &[Value]) -> Result<Conflicts, LockError> {
    let mut conflicts = Conflicts::default();
    for conflict in parts.chunks(4) {
        let [kind, name, one, two] = conflict else { return Err(unreadable(conflict)) };
        if text(kind)? == "A" {
            conflicts.areas.push(AreaConflict::new(text(name)?, number(one)?, number(two)?));
            continue;
        }
        let left = match text(one)? {
            "" => None,
            micros => Some(Duration::from_micros(micros.parse().map_err(|_| unreadable(one))?)),
        };
        let seat = text(name)?.parse().map_err(|_| unreadable(name))?;
        conflicts.seats.push(SeatConflict::new(seat, seat_state(text(kind)?)?, left));
    }
    Ok(conflicts)
}
