//! What a service does to its sagas, as values that its store applies in its own transactions.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use ticketblitz_core::Clock;
use tokio::sync::watch;

use crate::definition::{Definition, Work, to_json};
use crate::rows::Stored;
use crate::run::{Data, Verdict};
use crate::state::{CancelRoute, Input, Route, Row};
use crate::{Connection, Error};

/// What became of a signal. Exhaustive, and to stay so: each of these asks something else of whoever delivered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It decided the wait.
    Accepted,
    /// Too late: the saga has ended or is being undone. What the signal tells of may have to be taken back.
    Late(Outcome),
    /// The saga has not come to the wait for this signal: deliver it again later.
    Early,
    /// It decides nothing: the wait is over already, or its handler, or the saga's version, ignores it.
    Ignored,
    /// There is no saga with this key (yet).
    Unknown,
}

/// How a saga has ended or is ending. Exhaustive, as [`Delivery`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every node was done.
    Completed,
    /// It was undone.
    Failed,
    /// It is being undone.
    Compensating,
}

/// What became of a cancellation. Exhaustive, as [`Delivery`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// The saga will be undone, or is being undone already.
    Accepted,
    /// The saga stands at its pivot or behind it.
    TooLate,
    /// The saga has ended.
    Finished,
    /// There is no saga with this key.
    Unknown,
}

/// What the handles of an engine share with it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) definitions: BTreeMap<String, BTreeMap<u32, Arc<Definition>>>,
    pub(crate) commits: watch::Receiver<u64>,
    moved: Mutex<Vec<Stored>>,
}

/// Sagas that are kept for an engine that runs.
const MOVED: usize = 10_000;

impl Shared {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        definitions: BTreeMap<String, BTreeMap<u32, Arc<Definition>>>,
        commits: watch::Receiver<u64>,
    ) -> Self {
        Self { clock, definitions, commits, moved: Mutex::default() }
    }

    pub(crate) fn definition(&self, name: &str, version: u32) -> Result<&Arc<Definition>, Error> {
        let found = self.definitions.get(name).and_then(|versions| versions.get(&version));
        found.ok_or_else(|| Error::undefined(name, version))
    }

    /// Tells the engine of a saga's move once it is committed: a hint, which saves it a search after every commit and
    /// the reading of what was just written. Nothing is lost with a hint but time.
    pub(crate) fn hint<C: Connection>(self: &Arc<Self>, connection: &mut C, saga: Stored) {
        let shared = Arc::clone(self);
        connection.after_commit(move || {
            let mut moved = shared.moved.lock().unwrap_or_else(PoisonError::into_inner);
            if moved.len() == MOVED {
                // Nobody runs the engine. Once somebody does, a search finds them.
                moved.clear();
            }
            moved.push(saga);
        });
    }

    /// The sagas whose moves were committed since it was last asked, in that order.
    pub(crate) fn moved(&self) -> Vec<Stored> {
        std::mem::take(&mut *self.moved.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts, signals and cancels the sagas of one name. Cheap to clone.
pub struct Handle<S> {
    shared: Arc<Shared>,
    name: Arc<str>,
    data: PhantomData<fn() -> S>,
}

impl<S> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), name: Arc::clone(&self.name), data: PhantomData }
    }
}

impl<S> std::fmt::Debug for Handle<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<S: Data> Handle<S> {
    /// # Panics
    /// No saga of this name with data of type `S` was registered.
    pub(crate) fn new(shared: Arc<Shared>, name: &str) -> Self {
        let newest = shared.definitions.get(name).and_then(|versions| versions.values().next_back());
        let fits = newest.is_some_and(|saga| saga.data == TypeId::of::<S>());
        assert!(fits, "no saga {name} with this type of data was registered");
        Self { shared, name: name.into(), data: PhantomData }
    }

    /// To start a saga with `key`, on the newest registered version.
    pub fn start(&self, key: impl Into<String>, data: &S) -> Start {
        Start { target: self.target(key), data: to_json(data).map_err(|error| error.to_string()) }
    }

    /// To tell the saga `key` that something happened.
    pub fn signal<T: Serialize>(&self, key: impl Into<String>, signal: &str, payload: &T) -> Signal {
        let payload = serde_json::to_value(payload).map_err(|error| error.to_string());
        Signal { target: self.target(key), signal: signal.to_owned(), payload }
    }

    /// To ask for the saga `key` to be undone.
    pub fn cancel(&self, key: impl Into<String>, reason: impl Into<String>) -> Cancel {
        Cancel { target: self.target(key), reason: reason.into() }
    }

    fn target(&self, key: impl Into<String>) -> Target {
        Target { shared: Arc::clone(&self.shared), name: Arc::clone(&self.name), key: key.into() }
    }
}

#[derive(Debug)]
struct Target {
    shared: Arc<Shared>,
    name: Arc<str>,
    key: String,
}

impl Target {
    async fn load<C: Connection>(
        &self,
        connection: &mut C,
    ) -> Result<Option<(Stored, &Arc<Definition>)>, Error> {
        let Some(stored) = connection.load(&self.name, &self.key).await? else { return Ok(None) };
        let definition = self.shared.definition(&self.name, stored.definition)?;
        Ok(Some((stored, definition)))
    }

