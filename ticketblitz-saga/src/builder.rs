//! Writing a saga down, in the order in which it runs, with the rules of the pivot kept by the compiler.

mod node;

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use ticketblitz_core::{Backoff, Timestamp};

use crate::definition::{Definition, Node, Work};
use crate::run::{Data, Failure, Reconciled, Retry, Run, StepError, Verdict};
use crate::state::{NodeKind, NodeShape, Shape};
use crate::{Advance, Advanced, Saga};

/// Marks a definition that has not come to its pivot: what is added can be undone.
#[derive(Debug)]
pub struct BeforePivot;
/// Marks a definition behind its pivot: there is only forward.
#[derive(Debug)]
pub struct AfterPivot;

/// The last node: none yet.
#[derive(Debug)]
pub struct Begin;
/// The last node: the commit that starts the saga.
#[derive(Debug)]
pub struct AtStart;
/// The last node: a step.
#[derive(Debug)]
pub struct AtStep;
/// The last node: a local step.
#[derive(Debug)]
pub struct AtLocal;
/// The last node: a wait.
#[derive(Debug)]
pub struct AtWait;
/// The last node: the pivot.
#[derive(Debug)]
pub struct AtPivot;

mod sealed {
    pub trait Node {}
    impl Node for super::AtStart {}
    impl Node for super::AtStep {}
    impl Node for super::AtLocal {}
    impl Node for super::AtWait {}
    impl Node for super::AtPivot {}
}

/// A last node that can have an undo. Sealed, as the two below are.
pub trait Undoable: sealed::Node {}
impl Undoable for AtStart {}
impl Undoable for AtStep {}
impl Undoable for AtLocal {}
impl Undoable for AtWait {}

/// A last node that may have happened without anybody knowing.
pub trait Doubtful: sealed::Node {}
impl Doubtful for AtStep {}
impl Doubtful for AtWait {}

/// A last node that is tried again when it fails.
pub trait Tried: sealed::Node {}
impl Tried for AtStep {}
impl Tried for AtLocal {}
impl Tried for AtPivot {}

/// A saga being defined: `P` says on which side of the pivot, `L` what was added last.
///
/// ```
/// use ticketblitz_saga::{Retry, Run, Saga, StepError};
///
/// # async fn reserve(run: Run<u32>) -> Result<u32, StepError> { Ok(run.state) }
/// # async fn release(_: Run<u32>) -> Result<(), Retry> { Ok(()) }
/// # async fn sell(run: Run<u32>) -> Result<u32, StepError> { Ok(run.state) }
/// # async fn tell(run: Run<u32>) -> Result<u32, Retry> { Ok(run.state) }
/// let saga = Saga::<u32>::named("order")
///     .step("reserve", reserve).undo(release)
///     .pivot("sell", sell)
///     .step("tell", tell)
///     .build();
/// # assert_eq!(saga.name(), "order");
/// ```
///
/// Behind the pivot there is no undo:
/// ```compile_fail
/// # use ticketblitz_saga::{Retry, Run, Saga, StepError};
/// # async fn release(_: Run<u32>) -> Result<(), Retry> { Ok(()) }
/// # async fn sell(run: Run<u32>) -> Result<u32, StepError> { Ok(run.state) }
/// # async fn tell(run: Run<u32>) -> Result<u32, Retry> { Ok(run.state) }
/// let saga = Saga::<u32>::named("order")
///     .pivot("sell", sell)
///     .step("tell", tell).undo(release)
///     .build();
/// ```
///
/// nor can a step give up, since `Retry` is all it can fail with:
/// ```compile_fail
/// # use ticketblitz_saga::{Retry, Run, Saga, StepError};
/// # async fn sell(run: Run<u32>) -> Result<u32, StepError> { Ok(run.state) }
/// let saga = Saga::<u32>::named("order")
///     .pivot("sell", sell)
///     .step("tell", |run: Run<u32>| async move { Err(StepError::Abort("no".into())) })
///     .build();
/// ```
///
/// and the pivot itself is never undone:
/// ```compile_fail
/// # use ticketblitz_saga::{Retry, Run, Saga, StepError};
/// # async fn release(_: Run<u32>) -> Result<(), Retry> { Ok(()) }
/// # async fn sell(run: Run<u32>) -> Result<u32, StepError> { Ok(run.state) }
/// let saga = Saga::<u32>::named("order").pivot("sell", sell).undo(release).build();
/// ```
#[must_use = "a definition is nothing until `build`"]
pub struct Builder<S, P, L> {
    definition: Definition,
    marker: PhantomData<(S, P, L)>,
}

