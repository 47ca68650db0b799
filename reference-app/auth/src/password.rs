//! Hashing passwords: Argon2id, off the runtime's threads, as many at a time as there are cores.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rand::Rng;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;

/// OWASP's choice for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Checks that may wait for each core. One takes some 25 ms, so the last in the queue waits about three seconds.
const QUEUE_PER_CORE: usize = 128;

/// Hashes and checks passwords. Clones share the queue.
#[derive(Clone)]
pub struct Passwords {
    /// Each check costs a core and 19 MiB for its whole time; more at once would only make all of them slow.
    running: Arc<Semaphore>,
    /// Who is beyond these is told so at once: they would have given up before their turn.
    admitted: Arc<Semaphore>,
    /// What is checked for an account that does not exist, so that the answer takes as long.
    decoy: Arc<str>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

impl Passwords {
    /// Sized for this machine. Costs one hash.
    pub async fn new() -> Result<Self, Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::sized(cores, cores * QUEUE_PER_CORE).await
    }

    async fn sized(running: usize, waiting: usize) -> Result<Self, Error> {
        let nobodys: [u8; 32] = rand::rng().random();
        let decoy = tokio::task::spawn_blocking(move || hash(&nobodys)).await??;
        Ok(Self {
            running: Arc::new(Semaphore::new(running)),
            admitted: Arc::new(Semaphore::new(running + waiting)),
            decoy: decoy.into(),
        })
    }

    /// The hash to store for `password`, in PHC form.
    pub async fn hash(&self, password: String) -> Result<String, Error> {
        self.run(move || hash(password.as_bytes())).await?.map_err(Error::from)
    }

    /// Whether `password` is the one that `stored` was made of. With no `stored` it is not, after the same time.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, Error> {
        let known = stored.is_some();
        let against = stored.unwrap_or_else(|| self.decoy.to_string());
        let matches = self.run(move || verify(password.as_bytes(), &against)).await??;
        Ok(known && matches)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Error::Overloaded)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Error::Overloaded)?;
        // The permits go along: work whose caller has hung up still occupies its core.
        let work = move |_permits: (OwnedSemaphorePermit, OwnedSemaphorePermit)| work();
        Ok(tokio::task::spawn_blocking(move || work((admitted, running))).await?)
    }
}

fn hash(password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within bounds");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password(password).map(|hash: PasswordHash| hash.to_string())
}

fn verify(password: &[u8], stored: &str) -> Result<bool, argon2::password_hash::Error> {
    use argon2::password_hash::Error::PasswordInvalid;
    let stored = PasswordHash::new(stored)?;
    // The parameters are those of the stored hash.
    match Argon2::default().verify_password(password, &stored) {
        Ok(()) => Ok(true),
        Err(PasswordInvalid) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let passwords = Passwords::sized(1, 8).await.expect("made");
        let stored = passwords.hash("correct horse".into()).await.expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(passwords.verify("correct horse".into(), Some(stored.clone())).await.expect("checked"));
        assert!(!passwords.verify("correct horsf".into(), Some(stored)).await.expect("checked"));
        assert!(!passwords.verify("correct horse".into(), None).await.expect("checked"));
    }

    #[tokio::test]
    async fn the_queue_has_an_end_and_frees_again() {
        let passwords = Passwords::sized(1, 1).await.expect("made");
        let held = Arc::clone(&passwords.running).acquire_owned().await.expect("free");
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.verify("x".into(), None).await })
            })
            .collect();
        while passwords.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(passwords.verify("x".into(), None).await, Err(Error::Overloaded)));
        drop(held);
        for one in waiting {
            assert!(!one.await.expect("no panic").expect("checked"));
        }
        assert!(!passwords.verify("x".into(), None).await.expect("room again"));
    }
}
