//! The state machine of a saga: where it stands and what an input makes of that. Pure: no async, no I/O, no
//! clock; moments come in with the inputs.
//!
//! Positions only ever move one way: forward through the nodes while running, then down the list of undos,
//! then to the close. That is why "still at the same place" can be told by comparing positions alone.

#[cfg(test)]
mod tests;

use ticketblitz_core::Timestamp;

use crate::run::Failure;

/// What a definition looks like to the state machine.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    pub nodes: Vec<NodeShape>,
    pub on_failed: bool,
}

#[derive(Debug, Clone)]
pub struct NodeShape {
    pub name: String,
    pub kind: NodeKind,
    pub undo: bool,
    pub reconcile: bool,
    pub give_up_after: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// The commit that starts the saga. Nothing to run; it may have an undo.
    Start,
    Step,
    Local,
    Pivot,
    Wait {
        signals: Vec<String>,
    },
}

impl Shape {
    fn pivot(&self) -> usize {
        self.nodes.iter().position(|node| node.kind == NodeKind::Pivot).unwrap_or(usize::MAX)
    }

    fn waits_for(&self, node: usize, signal: &str) -> bool {
        matches!(&self.nodes[node].kind, NodeKind::Wait { signals } if signals.iter().any(|s| s == signal))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// At `node`, going forward.
    Running,
    /// About to undo `node`.
    Undoing,
    /// Everything is undone; the closing local step is left.
    Closing,
    Completed,
    Failed,
}

/// When the saga wants to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    Now,
    At(Timestamp),
    /// At the deadline of the wait it stands at.
    Deadline,
    /// When an operator says so.
    Parked,
    Never,
}

/// A saga as it is stored, without its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Rises with every change: who writes names the version it read.
    pub version: u64,
    pub phase: Phase,
    pub node: usize,
    /// Whether `node` happened is not known: look it up before anything else.
    pub doubt: bool,
    /// Failures in a row of what is to be done next.
    pub failures: u32,
    /// The data, as JSON.
    pub state: String,
    /// Somebody asked for the saga to be cancelled, and it is not being undone yet.
    pub cancel: Option<String>,
    pub failure: Option<Failure>,
    /// Nodes to be undone; the last one is next.
    pub undos: Vec<usize>,
    /// Nodes whose undo was given up for now.
    pub owed: Vec<usize>,
    pub wake: Wake,
    /// The last error, for the operator.
    pub error: Option<String>,
}

/// How a piece of work failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Retry,
    Abort,
    Unknown,
}

/// What happened to a saga.
#[derive(Debug, Clone)]
pub enum Input {
    /// The node, the undo or the close was done; the data is now this.
    Done(String),
    /// It was not. `limit` is after how many failures undos, lookups and the close are given up.
    Failed {
        how: How,
        error: String,
        retry_at: Timestamp,
        limit: u32,
    },
    /// A lookup told whether the node happened, and with what data.
    Reconciled(Option<String>),
    /// The wait's time is up.
    DeadlinePassed,
    /// The saga was cancelled and nobody is running the node (any more).
    Interrupted,
    SignalGo(String),
    SignalAbort(String, String),
    Cancel(String),
    /// An operator wants a parked saga tried again.
    Resume,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Run,
    Reconcile,
    Undo,
    Close,
    /// Apply [`Input::Interrupted`].
    Interrupt,
    /// Apply [`Input::DeadlinePassed`].
    PassDeadline,
    /// Nothing before the moment in `wake`, if any.
    Rest,
}

/// What becomes of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Handle,
    Early,
    Ignored,
    Late(crate::Outcome),
}

/// What becomes of a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelRoute {
    Apply,
    /// It is being undone already.
    Already,
    TooLate,
    Finished,
}

impl Row {
    /// A new saga, at its first node that has something to do.
    pub fn begin(shape: &Shape, state: String) -> Self {
        let mut row = Self {
            version: 1,
            phase: Phase::Running,
            node: 0,
            doubt: false,
            failures: 0,
            state,
            cancel: None,
            failure: None,
            undos: Vec::new(),
            owed: Vec::new(),
            wake: Wake::Now,
            error: None,
        };
        let first = shape.nodes.iter().position(|node| node.kind != NodeKind::Start);
        row.go(shape, first.unwrap_or(shape.nodes.len()));
        row
    }

