//! What the event service answers when it will not.

use contract::kinds;
use platform::{ClientError, FieldError, Problem};

use crate::domain::Wrong;
use crate::store;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such event")]
    NotFound,
    #[error("the event is another organizer's")]
    NotTheirs,
    #[error("fields of the request are wrong")]
    Invalid(Vec<Wrong>),
    #[error("sales have opened: layout, mode, prices and currency are fixed")]
    OnSale,
    #[error("the event was cancelled")]
    Cancelled,
    #[error("the inventory did not take it: {0}")]
    Inventory(#[from] ClientError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound => Self::not_found(detail),
            Error::NotTheirs => Self::new(platform::kinds::FORBIDDEN, detail),
            Error::Invalid(wrong) => Self::invalid(
                wrong.into_iter().map(|(field, message)| FieldError { field, message }).collect(),
            ),
            Error::OnSale => Self::new(kinds::EVENT_ON_SALE, detail),
            Error::Cancelled => Self::new(kinds::SALES_CLOSED, detail),
            Error::Inventory(error) => inventory(error),
            Error::Store(error) => Self::of_store(&error, error.is_unavailable()),
        }
    }
}

/// The organizer can do something about the inventory's refusal of a change that came too late, and about nothing
/// else that it says.
fn inventory(error: ClientError) -> Problem {
    match error {
        ClientError::Problem(problem) if !problem.is(&kinds::EVENT_ON_SALE) => {
            tracing::error!(%problem, "the inventory refused an event that was checked here");
            Problem::unavailable("inventory")
        }
        other => other.into(),
    }
}
