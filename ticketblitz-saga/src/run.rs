//! What the functions of a saga are given and what they answer.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a saga carries from node to node. Implemented for everything that can be stored as JSON.
pub trait Data: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Data for T {}

/// One call of a saga's function.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Run<S> {
    /// The saga's key: what it is about, a booking's id say. Together with the node's name it makes a key under
    /// which a remote system can recognise a repeated call.
    pub key: String,
    /// The saga's data so far.
    pub state: S,
    /// How often this node has failed in a row: 0 at the first try.
    pub failures: u32,
}

/// Why a step has no result. Displayed as the reason alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
#[non_exhaustive]
pub enum StepError {
    /// Not now. The step is tried again after a backoff.
    Retry(String),
    /// It definitely did not happen and will not: the saga undoes what came before, but not this step.
    Abort(String),
    /// It may have happened: it is looked up if the step has a `reconcile`, else undone like the steps before.
    Unknown(String),
}

/// Not now: try again after a backoff. All that an undo, a reconcile or a step behind the pivot may answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Retry(pub String);

impl Retry {
    /// For the reason that `error` gives.
    pub fn because(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl From<Retry> for StepError {
    fn from(Retry(reason): Retry) -> Self {
        Self::Retry(reason)
    }
}

impl From<crate::Error> for StepError {
    fn from(error: crate::Error) -> Self {
        Self::Retry(error.to_string())
    }
}

impl From<crate::Error> for Retry {
    fn from(error: crate::Error) -> Self {
        Self(error.to_string())
    }
}

/// What a wait makes of a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<S> {
    /// What was waited for has happened: go on with this data.
    Go(S),
    /// It definitely did not happen: undo what came before, not the wait itself.
    Abort(S, String),
    /// This signal decides nothing: wait on.
    Ignore,
}

/// What a lookup found out about a step that may have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reconciled<S> {
    /// It happened: the saga goes on with this data, or undoes the step if it was cancelled meanwhile.
    Happened(S),
    /// It did not and never will: the step's own undo is skipped.
    DidNotHappen,
    /// It may still happen, for the reason given: it is looked up again after the backoff. Counted as a
    /// [`Retry`] is, but it is what was to be expected: nobody is warned.
    NotYet(String),
}

/// Why a saga was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// A step or a signal said so.
    Aborted(String),
    /// Nothing came in time.
    DeadlinePassed {
        /// The wait's name.
        wait: String,
    },
    /// Somebody asked for it, with this reason.
    Cancelled(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Aborted(reason) => write!(f, "aborted: {reason}"),
            Self::DeadlinePassed { wait } => write!(f, "the deadline of {wait} passed"),
            Self::Cancelled(reason) => write!(f, "cancelled: {reason}"),
        }
    }
}
