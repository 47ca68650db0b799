//! Executing under a key, with or without HTTP.

mod held;
mod running;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

pub(crate) use held::Held;
use running::Running;

use crate::{
    Claim, ClaimRequest, Error, Fingerprint, Finished, IdempotencyStore, Key, Scope, StoredResponse,
};

/// Pauses between looks at a key that another process executes under. A run in this process wakes its
/// duplicates itself.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What a duplicate does while the first execution is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InFlightPolicy {
    /// Waits for its answer and gets the same; refused after `at_most`.
    Wait {
        /// Longest wait.
        at_most: Duration,
    },
    /// Is refused at once.
    Refuse,
}

/// Runs operations once per key. Clones share everything.
///
/// While an operation runs, its lease is renewed. If the lease is lost all the same (the process stood still
/// for longer than the lease, and another took the key), what this execution would answer is discarded and
/// the other's answer is given.
///
/// **Abandoned keys are run again.** If a process dies in the middle, its lease expires and the next try
/// executes: nobody knows how far the first one came. So an operation must be safe to run again after a crash
/// at any point: pass the key on to a payment provider, or keep all effects in one transaction with the
/// answer ([`sqlite::Finish`](crate::sqlite::Finish)).
#[derive(Debug, Clone)]
pub struct Keys {
    store: Arc<dyn IdempotencyStore>,
    running: Running,
    lease: Duration,
    in_flight: InFlightPolicy,
}

/// What asking to execute came to.
pub(crate) enum Admitted {
    Run(Held),
    Replay(StoredResponse),
}

impl Keys {
    /// Keys in `store`; an `Arc<dyn IdempotencyStore>` is a store too.
    #[must_use]
    pub fn new(store: impl IdempotencyStore) -> Self {
        Self {
            store: Arc::new(store),
            running: Running::default(),
            lease: Duration::from_secs(30),
            in_flight: InFlightPolicy::Wait { at_most: Duration::from_secs(10) },
        }
    }

    /// How long after a crash a key can be claimed again; 30 s by default. Renewed at a third of it.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// What a duplicate does while the first is running; by default it waits for 10 s.
    #[must_use]
    pub fn in_flight(mut self, policy: InFlightPolicy) -> Self {
        self.in_flight = policy;
        self
    }

    /// Runs `operation`, unless it has run under this key before: then the value is the one it had.
    ///
    /// `request` is what is asked for: the same key with another request is refused. An `operation` that fails
    /// leaves the key free, so its error must mean that nothing has happened, or that it may happen again.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ticketblitz_core::SystemClock;
    /// use ticketblitz_idempotency::{Error, Key, Keys, MemoryStore, Scope};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// let keys = Keys::new(MemoryStore::new(Arc::new(SystemClock)));
    /// let key = Key::new("order-7")?;
    /// let charge = |receipt| async move { Ok::<_, Error>(format!("receipt {receipt}")) };
    /// let first = keys.execute(Scope::user("ann"), key.clone(), &("ann", 500), || charge(1)).await?;
    /// let again = keys.execute(Scope::user("ann"), key, &("ann", 500), || charge(2)).await?;
    /// assert_eq!((first.as_str(), again.as_str()), ("receipt 1", "receipt 1"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cancellation: dropping the future drops `operation` where it stands and frees the key. Spawn it if it
    /// must not be left half done. Dropped after `operation` has ended, its value is stored or not, and if not, the key
    /// is free when the lease ends and not before.
    ///
    /// # Errors
    /// What `operation` failed with. [`Error::Mismatch`] if the key stands for another request,
    /// [`Error::InFlight`] if the first execution is still running, [`Error::Json`] if the request or the value
    /// does not go into JSON, [`Error::Backend`] if the store failed: both after the operation too, when it has
    /// happened, its value is lost, and the key is free when the lease ends.
    pub async fn execute<T, E, F, Fut>(
        &self,
        scope: Scope,
        key: Key,
        request: &(impl Serialize + ?Sized),
        operation: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<Error>,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let claim = self.claim(scope, key, Fingerprint::of(request)?);
        let mut held = match self.admit(&claim).await? {
            Admitted::Replay(stored) => return Ok(decode(&stored)?),
            Admitted::Run(held) => held,
        };
        match held.renewing(operation()).await {
            Ok(value) => {
                held.happened();
                let stored = StoredResponse::json(200, &value)?;
                match self.settle(held, &stored).await? {
                    Finished::Stored => Ok(value),
                    Finished::Superseded(winner) => Ok(decode(&winner)?),
                }
            }
            Err(error) => {
                held.release().await;
                Err(error)
            }
        }
    }

    pub(crate) fn claim(&self, scope: Scope, key: Key, fingerprint: Fingerprint) -> ClaimRequest {
        ClaimRequest::new(scope, key, fingerprint, self.lease)
    }

    /// Claims the key, waiting for whoever executes under it as the policy says.
    pub(crate) async fn admit(&self, request: &ClaimRequest) -> Result<Admitted, Error> {
        let at_most = match self.in_flight {
            InFlightPolicy::Wait { at_most } => at_most,
            InFlightPolicy::Refuse => Duration::ZERO,
        };
        let deadline = Instant::now() + at_most;
        let mut pause = FIRST_LOOK;
        loop {
            let retry_after = match self.store.claim(request).await? {
                Claim::Execute(lease) => {
                    let run = self.running.begin(&lease);
                    return Ok(Admitted::Run(Held::new(Arc::clone(&self.store), lease, run)));
                }
                Claim::Replay(response) => return Ok(Admitted::Replay(response)),
                Claim::Mismatch => return Err(Error::Mismatch),
                Claim::InFlight { retry_after } => retry_after,
            };
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                return Err(Error::InFlight { retry_after });
            }
            self.running.ended(request, pause.min(remaining)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Stores the answer. An execution that has lost its lease gets the answer of the one that took it, for
    /// which it waits as a duplicate does; if that one gave the key up, the answer at hand is stored after all.
    pub(crate) async fn settle(&self, mut held: Held, response: &StoredResponse) -> Result<Finished, Error> {
        loop {
            let request = held.lease().claim().clone();
            match held.finish(response).await {
                Err(Error::Superseded) => {}
                settled => return settled,
            }
            tracing::warn!(key = %request.key, "an execution outlived its lease");
            match self.admit(&request).await? {
                Admitted::Replay(winner) => return Ok(Finished::Superseded(winner)),
                Admitted::Run(next) => held = next,
            }
        }
    }
}

fn decode<T: DeserializeOwned>(stored: &StoredResponse) -> Result<T, Error> {
    serde_json::from_slice(&stored.body).map_err(Error::Json)
}
