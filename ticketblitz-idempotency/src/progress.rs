//! How far the answer of one execution has come in the handler's own transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const APPLIED: u8 = 1;
const SUPERSEDED: u8 = 2;

/// Shared between an execution and the answers made from it. Only an SQL store moves it on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<AtomicU8>);

#[cfg(feature = "sqlite")]
impl Progress {
    /// Notes that the answer has been written into a transaction, or that the lease has been lost.
    pub(crate) fn note(&self, applied: bool) {
        self.0.store(if applied { APPLIED } else { SUPERSEDED }, Ordering::Release);
    }
}

#[cfg(feature = "axum")]
impl Progress {
    pub(crate) fn is_applied(&self) -> bool {
        self.0.load(Ordering::Acquire) == APPLIED
    }

    pub(crate) fn is_superseded(&self) -> bool {
        self.0.load(Ordering::Acquire) == SUPERSEDED
    }
}