    /// Whether both stand at the same try of the same piece of work, so that its result fits either.
    pub fn same_work(&self, other: &Self) -> bool {
        (self.phase, self.node, self.doubt, self.failures)
            == (other.phase, other.node, other.doubt, other.failures)
    }

    pub fn finished(&self) -> bool {
        matches!(self.phase, Phase::Completed | Phase::Failed)
    }

    pub fn action(&self, shape: &Shape, now: Timestamp) -> Action {
        let due = match self.wake {
            Wake::Now => true,
            Wake::At(at) => at <= now,
            Wake::Deadline | Wake::Parked | Wake::Never => false,
        };
        match self.phase {
            _ if !due => Action::Rest,
            Phase::Completed | Phase::Failed => Action::Rest,
            Phase::Undoing => Action::Undo,
            Phase::Closing => Action::Close,
            Phase::Running if self.doubt => Action::Reconcile,
            Phase::Running if self.cancel.is_some() => Action::Interrupt,
            Phase::Running if matches!(shape.nodes[self.node].kind, NodeKind::Wait { .. }) => {
                Action::PassDeadline
            }
            Phase::Running => Action::Run,
        }
    }

    pub fn route_signal(&self, shape: &Shape, signal: &str) -> Route {
        match self.phase {
            Phase::Completed => Route::Late(crate::Outcome::Completed),
            Phase::Failed => Route::Late(crate::Outcome::Failed),
            Phase::Undoing | Phase::Closing => Route::Late(crate::Outcome::Compensating),
            Phase::Running if self.cancel.is_some() => Route::Late(crate::Outcome::Compensating),
            Phase::Running if shape.waits_for(self.node, signal) => Route::Handle,
            Phase::Running if (self.node + 1..shape.nodes.len()).any(|n| shape.waits_for(n, signal)) => {
                Route::Early
            }
            Phase::Running => Route::Ignored,
        }
    }

    pub fn route_cancel(&self, shape: &Shape) -> CancelRoute {
        match self.phase {
            Phase::Completed | Phase::Failed => CancelRoute::Finished,
            Phase::Undoing | Phase::Closing => CancelRoute::Already,
            Phase::Running if self.node >= shape.pivot() => CancelRoute::TooLate,
            Phase::Running if self.cancel.is_some() => CancelRoute::Already,
            Phase::Running => CancelRoute::Apply,
        }
    }

    /// The row after `input`.
    #[must_use]
    pub fn after(&self, shape: &Shape, input: Input) -> Self {
        let mut next = self.clone();
        next.version += 1;
        match input {
            Input::Done(state) => next.done(shape, state),
            Input::Failed { how, error, retry_at, limit } => next.failed(shape, how, error, retry_at, limit),
            Input::Reconciled(found) => next.reconciled(shape, found),
            Input::DeadlinePassed if next.node > shape.pivot() => next.go(shape, next.node + 1),
            Input::DeadlinePassed => {
                let wait = shape.nodes[next.node].name.clone();
                next.in_doubt(shape, Failure::DeadlinePassed { wait });
            }
            Input::Interrupted => next.interrupt(shape, String::from("cancelled")),
            Input::SignalGo(state) => {
                next.state = state;
                next.failure = None;
                next.go(shape, next.node + 1);
            }
            Input::SignalAbort(state, reason) => {
                next.state = state;
                next.fail(shape, Failure::Aborted(reason), false);
            }
            Input::Cancel(reason) => next.cancel(shape, reason),
            Input::Resume => {
                next.failures = 0;
                next.wake = Wake::Now;
            }
        }
        next
    }

    fn done(&mut self, shape: &Shape, state: String) {
        match self.phase {
            Phase::Running => {
                self.state = state;
                match self.cancel.take() {
                    Some(reason) => self.fail(shape, Failure::Cancelled(reason), true),
                    None => self.go(shape, self.node + 1),
                }
            }
            Phase::Undoing => {
                self.undos.pop();
                self.unwind(shape);
            }
            Phase::Closing => {
                self.state = state;
                self.end(Phase::Failed);
            }
            Phase::Completed | Phase::Failed => {}
        }
    }

    fn failed(&mut self, shape: &Shape, how: How, error: String, retry_at: Timestamp, limit: u32) {
        self.error = Some(error.clone());
        let failures = self.failures.saturating_add(1);
        match self.phase {
            Phase::Running if !self.doubt => return self.node_failed(shape, how, error, retry_at),
            Phase::Undoing if failures >= limit => {
                // The others must not wait for this one: it is owed, and the saga parks when they are done.
                self.owed.splice(0..0, self.undos.pop());
                return self.unwind(shape);
            }
            Phase::Completed | Phase::Failed => return,
            Phase::Running | Phase::Undoing | Phase::Closing => {}
        }
        self.failures = failures;
        self.wake = if failures >= limit { Wake::Parked } else { Wake::At(retry_at) };
    }

