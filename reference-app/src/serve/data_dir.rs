//! The data directory and its one owner.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use platform::StartError;
use rand::distr::{Alphanumeric, SampleString};
use rustix::fs::FlockOperation;

use crate::config::SECRET_LENGTH;

/// A data directory that no other process serves from. The lock goes with the process, however it ends.
pub(super) struct Owned {
    _lock: File,
    /// What proves to a role that another role calls.
    pub(super) service_secret: String,
}

/// Makes the directory if there is none and takes it for this process.
pub(super) fn own(dir: &Path) -> Result<Owned, StartError> {
    let cannot = |what: &str, error: &dyn std::fmt::Display| {
        StartError::new(format!("{what} {}: {error}; choose another with --data-dir", dir.display()))
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| cannot("cannot make the data directory", &error))?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(dir.join("lock"))
        .map_err(|error| cannot("cannot write in the data directory", &error))?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| cannot("another process serves from", &"one process owns a data directory"))?;
    let service_secret = service_secret(&dir.join("service-secret"))
        .map_err(|error| cannot("cannot keep a secret in", &error))?;
    Ok(Owned { _lock: lock, service_secret })
}

/// Made once: tokens of one start are good after the next.
fn service_secret(path: &Path) -> std::io::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(secret) if secret.len() >= SECRET_LENGTH => return Ok(secret),
        Ok(_) => {} // cut off by a crash while it was first written
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let secret = Alphanumeric.sample_string(&mut rand::rng(), 43);
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_and_keeps_its_secret() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("data");
        let first = own(&path).expect("owned");
        let refused = own(&path).err().expect("a second owner").to_string();
        assert!(refused.contains("another process serves from"), "{refused}");
        let secret = first.service_secret.clone();
        drop(first);
        assert_eq!(own(&path).expect("owned again").service_secret, secret);
    }
}
