//! The move of a saga as a part of the service's own transaction.

use std::sync::Arc;

use ticketblitz_core::Timestamp;

use crate::definition::{Definition, to_json};
use crate::rows::Stored;
use crate::run::Data;
use crate::state::Input;
use crate::{Connection, Error};

/// The move that a local step makes. The service's store applies it in the transaction that does the step's
/// work: either both are committed or neither is.
///
/// ```
/// use ticketblitz_core::sqlite::{self, Sqlite};
/// use ticketblitz_saga::{Advance, Advanced, Error};
///
/// async fn confirm(db: &Sqlite, booking: String, advance: Advance) -> Result<Advanced, Error> {
///     db.write(move |conn| {
///         Box::pin(async move {
///             sqlite::query("UPDATE booking SET status = 'CONFIRMED' WHERE id = $1")
///                 .bind(booking)
///                 .execute(&mut *conn)
///                 .await?;
///             advance.apply(conn).await
///         })
///     })
///     .await
/// }
/// ```
#[derive(Debug)]
#[must_use = "the saga moves when this is applied"]
pub struct Advance {
    definition: Arc<Definition>,
    from: Stored,
    state: Option<Result<String, String>>,
    now: Timestamp,
}

/// The proof that an [`Advance`] was applied. Hand it back once the transaction has committed; after a rollback
/// return an error instead.
#[derive(Debug)]
#[must_use = "the engine wants it back"]
pub struct Advanced {
    pub(crate) to: Stored,
}

impl Advance {
    pub(crate) fn new(definition: Arc<Definition>, from: Stored, now: Timestamp) -> Self {
        Self { definition, from, state: None, now }
    }

    /// Changes the saga's data with the same commit.
    pub fn with<S: Data>(mut self, state: &S) -> Self {
        self.state = Some(to_json(state).map_err(|error| error.to_string()));
        self
    }

    /// Moves the saga within the transaction that `connection` is in.
    ///
    /// # Errors
    /// Somebody else moved the saga first ([`Error::is_conflict`]), or the database refused: roll back.
    pub async fn apply<C: Connection>(&self, connection: &mut C) -> Result<Advanced, Error> {
        let from = &self.from;
        let state = match &self.state {
            None => from.row.state.clone(),
            Some(Ok(state)) => state.clone(),
            Some(Err(error)) => return Err(Error::unwritable(error)),
        };
        let row = from.row.after(&self.definition.shape, Input::Done(state));
        let to = from.moved(&self.definition, row, self.now)?;
        if connection.update(&to, from.row.version).await? {
            Ok(Advanced { to })
        } else {
            Err(Error::conflict(&from.name, &from.key))
        }
    }
}