    async fn apply<C: Connection>(
        &self,
        connection: &mut C,
        (from, definition): (&Stored, &Definition),
        input: Input,
    ) -> Result<(), Error> {
        let row = from.row.after(&definition.shape, input);
        let to = from.moved(definition, row, self.shared.clock.now())?;
        if !connection.update(&to, from.row.version).await? {
            return Err(Error::conflict(&self.name, &self.key));
        }
        self.shared.hint(connection, to);
        Ok(())
    }
}

/// Starts a saga when applied. See [`Handle::start`].
#[derive(Debug)]
#[must_use = "nothing starts until this is applied"]
pub struct Start {
    target: Target,
    data: Result<String, String>,
}

impl Start {
    /// Starts the saga with the transaction that `connection` is in. False: there is one with this key already,
    /// which goes on undisturbed.
    ///
    /// Cancel safe as long as the transaction is rolled back where this was dropped halfway.
    ///
    /// # Errors
    /// The data cannot be written as JSON, or the database refused: roll back.
    pub async fn apply<C: Connection>(&self, connection: &mut C) -> Result<bool, Error> {
        let Target { shared, name, key } = &self.target;
        let data = self.data.as_ref().map_err(|e| Error::unwritable(e))?;
        let newest = shared.definitions.get(&**name).and_then(|versions| versions.values().next_back());
        let definition = newest.ok_or_else(|| Error::undefined(name, 0))?;
        let row = Row::begin(&definition.shape, data.clone());
        let saga = Stored::new(definition, key, row, shared.clock.now())?;
        let started = connection.insert(&saga).await?;
        if started {
            shared.hint(connection, saga);
        }
        Ok(started)
    }
}

/// Signals a saga when applied. See [`Handle::signal`].
#[derive(Debug)]
#[must_use = "nobody is told until this is applied"]
pub struct Signal {
    target: Target,
    signal: String,
    payload: Result<serde_json::Value, String>,
}

impl Signal {
    /// Tells the saga with the transaction that `connection` is in. Against a deadline and a cancellation
    /// exactly one wins; [`Delivery`] says whether it was this.
    ///
    /// Cancel safe as long as the transaction is rolled back where this was dropped halfway.
    ///
    /// # Errors
    /// The payload is not what the saga's handler reads ([`Error::is_invalid_payload`]), somebody else moved the
    /// saga meanwhile ([`Error::is_conflict`]), or the database refused: roll back.
    pub async fn apply<C: Connection>(&self, connection: &mut C) -> Result<Delivery, Error> {
        let Some((from, definition)) = self.target.load(connection).await? else {
            return Ok(Delivery::Unknown);
        };
        match from.row.route_signal(&definition.shape, &self.signal) {
            Route::Early => return Ok(Delivery::Early),
            Route::Ignored => return Ok(Delivery::Ignored),
            Route::Late(outcome) => return Ok(Delivery::Late(outcome)),
            Route::Handle => {}
        }
        let input = match self.verdict(&from, definition)? {
            Verdict::Go(state) => Input::SignalGo(state),
            Verdict::Abort(state, reason) => Input::SignalAbort(state, reason),
            Verdict::Ignore => return Ok(Delivery::Ignored),
        };
        self.target.apply(connection, (&from, definition), input).await?;
        Ok(Delivery::Accepted)
    }

    fn verdict(&self, from: &Stored, definition: &Definition) -> Result<Verdict<String>, Error> {
        let payload = self.payload.as_ref().map_err(|e| Error::unwritable(e))?;
        let Work::Wait { on, .. } = &definition.nodes[from.row.node].work else {
            return Ok(Verdict::Ignore);
        };
        on.get(&self.signal).map_or(Ok(Verdict::Ignore), |handler| handler(&from.row.state, payload.clone()))
    }
}

/// Cancels a saga when applied. See [`Handle::cancel`].
#[derive(Debug)]
#[must_use = "nothing is cancelled until this is applied"]
pub struct Cancel {
    target: Target,
    reason: String,
}

impl Cancel {
    /// Asks for the saga to be undone, with the transaction that `connection` is in. A step that is running is
    /// waited for; what it answers decides whether there is something of it to undo.
    ///
    /// Cancel safe as long as the transaction is rolled back where this was dropped halfway.
    ///
    /// # Errors
    /// Somebody else moved the saga meanwhile ([`Error::is_conflict`]), or the database refused: roll back.
    pub async fn apply<C: Connection>(&self, connection: &mut C) -> Result<Cancelled, Error> {
        let Some((from, definition)) = self.target.load(connection).await? else {
            return Ok(Cancelled::Unknown);
        };
        match from.row.route_cancel(&definition.shape) {
            CancelRoute::Already => Ok(Cancelled::Accepted),
            CancelRoute::TooLate => Ok(Cancelled::TooLate),
            CancelRoute::Finished => Ok(Cancelled::Finished),
            CancelRoute::Apply => {
                let input = Input::Cancel(self.reason.clone());
                self.target.apply(connection, (&from, definition), input).await?;
                Ok(Cancelled::Accepted)
            }
        }
    }
}
