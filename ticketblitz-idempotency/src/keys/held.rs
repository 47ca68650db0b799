//! A lease in use.

use std::sync::Arc;
use std::time::Duration;

use super::running::Run;
use crate::{Error, Finished, IdempotencyStore, Lease, StoredResponse};

/// A lease that is being executed under. Dropped in the middle of the operation, by a panic or a cancelled caller, it
/// releases the key from a task of its own. Dropped after it, it leaves the lease to run out: a free key would let the
/// next try do again what has been done.
#[derive(Debug)]
#[must_use]
pub(crate) struct Held {
    store: Arc<dyn IdempotencyStore>,
    lease: Lease,
    /// `None` once released. It goes with the release, so that duplicates wake when the key is free.
    run: Option<Run>,
    happened: bool,
}

impl Held {
    pub(super) fn new(store: Arc<dyn IdempotencyStore>, lease: Lease, run: Run) -> Self {
        Self { store, lease, run: Some(run), happened: false }
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Runs `operation`, renewing the lease beside it.
    pub(crate) async fn renewing<F: Future>(&self, operation: F) -> F::Output {
        tokio::select! {
            output = operation => output,
            never = self.renew_for_ever() => match never {},
        }
    }

    async fn renew_for_ever(&self) -> std::convert::Infallible {
        let pause = (self.lease.claim().lease / 3).max(Duration::from_millis(1));
        loop {
            tokio::time::sleep(pause).await;
            match self.store.renew(&self.lease).await {
                Ok(()) => {}
                // Finishing finds out what the other execution answered; until then the operation goes on,
                // because stopping it in the middle would be worse.
                Err(Error::Superseded) => std::future::pending().await,
                Err(error) => {
                    tracing::warn!(%error, key = %self.lease.claim().key, "cannot renew a lease");
                }
            }
        }
    }

    /// The operation has ended and is not to be repeated: whatever comes now, the key is not freed.
    pub(crate) fn happened(&mut self) {
        self.happened = true;
    }

    /// Stores the answer.
    pub(super) async fn finish(mut self, response: &StoredResponse) -> Result<Finished, Error> {
        // Before the store is asked: whoever is dropped while it answers has not stored anything, perhaps.
        self.happened();
        self.store.finish(&self.lease, response).await
    }

    /// Ends without writing: the answer is stored already.
    #[cfg(feature = "axum")]
    pub(crate) fn forget(mut self) {
        self.happened();
    }

    /// Frees the key.
    pub(crate) async fn release(mut self) {
        let run = self.run.take();
        release(&*self.store, &self.lease).await;
        drop(run);
    }
}

async fn release(store: &dyn IdempotencyStore, lease: &Lease) {
    if let Err(error) = store.release(lease).await {
        tracing::warn!(%error, key = %lease.claim().key, "cannot release a key; it is free when its lease ends");
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(run) = self.run.take().filter(|_| !self.happened) else { return };
        // Without a runtime the process is ending, and the lease with it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (store, lease) = (Arc::clone(&self.store), self.lease.clone());
        runtime.spawn(async move {
            release(&*store, &lease).await;
            drop(run);
        });
    }
}
