//! Which databases a data directory has had.
//!
//! SQLite takes an empty file, and one that is not there, for a new database. Where there has been one, that would be
//! a sale that begins anew with every seat free.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::service::StartError;

/// One name a line.
const FILE: &str = "databases";

/// The databases that were opened in a directory at any time.
pub(super) struct Kept {
    file: PathBuf,
    names: String,
}

impl Kept {
    pub(super) fn read(dir: &Path) -> Result<Self, StartError> {
        let file = dir.join(FILE);
        match std::fs::read_to_string(&file) {
            Ok(names) => Ok(Self { file, names }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self { file, names: String::new() }),
            Err(error) => Err(StartError(format!("{} cannot be read: {error}", file.display()))),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.names.lines().any(|kept| kept == name)
    }

    /// A database that was here is here still.
    pub(super) fn expect(&self, path: &Path, name: &str) -> Result<(), StartError> {
        let there = path.metadata().is_ok_and(|file| file.len() > 0);
        if self.has(name) && !there {
            return Err(StartError(format!(
                "{} is gone or empty, and what was in it with it; restore the data directory from a copy",
                path.display()
            )));
        }
        Ok(())
    }

    pub(super) fn add(&self, name: &str) -> Result<(), StartError> {
        if self.has(name) {
            return Ok(());
        }
        let written = || {
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.file)?;
            file.write_all(format!("{name}\n").as_bytes())?;
            file.sync_all()
        };
        written().map_err(|error| StartError(format!("{} cannot be written: {error}", self.file.display())))
    }
}
