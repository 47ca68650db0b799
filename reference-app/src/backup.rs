//! `ticketblitz backup`: a copy of the data directory from which a server starts as after a power cut.
//!
//! Databases first, all of one moment. Mails are written before they are noted as sent and never deleted, and keys are
//! made once, so that the files of that moment can be copied after it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::FlockOperation;

use crate::config::BackupArgs;
use crate::out::say;
use crate::role::Role;

/// What SQLite keeps beside a database, and the lock of whoever serves: none of it belongs in a copy.
const NOT_COPIED: [&str; 4] = ["-wal", "-shm", "-journal", "lock"];

pub(crate) async fn run(args: BackupArgs) -> Result<(), String> {
    let began = Instant::now();
    let BackupArgs { dir, data_dir } = args;
    let names = databases(&data_dir)?;
    let _alone = alone(&data_dir)?;
    let partial = Partial::make(&data_dir, &dir)?;
    let mut stop = crate::serve::StopSignals::listen().map_err(|error| error.to_string())?;
    let waited = tokio::select! {
        copied = platform::db::copy_together(&data_dir, &names, &partial.path) => {
            copied.map_err(|error| error.to_string())?
        }
        () = stop.wait() => return Err("stopped; there is no copy".to_owned()),
    };
    let notified = notification::audit::notifications(&partial.path)
        .await
        .map(|all| all.iter().map(|notification| format!("{}.eml", notification.id)).collect::<Vec<_>>());
    // A provider that runs alone sends no mails.
    let notified = if names.contains(&"notification") {
        notified.map_err(|error| error.to_string())?
    } else {
        Vec::new()
    };
    let copied = partial.files(&data_dir, &notified).and_then(|files| partial.finish(&dir).map(|()| files));
    let (files, mails) =
        copied.map_err(|error| format!("the copy in {} cannot be written: {error}", dir.display()))?;
    say!(
        "Copied {} databases of one moment, {mails} mails and {files} other files to {} in {} ms; writers waited {:.1} ms.\n\
         Start it with: cargo run --release -- serve --data-dir {}",
        names.len(),
        dir.display(),
        began.elapsed().as_millis(),
        waited.as_secs_f64() * 1_000.0,
        dir.display(),
    );
    Ok(())
}

/// The databases that are in the directory: those of every role, or of the provider alone.
fn databases(data_dir: &Path) -> Result<Vec<&'static str>, String> {
    if !data_dir.is_dir() {
        return Err(format!("there is no data directory {}; name it with --data-dir", data_dir.display()));
    }
    let roles = Role::EACH.into_iter().filter(|role| *role != Role::Gateway);
    let (there, absent): (Vec<Role>, Vec<Role>) =
        roles.partition(|role| data_dir.join(format!("{role}.db")).exists());
    // The provider may be elsewhere, or be all that there is.
    let whole = absent.iter().all(|role| *role == Role::Psp) || there == [Role::Psp];
    match absent.first() {
        Some(absent) if !whole => Err(format!(
            "there is no {absent}.db in {}: a server has to have been started on it once",
            data_dir.display()
        )),
        _ => Ok(there.into_iter().map(Role::name).collect()),
    }
}

/// Two copies at a time would leave the writers no room between them. Ends with the process, however that ends.
fn alone(data_dir: &Path) -> Result<File, String> {
    let cannot = |what: &dyn std::fmt::Display| format!("{} cannot be copied: {what}", data_dir.display());
    let dir = File::open(data_dir).map_err(|error| cannot(&error))?;
    rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| cannot(&"another copy of it is being made"))?;
    Ok(dir)
}

/// A copy in the making, under a name that nobody takes for a copy. Removed unless it is finished.
struct Partial {
    path: PathBuf,
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Renamed once it is finished; of one that is not, whatever can be removed.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Partial {
    fn make(data_dir: &Path, dir: &Path) -> Result<Self, String> {
        let taken = match fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_some(),
            // A file in the way to it is said below.
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
                    || dir.exists()
            }
        };
        if taken {
            return Err(format!(
                "{} is there already; name a directory that is not, or is empty",
                dir.display()
            ));
        }
        let beside = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = dir.file_name().ok_or_else(|| format!("{} is no name for a copy", dir.display()))?;
        // Nothing is made within the data directory, a way to the copy neither.
        let there = beside.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("."));
        for beside in [there, beside] {
            let used = DirBuilder::new().recursive(true).mode(0o700).create(beside);
            let within =
                used.and_then(|()| Ok(fs::canonicalize(beside)?.starts_with(fs::canonicalize(data_dir)?)));
            match within {
                Ok(false) => {}
                Ok(true) => return Err(format!("{} is within the data directory itself", dir.display())),
                Err(error) => return Err(format!("{} cannot be used: {error}", beside.display())),
            }
        }
        let path = beside.join(format!(".{}.partial-{}", name.to_string_lossy(), std::process::id()));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
        Ok(Self { path })
    }

    /// Copies the keys, and those of the mails that are spoken of. Answers how many.
    fn files(&self, data_dir: &Path, mails: &[String]) -> io::Result<(usize, usize)> {
        let (mut files, mut sent) = (0, 0);
        for entry in fs::read_dir(data_dir)? {
            let name = entry?.file_name();
            let text = name.to_string_lossy();
            let left = NOT_COPIED.iter().any(|end| text.ends_with(end)) || text.ends_with(".db");
            if !left && data_dir.join(&name).is_file() {
                copy(&data_dir.join(&name), &self.path.join(&name))?;
                files += 1;
            }
        }
        if data_dir.join("mail").is_dir() {
            DirBuilder::new().mode(0o700).create(self.path.join("mail"))?;
            for mail in mails {
                // Not sent yet, or tidied away.
                let from = data_dir.join("mail").join(mail);
                if from.is_file() {
                    copy(&from, &self.path.join("mail").join(mail))?;
                    sent += 1;
                }
            }
        }
        Ok((files, sent))
    }

    /// Everything is on the disk before it has the name of a copy.
    fn finish(&self, dir: &Path) -> io::Result<()> {
        flush(&self.path)?;
        fs::rename(&self.path, dir)?;
        let beside = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(beside)?.sync_all()
    }
}

/// All at once: waiting for the disk for each of a hundred thousand mails would take minutes.
#[cfg(target_os = "linux")]
fn flush(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

#[cfg(not(target_os = "linux"))]
fn flush(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            flush(&path)?;
        } else {
            File::open(path)?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut File::open(from)?, &mut copy).map(drop)
}
