//! Driving one saga: do what it stands at, commit what came of it, go on.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use ticketblitz_core::{Backoff, Timestamp};
use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::definition::{Definition, RawRun, Work};
use crate::rows::{Stored, sealed::Rows as _};
use crate::run::{Failure, Reconciled, Retry, StepError};
use crate::state::{Action, How, Input};
use crate::{Advance, Advanced, Error};

/// What one piece of work led to.
enum Came {
    /// This is to be committed.
    Input(Input),
    /// It committed by itself.
    Advanced(Box<Stored>),
}

/// Drives the saga until there is nothing to do at the moment; answers when there will be, if time makes it. From where it
/// is `known` to stand, if it is. Somebody else may move it meanwhile: no move of an older version is committed.
pub(super) async fn drive(
    engine: &Engine,
    (name, key): (&str, &str),
    known: Option<Stored>,
    stop: &CancellationToken,
) -> Result<Option<Timestamp>, Error> {
    let stored = match known {
        Some(saga) => Some(saga),
        None => engine.db.readers().acquire()?.load(name, key).await?,
    };
    let Some(mut saga) = stored else { return Ok(None) };
    let definition = Arc::clone(engine.shared.definition(name, saga.definition)?);
    loop {
        let action = saga.row.action(&definition.shape, engine.shared.clock.now());
        if action == Action::Rest || stop.is_cancelled() {
            return Ok(saga.wake_at);
        }
        saga = match work(engine, &definition, &saga, action).await {
            Came::Advanced(saga) => *saga,
            Came::Input(input) => match local_behind(engine, &definition, &saga, &input).await {
                Some(saga) => saga,
                None => commit(engine, &definition, saga, input).await?,
            },
        };
        if saga.row.wake == crate::state::Wake::Parked {
            tracing::error!(saga = name, key, error = saga.row.error, "a saga is parked until it is resumed");
        }
    }
}

/// Forgets where those of these sagas stand who no longer stand there and whose next work would reach beyond this
/// database, all in one look. What was told of a commit may have been undone within it, or another process may have moved
/// the saga since; local work finds that out with its own commit.
pub(super) async fn make_sure(engine: &Engine, sagas: &mut [Option<Stored>]) -> Result<(), Error> {
    let now = engine.shared.clock.now();
    let reaches_beyond = |saga: &Stored| {
        let definition = engine.shared.definition(&saga.name, saga.definition);
        definition.is_ok_and(|definition| {
            let action = saga.row.action(&definition.shape, now);
            action != Action::Rest && !is_local(definition, saga, action)
        })
    };
    let mut reader = None;
    for known in sagas {
        let Some(saga) = known.as_ref().filter(|saga| reaches_beyond(saga)) else { continue };
        let reader = match &mut reader {
            Some(reader) => reader,
            none => none.insert(engine.db.readers().begin()?),
        };
        if !reader.stands(saga).await? {
            *known = None;
        }
    }
    Ok(())
}

/// Whether all that it does is in this database, with the saga's own move.
fn is_local(definition: &Definition, saga: &Stored, action: Action) -> bool {
    action == Action::Run && matches!(definition.nodes[saga.row.node].work, Work::Local(_))
}

/// Runs the local step right behind, if one is: its commit takes along what came of the work before it. None: it
/// was not, and nothing is committed. Until then somebody else may move the saga, and then it does not commit.
async fn local_behind(
    engine: &Engine,
    definition: &Arc<Definition>,
    from: &Stored,
    input: &Input,
) -> Option<Stored> {
    let now = engine.shared.clock.now();
    let mut row = from.row.after(&definition.shape, input.clone());
    row.version = from.row.version; // as it is stored
    let behind = from.moved(definition, row, now).ok()?;
    if !is_local(definition, &behind, behind.row.action(&definition.shape, now)) {
        return None;
    }
    match work(engine, definition, &behind, Action::Run).await {
        Came::Advanced(saga) => Some(*saga),
        // It is run again once what came before it is committed by itself.
        Came::Input(_) => None,
    }
}

