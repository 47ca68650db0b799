//! The move of a saga as a part of the service's own transaction.

use std::sync::Arc;

use crate::definition::{Definition, to_json};
use crate::rows::Stored;
use crate::run::Data;
use crate::state::Input;
use crate::token::Shared;
use crate::{Connection, Error, Handle};

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
    shared: Arc<Shared>,
    definition: Arc<Definition>,
    from: Stored,
    state: Option<Result<String, String>>,
}

/// The proof that an [`Advance`] was applied. Hand it back once the transaction has committed; after a rollback
/// return an error instead.
#[derive(Debug)]
#[must_use = "the engine wants it back"]
pub struct Advanced {
    pub(crate) to: Stored,
}

impl Advance {
    pub(crate) fn new(shared: Arc<Shared>, definition: Arc<Definition>, from: Stored) -> Self {
        Self { shared, definition, from, state: None }
    }

    /// The handle of the sagas `name` of this engine, to start or to signal one of them with the same commit.
    ///
    /// ```
    /// # use ticketblitz_core::sqlite::Sqlite;
    /// # use ticketblitz_saga::{Advance, Advanced, Error, Run};
    /// async fn give_up(db: &Sqlite, run: Run<u32>, advance: Advance) -> Result<Advanced, Error> {
    ///     let refund = advance.handle::<u32>("refund").start(run.key, &run.state);
    ///     db.write(move |conn| {
    ///         Box::pin(async move {
    ///             refund.apply(conn).await?;
    ///             advance.apply(conn).await
    ///         })
    ///     })
    ///     .await
    /// }
    /// ```
    ///
    /// Do not keep it in the saga's functions, which the engine owns: neither would ever be dropped.
    ///
    /// # Panics
    /// As [`Engine::handle`](crate::Engine::handle) does; the step has then failed and is tried again.
    #[must_use]
    pub fn handle<S: Data>(&self, name: &str) -> Handle<S> {
        Handle::new(Arc::clone(&self.shared), name)
    }

    /// Changes the saga's data with the same commit.
    pub fn with<S: Data>(mut self, state: &S) -> Self {
        self.state = Some(to_json(state).map_err(|error| error.to_string()));
        self
    }

    /// Moves the saga within the transaction that `connection` is in.
    ///
    /// Cancel safe as long as the transaction is rolled back where this was dropped halfway.
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
        let to = from.moved(&self.definition, row, self.shared.clock.now())?;
        if connection.update(&to, from.row.version).await? {
            Ok(Advanced { to })
        } else {
            Err(Error::conflict(&from.name, &from.key))
        }
    }
}
