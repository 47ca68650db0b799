//! Why a request was not fulfilled.

use contract::kinds::{BOOKING_EXISTS, HOLD_NOT_LIVE, NOT_CANCELLABLE, SALES_CLOSED};
use platform::{ClientError, Problem};
use ticketblitz_core::BookingId;

use crate::store::StoreError;

/// What a use case can end in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("there is no such booking")]
    NotFound,
    #[error("the hold has a booking already")]
    Exists(BookingId),
    #[error("the hold is unknown, has expired or is somebody else's")]
    HoldNotLive,
    #[error("the event was cancelled")]
    SalesClosed,
    #[error("the booking is being confirmed or has ended")]
    NotCancellable,
    #[error("the booking is being cancelled, which takes longer than usual")]
    StillCancelling,
    #[error("the answer has no JSON form: {0}")]
    Answer(ticketblitz_idempotency::Error),
    #[error(transparent)]
    Inventory(#[from] ClientError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound => Self::not_found(detail),
            Error::Exists(booking) => Self::new(BOOKING_EXISTS, detail).with("bookingId", booking),
            Error::HoldNotLive => Self::new(HOLD_NOT_LIVE, detail),
            Error::SalesClosed => Self::new(SALES_CLOSED, detail),
            Error::NotCancellable => Self::new(NOT_CANCELLABLE, detail),
            Error::StillCancelling => Self::unavailable("the end of the cancellation"),
            Error::Inventory(error) => error.into(),
            // The winner's answer replaces this one.
            Error::Store(StoreError::Idempotency(ticketblitz_idempotency::Error::Superseded)) => {
                Self::unavailable("the booking")
            }
            Error::Store(error) => Self::of_store(&error, error.is_unavailable()),
            Error::Answer(_) => Self::internal(&detail),
        }
    }
}