/// Commits what came of the work. A saga that somebody moved meanwhile takes it only if it still stands there: a
/// cancellation that came in the middle of a step does not lose what the step answered.
async fn commit(
    engine: &Engine,
    definition: &Arc<Definition>,
    from: Stored,
    input: Input,
) -> Result<Stored, Error> {
    let (definition, clock) = (Arc::clone(definition), Arc::clone(&engine.shared.clock));
    engine
        .db
        .write(move |conn| {
            Box::pin(async move {
                let row = from.row.after(&definition.shape, input.clone());
                let to = from.moved(&definition, row, clock.now())?;
                if conn.update(&to, from.row.version).await? {
                    return Ok(to);
                }
                let current = conn.load(&from.name, &from.key).await?;
                let current = current.ok_or_else(|| Error::conflict(&from.name, &from.key))?;
                if !current.row.same_work(&from.row) {
                    return Ok(current);
                }
                let row = current.row.after(&definition.shape, input);
                let to = current.moved(&definition, row, clock.now())?;
                if conn.update(&to, current.row.version).await? {
                    Ok(to)
                } else {
                    Err(Error::conflict(&from.name, &from.key))
                }
            })
        })
        .await
}

async fn work(engine: &Engine, definition: &Arc<Definition>, saga: &Stored, action: Action) -> Came {
    let node = &definition.nodes[saga.row.node];
    let run = RawRun { key: saga.key.clone(), state: saga.row.state.clone(), failures: saga.row.failures };
    let advance = || Advance::new(Arc::clone(&engine.shared), Arc::clone(definition), saga.clone());
    let came = async {
        match action {
            Action::Run => match &node.work {
                Work::Step(step) => step(run).await.map(|state| Came::Input(Input::Done(state))),
                Work::Local(local) => local(run, advance()).await.map(advanced),
                // Nothing to run: neither start nor wait is ever due for it.
                Work::Start | Work::Wait { .. } => Ok(Came::Input(Input::Done(saga.row.state.clone()))),
            },
            Action::Undo => match &node.undo {
                Some(undo) => {
                    let done = undo(run).await.map_err(StepError::from);
                    done.map(|()| Came::Input(Input::Done(saga.row.state.clone())))
                }
                None => Ok(Came::Input(Input::Done(saga.row.state.clone()))),
            },
            Action::Reconcile => match &node.reconcile {
                Some(look_up) => {
                    let found = look_up(run).await.map_err(StepError::from);
                    found.map(|found| reconciled(engine, &node.backoff, saga, found))
                }
                None => Ok(Came::Input(Input::Reconciled(None))),
            },
            Action::Close => match &definition.on_failed {
                Some(close) => {
                    let failure = saga.row.failure.clone().unwrap_or(Failure::Aborted(String::new()));
                    close(run, failure, advance()).await.map(advanced)
                }
                None => Ok(Came::Input(Input::Done(saga.row.state.clone()))),
            },
            Action::Interrupt => Ok(Came::Input(Input::Interrupted)),
            Action::PassDeadline => Ok(Came::Input(Input::DeadlinePassed)),
            Action::Rest => Ok(Came::Input(Input::Resume)),
        }
    };
    // A panic says nothing about what happened before it; functions are called again all the same.
    let came = AssertUnwindSafe(came).catch_unwind().await;
    match came.unwrap_or_else(|_| Err(Retry("it panicked".to_owned()).into())) {
        Ok(came) => came,
        Err(error) => Came::Input(failed(engine, &node.backoff, saga, error)),
    }
}

fn advanced(advanced: Advanced) -> Came {
    Came::Advanced(Box::new(advanced.to))
}

fn reconciled(engine: &Engine, backoff: &Backoff, saga: &Stored, found: Reconciled<String>) -> Came {
    Came::Input(match found {
        Reconciled::Happened(state) => Input::Reconciled(Some(state)),
        Reconciled::DidNotHappen => Input::Reconciled(None),
        Reconciled::NotYet(reason) => not_done(engine, backoff, saga, How::Retry, reason),
    })
}

fn failed(engine: &Engine, backoff: &Backoff, saga: &Stored, error: StepError) -> Input {
    let (how, error) = match error {
        StepError::Retry(error) => (How::Retry, error),
        StepError::Abort(error) => (How::Abort, error),
        StepError::Unknown(error) => (How::Unknown, error),
    };
    let failures = saga.row.failures.saturating_add(1);
    if failures >= 4 && failures.is_power_of_two() {
        tracing::warn!(saga = saga.name, key = saga.key, node = saga.node_name, failures, %error, "fails again and again");
    }
    not_done(engine, backoff, saga, how, error)
}

fn not_done(engine: &Engine, backoff: &Backoff, saga: &Stored, how: How, error: String) -> Input {
    let failures = saga.row.failures.saturating_add(1);
    tracing::debug!(saga = saga.name, key = saga.key, node = saga.node_name, failures, ?how, %error, "not done");
    let retry_at = engine.shared.clock.now() + backoff.delay(failures);
    Input::Failed { how, error, retry_at, limit: engine.options.undo_limit }
}
