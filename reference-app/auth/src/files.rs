//! Files that only their owner may read.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

const OWNER_ONLY: u32 = 0o600;

/// Makes sure that the file exists and that only its owner may read it. SQLite gives the files beside a
/// database the database's own permissions.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    open(path, false).map(drop)
}

/// Writes a file that only its owner may read; what is in it is on the disk when this returns.
pub(crate) fn write_private(path: &Path, content: &str) -> io::Result<()> {
    let mut file = open(path, true)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

fn open(path: &Path, truncate: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(truncate).mode(OWNER_ONLY).open(path)?;
    // An older file keeps its mode when it is opened.
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    Ok(file)
}
