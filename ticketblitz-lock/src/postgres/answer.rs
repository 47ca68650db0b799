//! What the functions answer.

use std::collections::HashSet;

use sqlx::error::BoxDynError;
use sqlx::postgres::types::PgRecordDecoder;
use sqlx::postgres::{PgRow, PgValueRef, Postgres};
use sqlx::{Decode, Row};
use ticketblitz_core::id::Uuid;
use ticketblitz_core::{EventId, SeatId, Timestamp};

use crate::error::{AreaConflict, Conflicts, LockError, SeatConflict};
use crate::types::{Fence, Hold, HoldId, HoldRef, HoldRequest, HoldState, Owner, SeatState, Want};

/// The type `answer` of the schema.
#[derive(Debug)]
pub(super) struct Answer {
    code: String,
    hold: Option<HoldRow>,
    seen: Option<Fence>,
    ceiling: Option<i64>,
    taken: Option<i64>,
    section: Option<String>,
    conflicts: Conflicts,
}

/// A hold as it stands in a row, and the time at which it was read.
#[derive(Debug)]
pub(super) struct HoldRow {
    pub(super) id: Uuid,
    pub(super) owner: String,
    pub(super) want: Want,
    pub(super) fence: Fence,
    pub(super) paying: bool,
    pub(super) until: i64,
    pub(super) ceiling: i64,
    pub(super) moment: i64,
}

impl HoldRow {
    /// Reads the columns that a hold has in every answer.
    pub(super) fn read(row: &PgRow, moment: i64) -> Result<Self, sqlx::Error> {
        let (section, quantity) = (row.try_get("section")?, row.try_get("quantity")?);
        let want = want(section, quantity, &row.try_get::<Vec<String>, _>("seats")?)?;
        Ok(Self {
            id: row.try_get("hold")?,
            owner: row.try_get("owner")?,
            want,
            fence: fence(&row.try_get::<String, _>("fence")?)?,
            paying: row.try_get("paying")?,
            until: row.try_get("until")?,
            ceiling: row.try_get("ceiling")?,
            moment,
        })
    }

    pub(super) fn into_hold(self, event: EventId) -> Hold {
        let reference = HoldRef { event, hold: HoldId::from_uuid(self.id) };
        let (until, moment) = (Timestamp::from_micros(self.until), Timestamp::from_micros(self.moment));
        Hold::new(reference, Owner::from(self.owner), self.want, self.fence, until, moment)
            .with_state(if self.paying { HoldState::Paying } else { HoldState::Held })
            .with_ceiling(Timestamp::from_micros(self.ceiling))
    }
}

/// In the order of the type's fields. It is one column: the server needs less time for it than for a column a field.
impl Decode<'_, Postgres> for Answer {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let mut fields = PgRecordDecoder::new(value)?;
        let code: String = fields.try_decode()?;
        let (id, owner) = (fields.try_decode()?, fields.try_decode()?);
        let (names, section): (Option<Vec<String>>, Option<String>) =
            (fields.try_decode()?, fields.try_decode()?);
        let quantity: Option<i64> = fields.try_decode()?;
        let seen: Option<String> = fields.try_decode()?;
        let seen = seen.map(|text| fence(&text)).transpose()?;
        let (paying, until) = (fields.try_decode()?, fields.try_decode()?);
        let ceiling: Option<i64> = fields.try_decode()?;
        let moment: i64 = fields.try_decode()?;
        let taken = fields.try_decode()?;
        let conflicts =
            if code == "unavailable" { conflicts(&mut fields, moment)? } else { Conflicts::default() };
        let hold = match (id, owner, seen, paying, until, ceiling) {
            (Some(id), Some(owner), Some(fence), Some(paying), Some(until), Some(ceiling)) => {
                let want = want(section.clone(), quantity.unwrap_or_default(), &names.unwrap_or_default())?;
                Some(HoldRow { id, owner, want, fence, paying, until, ceiling, moment })
            }
            _ => None,
        };
        Ok(Self { code, hold, seen, ceiling, taken, section, conflicts })
    }
}

fn want(section: Option<String>, quantity: i64, names: &[String]) -> Result<Want, sqlx::Error> {
    Ok(match section {
        Some(section) => Want::Area { section, quantity: units(quantity) },
        None => Want::Seats(seats(names)?),
    })
}

