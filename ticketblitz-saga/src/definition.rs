//! A saga's definition with its data type erased, as the engine and the tokens use it.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::future::BoxFuture;
use ticketblitz_core::{Backoff, Timestamp};

use crate::builder::{BeforePivot, Begin, Builder};
use crate::run::{Data, Failure, Reconciled, Retry, Run, StepError, Verdict};
use crate::state::{NodeKind, Shape};
use crate::{Advance, Advanced, Error};

/// The definition of a saga over data of type `S`: build one with [`Saga::named`], register it with
/// [`Engine::new`](crate::Engine::new).
pub struct Saga<S> {
    pub(crate) definition: Arc<Definition>,
    data: PhantomData<fn() -> S>,
}

impl<S: Data> Saga<S> {
    /// Begins a definition: version 1 unless [`Builder::version`] says otherwise, nodes in the order in which
    /// they run.
    pub fn named(name: impl Into<String>) -> Builder<S, BeforePivot, Begin> {
        Builder::begin(name.into())
    }

    pub(crate) fn from_definition(definition: Definition) -> Self {
        Self { definition: Arc::new(definition), data: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.definition.version
    }
}

impl<S> Clone for Saga<S> {
    fn clone(&self) -> Self {
        Self { definition: Arc::clone(&self.definition), data: PhantomData }
    }
}

impl<S> fmt::Debug for Saga<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.definition.fmt(f)
    }
}

pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) data: TypeId,
    pub(crate) shape: Shape,
    pub(crate) nodes: Vec<Node>,
    pub(crate) on_failed: Option<CloseFn>,
}

/// What a node does, beside what [`Shape`] says about it.
pub(crate) struct Node {
    pub(crate) work: Work,
    pub(crate) undo: Option<UndoFn>,
    pub(crate) reconcile: Option<ReconcileFn>,
    pub(crate) backoff: Backoff,
}

pub(crate) enum Work {
    Start,
    /// The pivot too.
    Step(StepFn),
    Local(LocalFn),
    Wait {
        deadline: DeadlineFn,
        on: BTreeMap<String, SignalFn>,
    },
}

/// A run whose state is still JSON.
#[derive(Debug, Clone)]
pub(crate) struct RawRun {
    pub(crate) key: String,
    pub(crate) state: String,
    pub(crate) failures: u32,
}

pub(crate) type StepFn = Box<dyn Fn(RawRun) -> BoxFuture<'static, Result<String, StepError>> + Send + Sync>;
pub(crate) type UndoFn = Box<dyn Fn(RawRun) -> BoxFuture<'static, Result<(), Retry>> + Send + Sync>;
pub(crate) type LocalFn =
    Box<dyn Fn(RawRun, Advance) -> BoxFuture<'static, Result<Advanced, StepError>> + Send + Sync>;
pub(crate) type CloseFn =
    Box<dyn Fn(RawRun, Failure, Advance) -> BoxFuture<'static, Result<Advanced, StepError>> + Send + Sync>;
pub(crate) type ReconcileFn =
    Box<dyn Fn(RawRun) -> BoxFuture<'static, Result<Reconciled<String>, Retry>> + Send + Sync>;
pub(crate) type DeadlineFn = Box<dyn Fn(&str) -> Result<Timestamp, Error> + Send + Sync>;
pub(crate) type SignalFn =
    Box<dyn Fn(&str, serde_json::Value) -> Result<Verdict<String>, Error> + Send + Sync>;

impl RawRun {
    /// With its data read. A state that cannot be read is no reason to undo anything: somebody has to look.
    pub(crate) fn typed<S: Data>(self) -> Result<Run<S>, Retry> {
        let state =
            serde_json::from_str(&self.state).map_err(|e| Retry(format!("the data is unreadable: {e}")))?;
        Ok(Run { key: self.key, state, failures: self.failures })
    }
}

pub(crate) fn to_json<S: Data>(state: &S) -> Result<String, Error> {
    serde_json::to_string(state).map_err(|e| Error::data("a saga's data", e))
}

pub(crate) fn from_json<S: Data>(state: &str) -> Result<S, Error> {
    serde_json::from_str(state).map_err(|e| Error::data("a saga's data", e))
}

impl Definition {
    pub(crate) fn deadline(&self, node: usize, state: &str) -> Result<Timestamp, Error> {
        match self.nodes.get(node).map(|node| &node.work) {
            Some(Work::Wait { deadline, .. }) => deadline(state),
            _ => Err(Error::corrupt(format!(
                "a saga {} that waits at node {node}, which is no wait",
                self.name
            ))),
        }
    }

    /// What is wrong with it, as a sentence.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self { name, version, shape, .. } = self;
        for (at, node) in shape.nodes.iter().enumerate() {
            if shape.nodes[..at].iter().any(|other| other.name == node.name) {
                return Some(format!("saga {name} version {version} has two nodes named {}", node.name));
            }
            if node.kind == (NodeKind::Wait { signals: Vec::new() }) {
                let wait = &node.name;
                return Some(format!("saga {name} version {version} waits at {wait} without any signal"));
            }
        }
        shape.nodes.is_empty().then(|| format!("saga {name} version {version} has no nodes"))
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<&str> = self.shape.nodes.iter().map(|node| node.name.as_str()).collect();
        f.debug_struct("Saga")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("nodes", &nodes)
            .finish_non_exhaustive()
    }
}
