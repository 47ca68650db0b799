//! What this process is executing, so that duplicates wake the moment it ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::{ClaimRequest, Key, Lease, Scope};

type Name = (Scope, Key);

/// Wakes duplicates. It decides nothing: whoever wakes asks the store.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<Name, Entry>>>);

#[derive(Debug)]
struct Entry {
    sequence: u64,
    ended: watch::Receiver<()>,
}

/// One execution; dropping it wakes its duplicates.
#[derive(Debug)]
pub(crate) struct Run {
    runs: Running,
    name: Name,
    sequence: u64,
    /// Held for its drop, which is what the receivers wait for.
    _ends: watch::Sender<()>,
}

impl Running {
    pub(super) fn begin(&self, lease: &Lease) -> Run {
        let (ends, ended) = watch::channel(());
        let name = (lease.claim().scope.clone(), lease.claim().key.clone());
        let sequence = lease.sequence();
        self.entries().insert(name.clone(), Entry { sequence, ended });
        Run { runs: self.clone(), name, sequence, _ends: ends }
    }

    /// Until the execution under this key ends, if it is one of this process, and for `at_most` in any case.
    pub(super) async fn ended(&self, request: &ClaimRequest, at_most: Duration) {
        let name = (request.scope.clone(), request.key.clone());
        let run = self.entries().get(&name).map(|entry| entry.ended.clone());
        let ended = async {
            match run {
                // Nothing is ever sent: this returns when the sender is dropped.
                Some(mut run) => drop(run.changed().await),
                None => std::future::pending().await,
            }
        };
        // Running out of time is not a failure: the caller looks at the store either way.
        let _ = tokio::time::timeout(at_most, ended).await;
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Name, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut entries = self.runs.entries();
        // A later execution under the same key may have taken the place.
        if entries.get(&self.name).is_some_and(|entry| entry.sequence == self.sequence) {
            entries.remove(&self.name);
        }
    }
}