impl Answer {
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        row.try_get_unchecked(0) // whatever its column is called
    }

    /// The answer to an operation that has none but that it is done.
    pub(super) fn done(self) -> Result<(), LockError> {
        if self.code == "ok" { Ok(()) } else { Err(self.refusal(0)) }
    }

    pub(super) fn hold(mut self, event: EventId) -> Result<Hold, LockError> {
        match self.hold.take() {
            Some(hold) => Ok(hold.into_hold(event)),
            None => Err(self.refusal(0)),
        }
    }

    pub(super) fn hold_for(mut self, request: &HoldRequest) -> Result<Hold, LockError> {
        match self.hold.take() {
            Some(hold) => Ok(hold.into_hold(request.event)),
            None => match self.refusal(request.limit.unwrap_or_default()) {
                LockError::OutcomeUnknown { .. } => {
                    Err(LockError::OutcomeUnknown { attempt: Some(request.attempt) })
                }
                refusal => Err(refusal),
            },
        }
    }

    fn refusal(self, limit: u32) -> LockError {
        match self.code.as_str() {
            "not_loaded" => LockError::NotLoaded,
            "not_held" => LockError::NotHeld,
            "in_payment" => LockError::InPayment,
            "attempt_lapsed" => LockError::AttemptLapsed,
            "attempt_reused" => LockError::AttemptReused,
            "ceiling" => LockError::CeilingReached {
                ceiling_at: Timestamp::from_micros(self.ceiling.unwrap_or_default()),
            },
            "limit" => LockError::LimitExceeded { limit, taken: units(self.taken.unwrap_or_default()) },
            "unavailable" => LockError::Unavailable(self.conflicts),
            "no_area" => {
                LockError::Invalid(format!("the event has no area {}", self.section.unwrap_or_default()))
            }
            "no_such_fence" => LockError::invalid("the hold never had this fence"),
            "stale_fence" => LockError::StaleFence { seen: self.seen.unwrap_or_default() },
            // Functions of another version: what they have done is not known.
            _ => LockError::OutcomeUnknown { attempt: None },
        }
    }
}

/// What stands in the way, from the fields after `taken`.
fn conflicts(fields: &mut PgRecordDecoder<'_>, moment: i64) -> Result<Conflicts, BoxDynError> {
    let blocked = seats(&fields.try_decode::<Option<Vec<String>>>()?.unwrap_or_default())?;
    let states: Vec<String> = fields.try_decode::<Option<_>>()?.unwrap_or_default();
    let untils: Vec<Option<i64>> = fields.try_decode::<Option<_>>()?.unwrap_or_default();
    let sections: Vec<String> = fields.try_decode::<Option<_>>()?.unwrap_or_default();
    let requested: Vec<i64> = fields.try_decode::<Option<_>>()?.unwrap_or_default();
    let available: Vec<i64> = fields.try_decode::<Option<_>>()?.unwrap_or_default();
    let mut conflicts = blocked_seats(&blocked, &states, &untils, moment)?;
    // Several candidates may be refused for one.
    let mut named = HashSet::new();
    conflicts.retain(|conflict| named.insert(conflict.seat));
    let areas =
        sections.into_iter().zip(requested).zip(available).map(|((section, requested), available)| {
            AreaConflict::new(section, units(requested), units(available))
        });
    Ok(Conflicts::new(conflicts, areas.collect()))
}

/// Parallel lists: seats, why they are not free, and until when.
pub(super) fn blocked_seats(
    blocked: &[SeatId],
    states: &[String],
    untils: &[Option<i64>],
    moment: i64,
) -> Result<Vec<SeatConflict>, sqlx::Error> {
    let conflict = |((seat, state), until): ((&SeatId, &String), &Option<i64>)| {
        let state = self::state(state)?;
        let lapses = matches!(state, SeatState::Held | SeatState::Paying);
        let until = until.filter(|_| lapses).map(Timestamp::from_micros);
        let retry_after = until.map(|until| until.since(Timestamp::from_micros(moment)));
        Ok(SeatConflict::new(*seat, state, retry_after))
    };
    blocked.iter().zip(states).zip(untils).map(conflict).collect()
}

/// An array that is null if it has nothing.
pub(super) fn list<'r, T>(row: &'r PgRow, column: &str) -> Result<Vec<T>, sqlx::Error>
where
    Option<Vec<T>>: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    Ok(row.try_get::<Option<Vec<T>>, _>(column)?.unwrap_or_default())
}

pub(super) fn seats(names: &[String]) -> Result<Vec<SeatId>, sqlx::Error> {
    names.iter().map(|name| name.parse().map_err(decode)).collect()
}

pub(super) fn state(name: &str) -> Result<SeatState, sqlx::Error> {
    match name {
        "held" => Ok(SeatState::Held),
        "paying" => Ok(SeatState::Paying),
        "sold" => Ok(SeatState::Sold),
        "reserved" => Ok(SeatState::Reserved),
        other => Err(sqlx::Error::Decode(format!("a seat is {other}").into())),
    }
}

pub(super) fn fence(text: &str) -> Result<Fence, sqlx::Error> {
    text.parse().map(Fence::new).map_err(decode)
}

/// Counts are kept in more than 32 bits: the numbers of a snapshot may be absurd.
pub(super) fn units(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
