//! Holds that go to the server in one script call.

use std::collections::HashSet;
use std::time::Duration;

use ticketblitz_core::{EventId, Timestamp};
use tokio::time::Instant;

use super::driver::Value;
use super::link::Failure;
use super::wire::{self, Args};
use super::{RedisStore, scripts};
use crate::error::{Conflicts, LockError, SeatConflict};
use crate::queue::{Failed, Queue, Together};
use crate::types::{Fence, Hold, HoldId, HoldRef, HoldRequest, SeatState};

/// No hold ends later, here and in the scripts.
const LATEST: i64 = 253_402_207_199_999_999;

impl Together for RedisStore {
    const MAKES_HOLDS: bool = true;
    type Asked = Packed;
    /// The hold's id, the time and the answer; or the refusal of all.
    type Told = Result<(HoldId, Timestamp, Value), LockError>;

    fn queue(&self) -> &Queue<Self> {
        &self.queue
    }

    fn patience(&self) -> Duration {
        self.options.connect_timeout.saturating_add(self.options.response_timeout)
    }

    fn pack(request: &HoldRequest) -> Packed {
        Packed::of(request)
    }

    async fn send(&self, event: EventId, holds: Vec<Packed>) -> Result<Vec<Self::Told>, Failed> {
        let args = tell(self.args(), holds.iter());
        match self.run(&scripts::HOLD_TOGETHER, event, args).await {
            Ok(answer) => Ok(match read(answer, holds.len()) {
                Ok((now, answers)) => {
                    holds.iter().zip(answers).map(|(hold, answer)| Ok((hold.id, now, answer))).collect()
                }
                Err(all) => vec![Err(all); holds.len()],
            }),
            Err(Failure::Lost(source)) => Err(Failed { error: LockError::Backend { source }, lost: true }),
            Err(Failure::Refused(source)) => {
                Err(Failed { error: LockError::Backend { source }, lost: false })
            }
        }
    }

    fn read(request: &HoldRequest, told: Self::Told) -> Result<Option<Hold>, LockError> {
        let (id, now, answer) = told?;
        read_one(request, id, now, &answer)
    }

    /// Each call has its own time.
    async fn by_itself(&self, request: &HoldRequest, _began: Instant) -> Result<Hold, LockError> {
        self.hold_alone(request).await
    }
}

/// A request as the script is told it: packed by whoever asks, not by the task that sends it.
#[derive(Debug)]
pub(crate) struct Packed {
    id: HoldId,
    seats: usize,
    /// The seats, the attempt and the owner, the rest.
    args: Args,
}

impl Packed {
    fn of(request: &HoldRequest) -> Self {
        let (id, seats, owner) = (HoldId::in_event(request.event), request.want.seats(), &request.owner);
        let (attempt, want) = (request.attempt.to_string(), wire::joined(seats));
        let args = Args::with_capacity(seats.len() + 8, 256 + 2 * (want.len() + owner.as_str().len()));
        let args = seats.iter().fold(args, |args, seat| args.shown(format_args!("s{seat}")));
        let args = args.shown(format_args!("a{attempt}")).shown(format_args!("o{owner}"));
        let args = args.number(seats.len()).id(request.limit).shown(format_args!("h{id}"));
        let args = args.micros(request.ttl).micros(request.ceiling);
        let args = args.part(&end_of_record(owner.as_str(), &want, &attempt));
        Self { id, seats: seats.len(), args }
    }
}

/// The last five parts of a record as `cmsgpack` packs them: no booking, the owner, what is wanted, one candidate, the
/// attempt.
fn end_of_record(owner: &str, want: &str, attempt: &str) -> Vec<u8> {
    let mut packed = Vec::with_capacity(owner.len() + want.len() + attempt.len() + 17);
    for text in ["", owner, want, "", attempt] {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
        match length {
            [0, 0, 0, short @ ..=31] => packed.push(0xa0 | short),
            [0, 0, 0, byte] => packed.extend([0xd9, byte]),
            [0, 0, high, low] => packed.extend([0xda, high, low]),
            [..] => {
                packed.push(0xdb);
                packed.extend(length);
            }
        }
        packed.extend(text.as_bytes());
    }
    packed
}

/// All of them as the script's arguments.
fn tell<'a>(args: Args, holds: impl Iterator<Item = &'a Packed> + Clone) -> Args {
    let (each, seats) = (holds.clone(), holds.clone().map(|hold| hold.seats).sum());
    let args = args.number(each.clone().count()).number(seats);
    let args = each.clone().fold(args, |args, hold| args.some_of(&hold.args, 0..hold.seats));
    let args = each.clone().fold(args, |args, hold| args.some_of(&hold.args, hold.seats..hold.seats + 2));
    let args = each.fold(args, |args, hold| args.some_of(&hold.args, hold.seats + 2..hold.args.len()));

    let mut distinct = HashSet::with_capacity(seats);
    let mut wanted = holds.flat_map(|hold| hold.args.iter().take(hold.seats));
    args.text(if wanted.all(|seat| distinct.insert(seat)) { "" } else { "1" })
}

/// The time and the answer to each, or the refusal of all.
fn read(answer: Value, count: usize) -> Result<(Timestamp, Vec<Value>), LockError> {
    let mut parts = wire::list(answer)?.into_iter();
    match parts.next() {
        Some(Value::Int(now)) if parts.len() == count => Ok((Timestamp::from_micros(now), parts.collect())),
        first => Err(wire::refusal(&first.into_iter().chain(parts).collect::<Vec<_>>(), 0)),
    }
}

/// The answer to one of them; none if it has to be sent by itself.
fn read_one(
    request: &HoldRequest,
    id: HoldId,
    now: Timestamp,
    answer: &Value,
) -> Result<Option<Hold>, LockError> {
    match answer {
        Value::Int(0) => Ok(None),
        Value::Int(fence) => {
            let fence = Fence::new(u64::try_from(*fence).map_err(|_| wire::unreadable(answer))?);
            let reference = HoldRef { event: request.event, hold: id };
            let (owner, want) = (request.owner.clone(), request.want.clone());
            let hold = Hold::new(reference, owner, want, fence, after(now, request.ttl), now);
            Ok(Some(hold.with_ceiling(after(now, request.ceiling))))
        }
        Value::Array(conflicts) => Err(LockError::Unavailable(read_conflicts(request, conflicts)?)),
        _ => Err(wire::unreadable(answer)),
    }
}

/// As the script reckons it.
fn after(now: Timestamp, duration: Duration) -> Timestamp {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_add(micros).min(LATEST))
}

fn read_conflicts(request: &HoldRequest, parts: &[Value]) -> Result<Conflicts, LockError> {
    let conflicts = parts.chunks(3).map(|conflict| {
        let [Value::Int(place), Value::Int(letter), Value::Int(left)] = conflict else {
            return Err(wire::unreadable(conflict));
        };
        let seat = usize::try_from(*place).ok().and_then(|place| request.want.seats().get(place));
        let seat = *seat.ok_or_else(|| wire::unreadable(conflict))?;
        let left = u64::try_from(*left).ok().map(Duration::from_micros);
        Ok(SeatConflict::new(seat, state_of(*letter)?, left))
    });
    Ok(Conflicts::of_seats(conflicts.collect::<Result<_, _>>()?))
}

/// A letter is its number.
fn state_of(letter: i64) -> Result<SeatState, LockError> {
    let letter = u32::try_from(letter).ok().and_then(char::from_u32).unwrap_or_default();
    wire::seat_state(letter.encode_utf8(&mut [0; 4]))
}