    fn node_failed(&mut self, shape: &Shape, how: How, error: String, retry_at: Timestamp) {
        let node = &shape.nodes[self.node];
        let failures = self.failures.saturating_add(1);
        if how == How::Abort && self.node <= shape.pivot() {
            let failure = self.cancel.take().map_or(Failure::Aborted(error), Failure::Cancelled);
            return self.fail(shape, failure, false);
        }
        // From the pivot on there is only forward. A local step that failed has certainly not happened: its
        // effect and the saga's move are one commit.
        let give_up = node.give_up_after.is_some_and(|most| failures >= most);
        let unknown = how == How::Unknown && node.kind == NodeKind::Step;
        if self.node < shape.pivot() && (give_up || unknown || self.cancel.is_some()) {
            return self.interrupt(shape, error);
        }
        self.failures = failures;
        self.wake = Wake::At(retry_at);
    }

    /// Stops trying the node; it may have happened, unless it is local.
    fn interrupt(&mut self, shape: &Shape, error: String) {
        let failure = self.cancel.clone().map_or(Failure::Aborted(error), Failure::Cancelled);
        if shape.nodes[self.node].kind == NodeKind::Local {
            self.cancel = None;
            self.fail(shape, failure, false);
        } else {
            self.in_doubt(shape, failure);
        }
    }

    fn in_doubt(&mut self, shape: &Shape, failure: Failure) {
        if shape.nodes[self.node].reconcile {
            self.doubt = true;
            self.failure = Some(failure);
            self.failures = 0;
            self.wake = Wake::Now;
        } else {
            self.cancel = None;
            self.fail(shape, failure, true);
        }
    }

    fn reconciled(&mut self, shape: &Shape, found: Option<String>) {
        let happened = found.is_some();
        if let Some(state) = found {
            self.state = state;
        }
        match (self.cancel.take(), happened) {
            (Some(reason), _) => self.fail(shape, Failure::Cancelled(reason), happened),
            (None, true) => {
                self.failure = None;
                self.go(shape, self.node + 1);
            }
            (None, false) => {
                let failure = self.failure.take();
                self.fail(shape, failure.unwrap_or_else(|| Failure::Aborted(String::new())), false);
            }
        }
    }

    fn cancel(&mut self, shape: &Shape, reason: String) {
        let waiting = matches!(shape.nodes[self.node].kind, NodeKind::Wait { .. });
        self.cancel = Some(reason);
        self.wake = Wake::Now;
        if waiting && !self.doubt {
            // Nobody is at work here, so that the cancellation need not wait for them. At a step it does:
            // its result, whatever it is, decides whether there is something to undo.
            self.interrupt(shape, String::new());
        }
    }

    fn go(&mut self, shape: &Shape, node: usize) {
        self.node = node;
        self.doubt = false;
        self.failures = 0;
        self.error = None;
        match shape.nodes.get(node).map(|node| &node.kind) {
            None => {
                self.node = node.saturating_sub(1);
                self.end(Phase::Completed);
            }
            Some(NodeKind::Wait { .. }) => self.wake = Wake::Deadline,
            Some(_) => self.wake = Wake::Now,
        }
    }

    /// Begins to undo: everything before this node, and the node too if it may have happened.
    fn fail(&mut self, shape: &Shape, failure: Failure, own: bool) {
        self.failure = Some(failure);
        let end = self.node + usize::from(own);
        self.undos = (0..end).filter(|&node| shape.nodes[node].undo).collect();
        self.unwind(shape);
    }

    fn unwind(&mut self, shape: &Shape) {
        self.doubt = false;
        self.failures = 0;
        self.phase = Phase::Undoing;
        self.wake = Wake::Now;
        if self.undos.is_empty() && !self.owed.is_empty() {
            self.undos = std::mem::take(&mut self.owed);
            self.wake = Wake::Parked;
        }
        match self.undos.last() {
            Some(&node) => self.node = node,
            None if shape.on_failed => self.phase = Phase::Closing,
            None => self.end(Phase::Failed),
        }
    }

    fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.failures = 0;
        self.wake = Wake::Never;
    }
}
