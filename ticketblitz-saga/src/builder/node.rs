//! From functions over the saga's data to functions over JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use ticketblitz_core::Timestamp;

use crate::definition::{
    CloseFn, LocalFn, Node, ReconcileFn, SignalFn, StepFn, UndoFn, Work, from_json, to_json,
};
use crate::run::{Data, Failure, Reconciled, Retry, Run, StepError, Verdict};
use crate::state::{NodeKind, NodeShape};
use crate::{Advance, Advanced, Error};

/// In each of these the function is called within the future, so that a panic in either is caught as one.
pub(super) fn step<S: Data, F, R>(step: F) -> StepFn
where
    F: Fn(Run<S>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<S, StepError>> + Send + 'static,
{
    let step = Arc::new(step);
    Box::new(move |run| {
        let step = Arc::clone(&step);
        Box::pin(async move {
            let state = step(run.typed()?).await?;
            Ok(to_json(&state)?)
        })
    })
}

pub(super) fn undo<S: Data, F, R>(undo: F) -> UndoFn
where
    F: Fn(Run<S>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), Retry>> + Send + 'static,
{
    let undo = Arc::new(undo);
    Box::new(move |run| {
        let undo = Arc::clone(&undo);
        Box::pin(async move { undo(run.typed()?).await })
    })
}

pub(super) fn reconcile<S: Data, F, R>(reconcile: F) -> ReconcileFn
where
    F: Fn(Run<S>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Reconciled<S>, Retry>> + Send + 'static,
{
    let reconcile = Arc::new(reconcile);
    Box::new(move |run| {
        let reconcile = Arc::clone(&reconcile);
        Box::pin(async move {
            Ok(match reconcile(run.typed()?).await? {
                Reconciled::Happened(state) => Reconciled::Happened(to_json(&state)?),
                Reconciled::DidNotHappen => Reconciled::DidNotHappen,
                Reconciled::NotYet(reason) => Reconciled::NotYet(reason),
            })
        })
    })
}

pub(super) fn local<S: Data, F, R>(local: F) -> LocalFn
where
    F: Fn(Run<S>, Advance) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Advanced, StepError>> + Send + 'static,
{
    let local = Arc::new(local);
    Box::new(move |run, advance| {
        let local = Arc::clone(&local);
        Box::pin(async move { local(run.typed()?, advance).await })
    })
}

pub(super) fn close<S: Data, F, R>(close: F) -> CloseFn
where
    F: Fn(Run<S>, Failure, Advance) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Advanced, StepError>> + Send + 'static,
{
    let close = Arc::new(close);
    Box::new(move |run, failure, advance| {
        let close = Arc::clone(&close);
        Box::pin(async move { close(run.typed()?, failure, advance).await })
    })
}

pub(super) fn wait<S: Data, D>(deadline: D) -> Work
where
    D: Fn(&S) -> Timestamp + Send + Sync + 'static,
{
    let deadline = Box::new(move |state: &str| Ok(deadline(&from_json(state)?)));
    Work::Wait { deadline, on: BTreeMap::new() }
}

pub(super) fn signal<S: Data, T, F>(handler: F) -> SignalFn
where
    T: DeserializeOwned,
    F: Fn(S, T) -> Verdict<S> + Send + Sync + 'static,
{
    Box::new(move |state, payload| {
        let payload = serde_json::from_value(payload).map_err(|e| Error::payload("", e))?;
        Ok(match handler(from_json(state)?, payload) {
            Verdict::Go(state) => Verdict::Go(to_json(&state)?),
            Verdict::Abort(state, reason) => Verdict::Abort(to_json(&state)?, reason),
            Verdict::Ignore => Verdict::Ignore,
        })
    })
}

pub(super) fn on(shape: &mut NodeShape, node: &mut Node, name: String, handler: SignalFn) {
    if let NodeKind::Wait { signals } = &mut shape.kind {
        signals.push(name.clone());
    }
    if let Work::Wait { on, .. } = &mut node.work {
        let named = name.clone();
        let handler: SignalFn =
            Box::new(move |state, payload| handler(state, payload).map_err(|e| e.for_signal(&named)));
        on.insert(name, handler);
    }
}
