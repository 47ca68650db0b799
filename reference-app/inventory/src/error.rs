//! What the inventory answers when it will not.

use contract::inventory::{BlockedArea, BlockedSeat, SeatState};
use contract::kinds;
use platform::Problem;
use platform::problem::FieldError;
use ticketblitz_core::Timestamp;
use ticketblitz_lock::{Conflicts, LockError};

use crate::domain::Wrong;
use crate::store::{self, Refusal};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("fields of the request are wrong")]
    Invalid(Vec<Wrong>),
    #[error("some of the places are taken: {0}")]
    Taken(Conflicts),
    #[error("the hold is unknown, has lapsed or is somebody else's")]
    NotLive,
    #[error("the hold is being paid")]
    InPayment,
    #[error("the hold may last until {0} at most")]
    Ceiling(Timestamp),
    #[error("at most {limit} places a customer; {taken} are taken already")]
    OverLimit { limit: u32, taken: u32 },
    #[error("the event is not on sale")]
    SalesClosed,
    #[error("the event's sales have opened: layout, mode, prices and currency are fixed")]
    OnSale,
    #[error("the key was used for another request")]
    KeyReused,
    #[error("the seat lock does not answer: {0}")]
    Lock(LockError),
    #[error(transparent)]
    Database(#[from] ticketblitz_core::sqlite::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Database(error) => Self::Database(error),
            // A place that is taken behind the lock's back: the hold never was what it seemed.
            store::Error::Refused(Refusal::NotLive | Refusal::Taken) => Self::NotLive,
            store::Error::Refused(Refusal::SalesClosed) => Self::SalesClosed,
            store::Error::Refused(Refusal::OverLimit { limit, taken }) => Self::OverLimit { limit, taken },
            store::Error::Refused(Refusal::OnSale) => Self::OnSale,
        }
    }
}

impl From<LockError> for Error {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Unavailable(conflicts) => Self::Taken(conflicts),
            LockError::NotHeld => Self::NotFound("hold"),
            LockError::AttemptLapsed => Self::NotLive,
            LockError::InPayment => Self::InPayment,
            LockError::CeilingReached { ceiling_at } => Self::Ceiling(ceiling_at),
            LockError::LimitExceeded { limit, taken } => Self::OverLimit { limit, taken },
            LockError::AttemptReused => Self::KeyReused,
            LockError::Invalid(reason) => Self::Invalid(vec![("seatIds", reason)]),
            other => Self::Lock(other),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound(_) => Self::new(platform::kinds::NOT_FOUND, detail),
            Error::Invalid(wrong) => Self::invalid(
                wrong
                    .into_iter()
                    .map(|(field, message)| FieldError { field: field.to_owned(), message })
                    .collect(),
            ),
            Error::Taken(conflicts) => taken(&conflicts, detail),
            Error::NotLive => Self::new(kinds::HOLD_NOT_LIVE, detail),
            Error::InPayment => Self::new(kinds::HOLD_IN_PAYMENT, detail),
            Error::Ceiling(at) => Self::new(kinds::HOLD_CEILING_REACHED, detail).with("ceilingAt", at),
            Error::OverLimit { limit, taken } => {
                Self::new(kinds::CUSTOMER_LIMIT_EXCEEDED, detail).with("limit", limit).with("taken", taken)
            }
            Error::SalesClosed => Self::new(kinds::SALES_CLOSED, detail),
            Error::OnSale => Self::new(kinds::EVENT_ON_SALE, detail),
            Error::KeyReused => Self::new(platform::kinds::IDEMPOTENCY_KEY_REUSED, detail),
            Error::Lock(error) => {
                tracing::warn!(%error, "the seat lock failed");
                Self::unavailable("the seat lock")
            }
            Error::Database(error) => Self::of_store(&error, platform::db::will_pass(&error)),
        }
    }
}

fn taken(conflicts: &Conflicts, detail: String) -> Problem {
    let problem = Problem::new(kinds::SEATS_UNAVAILABLE, detail);
    if !conflicts.areas.is_empty() {
        let areas: Vec<BlockedArea> = conflicts
            .areas
            .iter()
            .map(|area| BlockedArea {
                section: area.section.clone(),
                requested: area.requested,
                available: area.available,
            })
            .collect();
        return problem.with("areas", areas);
    }
    let seats: Vec<BlockedSeat> = conflicts
        .seats
        .iter()
        .map(|blocked| BlockedSeat {
            seat_id: blocked.seat,
            state: seat_state(blocked.state),
            // Rounded up: who comes back at that second finds it free.
            retry_after_seconds: blocked.retry_after.map(|wait| wait.as_secs_f64().ceil().max(1.0) as u64),
        })
        .collect();
    problem.with("seats", seats)
}

/// The lock's word for a seat that is not free, as the wire has it.
pub(crate) fn seat_state(state: ticketblitz_lock::SeatState) -> SeatState {
    match state {
        ticketblitz_lock::SeatState::Held => SeatState::Held,
        ticketblitz_lock::SeatState::Paying => SeatState::Paying,
        ticketblitz_lock::SeatState::Sold => SeatState::Sold,
        // Nobody can have it here: no event of this system is loaded with channels.
        ticketblitz_lock::SeatState::Reserved => SeatState::Sold,
    }
}