impl<S, P, L> fmt::Debug for Builder<S, P, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.definition.fmt(f)
    }
}

impl<S: Data> Builder<S, BeforePivot, Begin> {
    pub(crate) fn begin(name: String) -> Self {
        let (shape, data) = (Shape::default(), TypeId::of::<S>());
        let definition = Definition { name, version: 1, data, shape, nodes: Vec::new(), on_failed: None };
        Self { definition, marker: PhantomData }
    }

    /// The version of this definition. A saga that runs finishes on the version it was started with: change the
    /// nodes, raise the version, and register the old one too until none of its sagas is left.
    pub fn version(mut self, version: u32) -> Self {
        self.definition.version = version;
        self
    }

    /// Gives the commit that starts the saga a name in it, so that what that commit stands for can be undone.
    pub fn started(self) -> Builder<S, BeforePivot, AtStart> {
        self.add("started", NodeKind::Start, Work::Start)
    }
}

impl<S: Data, P, L> Builder<S, P, L> {
    fn add<Q, M>(mut self, name: impl Into<String>, kind: NodeKind, work: Work) -> Builder<S, Q, M> {
        let name = name.into();
        let shape = NodeShape { name, kind, undo: false, reconcile: false, give_up_after: None };
        self.definition.shape.nodes.push(shape);
        self.definition.nodes.push(Node { work, undo: None, reconcile: None, backoff: Backoff::default() });
        Builder { definition: self.definition, marker: PhantomData }
    }

    fn last(&mut self) -> (&mut NodeShape, &mut Node) {
        let Definition { shape, nodes, .. } = &mut self.definition;
        shape.nodes.last_mut().zip(nodes.last_mut()).expect("the type says that there is a last node")
    }

    /// The local step that closes a saga after everything was undone; its commit makes the saga failed. Without
    /// one, the last undo does.
    ///
    /// Nothing can be aborted any more: every error means a later try.
    pub fn on_failed<F, R>(mut self, close: F) -> Self
    where
        F: Fn(Run<S>, Failure, Advance) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Advanced, StepError>> + Send + 'static,
    {
        self.definition.on_failed = Some(node::close(close));
        self.definition.shape.on_failed = true;
        self
    }

    /// Ends the definition.
    #[must_use]
    pub fn build(self) -> Saga<S> {
        Saga::from_definition(self.definition)
    }
}

