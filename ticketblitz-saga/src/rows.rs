//! The rows, and the connections they can be read and written through.

use ticketblitz_core::{Envelope, Timestamp};

use crate::Error;
use crate::definition::Definition;
use crate::state::{Row, Wake};

/// A connection, or a transaction in progress, of a database that sagas can live in.
///
/// Sealed: this crate implements it for the drivers it supports, `SqliteConnection` for one. What is done
/// through it belongs to the caller's transaction and is committed or rolled back with it.
pub trait Connection: sealed::Rows {}

impl<C: sealed::Rows> Connection for C {}

/// A saga's row with its identity.
#[derive(Debug, Clone)]
pub struct Stored {
    pub name: String,
    pub key: String,
    /// The version of the definition it was started with and ends with.
    pub definition: u32,
    pub node_name: String,
    pub row: Row,
    pub wake_at: Option<Timestamp>,
    pub started_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Stored {
    pub(crate) fn new(definition: &Definition, key: &str, row: Row, now: Timestamp) -> Result<Self, Error> {
        let stored = Self {
            name: definition.name.clone(),
            key: key.to_owned(),
            definition: definition.version,
            node_name: String::new(),
            row,
            wake_at: None,
            started_at: now,
            updated_at: now,
        };
        let row = stored.row.clone();
        stored.moved(definition, row, now)
    }

    /// The same saga, moved to `row`.
    pub(crate) fn moved(&self, definition: &Definition, mut row: Row, now: Timestamp) -> Result<Self, Error> {
        if row.wake == Wake::Deadline {
            row.wake = Wake::At(definition.deadline(row.node, &row.state)?);
        }
        let wake_at = match row.wake {
            Wake::Now => Some(Timestamp::EPOCH),
            Wake::At(at) => Some(at),
            Wake::Deadline | Wake::Parked | Wake::Never => None,
        };
        let node_name = definition.shape.nodes.get(row.node).map_or_else(String::new, |n| n.name.clone());
        Ok(Self { node_name, row, wake_at, updated_at: now, ..self.clone() })
    }
}

pub(crate) mod sealed {
    use super::{Envelope, Error, Stored};

    /// Each that answers a future is one statement.
    pub trait Rows: Send {
        /// False: there is one already.
        fn insert(&mut self, saga: &Stored) -> impl Future<Output = Result<bool, Error>> + Send;
        fn load(
            &mut self,
            name: &str,
            key: &str,
        ) -> impl Future<Output = Result<Option<Stored>, Error>> + Send;
        /// Whether the saga is as it was written: of this version, at this node, with this state.
        fn stands(&mut self, saga: &Stored) -> impl Future<Output = Result<bool, Error>> + Send;
        /// False: the saga is no longer at the version `from`.
        fn update(&mut self, saga: &Stored, from: u64) -> impl Future<Output = Result<bool, Error>> + Send;
        fn push(&mut self, event: &Envelope) -> impl Future<Output = Result<(), Error>> + Send;
        /// False: it was claimed before.
        fn claim(&mut self, consumer: &str, id: &str) -> impl Future<Output = Result<bool, Error>> + Send;
        /// Has `told` called if and when the transaction is committed.
        fn after_commit(&mut self, told: impl FnOnce() + Send + 'static);
    }
}