impl<S: Data, L> Builder<S, BeforePivot, L> {
    /// A step: work outside this database, at least once. `step` must therefore recognise its own repeats, by
    /// the run's key for instance.
    pub fn step<F, R>(self, name: impl Into<String>, step: F) -> Builder<S, BeforePivot, AtStep>
    where
        F: Fn(Run<S>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<S, StepError>> + Send + 'static,
    {
        self.add(name, NodeKind::Step, Work::Step(node::step(step)))
    }

    /// A local step: work inside this database, exactly once. `local` hands the [`Advance`] to the service's
    /// store, which applies it in the transaction that does the work.
    pub fn local<F, R>(self, name: impl Into<String>, local: F) -> Builder<S, BeforePivot, AtLocal>
    where
        F: Fn(Run<S>, Advance) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Advanced, StepError>> + Send + 'static,
    {
        self.add(name, NodeKind::Local, Work::Local(node::local(local)))
    }

    /// A wait for one of the signals named by the [`on`](Builder::on)s that follow, until the moment that
    /// `deadline` reads from the data. When it passes, the saga is undone, the wait included: what was waited
    /// for may be on its way.
    pub fn wait<D>(self, name: impl Into<String>, deadline: D) -> Builder<S, BeforePivot, AtWait>
    where
        D: Fn(&S) -> Timestamp + Send + Sync + 'static,
    {
        self.add(name, NodeKind::Wait { signals: Vec::new() }, node::wait(deadline))
    }

    /// The pivot: the step that decides. When it is done the saga only goes forward; when it aborts, everything
    /// before it is undone; anything else means that it is tried again, for as long as it takes. From the moment
    /// at which the saga stands here it can no longer be cancelled.
    pub fn pivot<F, R>(self, name: impl Into<String>, pivot: F) -> Builder<S, AfterPivot, AtPivot>
    where
        F: Fn(Run<S>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<S, StepError>> + Send + 'static,
    {
        self.add(name, NodeKind::Pivot, Work::Step(node::step(pivot)))
    }
}

impl<S: Data, L: Undoable> Builder<S, BeforePivot, L> {
    /// How the last node is undone. At least once; last node first; tried again with backoff, and when it has
    /// failed too often (50 times by default) the other undos run and the saga parks for an operator.
    pub fn undo<F, R>(mut self, undo: F) -> Self
    where
        F: Fn(Run<S>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Retry>> + Send + 'static,
    {
        let (shape, node) = self.last();
        shape.undo = true;
        node.undo = Some(node::undo(undo));
        self
    }
}

impl<S: Data, L: Doubtful> Builder<S, BeforePivot, L> {
    /// How to find out whether the last node happened when that is not known: after
    /// [`Unknown`](StepError::Unknown), a deadline, a cancellation or the last try.
    pub fn reconcile<F, R>(mut self, reconcile: F) -> Self
    where
        F: Fn(Run<S>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Reconciled<S>, Retry>> + Send + 'static,
    {
        let (shape, node) = self.last();
        shape.reconcile = true;
        node.reconcile = Some(node::reconcile(reconcile));
        self
    }
}

impl<S: Data, P, L: Tried> Builder<S, P, L> {
    /// How long to wait between tries of the last node and of its undo.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.last().1.backoff = backoff;
        self
    }
}

impl<S: Data> Builder<S, BeforePivot, AtStep> {
    /// After how many failures in a row the last node is given up, as if it had answered
    /// [`Unknown`](StepError::Unknown). Never by default.
    pub fn give_up_after(mut self, failures: u32) -> Self {
        self.last().0.give_up_after = Some(failures);
        self
    }
}

impl<S: Data> Builder<S, BeforePivot, AtLocal> {
    /// After how many failures in a row the last node is given up and what came before is undone. Never by
    /// default.
    pub fn give_up_after(mut self, failures: u32) -> Self {
        self.last().0.give_up_after = Some(failures);
        self
    }
}

impl<S: Data> Builder<S, BeforePivot, AtWait> {
    /// What the last wait makes of the signal `name`. Pure: it may run more than once, and its effect is the
    /// verdict alone.
    pub fn on<T, F>(mut self, name: impl Into<String>, handler: F) -> Self
    where
        T: serde::de::DeserializeOwned,
        F: Fn(S, T) -> Verdict<S> + Send + Sync + 'static,
    {
        let (shape, node) = self.last();
        node::on(shape, node, name.into(), node::signal(handler));
        self
    }
}

impl<S: Data, L> Builder<S, AfterPivot, L> {
    /// A step behind the pivot: tried again until it is done.
    pub fn step<F, R>(self, name: impl Into<String>, step: F) -> Builder<S, AfterPivot, AtStep>
    where
        F: Fn(Run<S>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<S, Retry>> + Send + 'static,
    {
        let step = Arc::new(step);
        let step = move |run| {
            let step = Arc::clone(&step);
            async move { step(run).await.map_err(StepError::from) }
        };
        self.add(name, NodeKind::Step, Work::Step(node::step(step)))
    }

    /// A local step behind the pivot: tried again until it is done.
    pub fn local<F, R>(self, name: impl Into<String>, local: F) -> Builder<S, AfterPivot, AtLocal>
    where
        F: Fn(Run<S>, Advance) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Advanced, Retry>> + Send + 'static,
    {
        let local = Arc::new(local);
        let local = move |run, advance| {
            let local = Arc::clone(&local);
            async move { local(run, advance).await.map_err(StepError::from) }
        };
        self.add(name, NodeKind::Local, Work::Local(node::local(local)))
    }

    /// A wait behind the pivot: until one of its signals, at the latest until `deadline`. Then the saga goes on.
    pub fn wait<D>(self, name: impl Into<String>, deadline: D) -> Builder<S, AfterPivot, AtWait>
    where
        D: Fn(&S) -> Timestamp + Send + Sync + 'static,
    {
        self.add(name, NodeKind::Wait { signals: Vec::new() }, node::wait(deadline))
    }
}

impl<S: Data> Builder<S, AfterPivot, AtWait> {
    /// What the last wait makes of the signal `name`: the data to go on with, or nothing to wait on.
    pub fn on<T, F>(mut self, name: impl Into<String>, handler: F) -> Self
    where
        T: serde::de::DeserializeOwned,
        F: Fn(S, T) -> Option<S> + Send + Sync + 'static,
    {
        let (shape, node) = self.last();
        let handler = move |state, payload| handler(state, payload).map_or(Verdict::Ignore, Verdict::Go);
        node::on(shape, node, name.into(), node::signal(handler));
        self
    }
}
