//! Handing mails to whoever delivers them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use contract::NotificationId;
use tokio::sync::{mpsc, oneshot};

/// Delivers mails.
#[async_trait]
pub trait Mailer: Send + Sync + std::fmt::Debug + 'static {
    /// Delivers an RFC 5322 text. Once this is `Ok` the mail is not lost any more; a repeat under the same id
    /// replaces the first.
    ///
    /// # Errors
    /// It may not have been delivered.
    async fn send(&self, id: NotificationId, mail: Vec<u8>) -> io::Result<()>;

    /// The mail as it was sent, where that can be told.
    ///
    /// # Errors
    /// It cannot be read.
    async fn sent(&self, id: NotificationId) -> io::Result<Option<Vec<u8>>>;
}

/// Mails whose names reach the disk together at the most.
const BATCH: usize = 256;
/// Where mails come more often than this, the next wait as long for one another; one that comes alone waits for none.
const GATHER: Duration = Duration::from_millis(10);

/// Leaves each mail as a file `{id}.eml`, for a mail program to open or to pick up. Mails that wait share the
/// directory's way to the disk.
#[derive(Debug, Clone)]
pub struct FileMailer {
    dir: PathBuf,
    letters: mpsc::Sender<Letter>,
}

#[derive(Debug)]
struct Letter {
    id: NotificationId,
    mail: Vec<u8>,
    answer: oneshot::Sender<io::Result<()>>,
}

impl FileMailer {
    /// In this directory, which is made if it is not there. The thread that writes ends with the last clone.
    ///
    /// # Errors
    /// It cannot be made.
    pub async fn open(dir: PathBuf) -> io::Result<Self> {
        tokio::fs::create_dir_all(&dir).await?;
        let (letters, mut waiting) = mpsc::channel(BATCH);
        let into = dir.clone();
        std::thread::Builder::new().name("mail-writer".to_owned()).spawn(move || {
            // A mail costs as much as a tenth of a booking and more, and its buyer knows already.
            platform::apart::step_back();
            let (mut batch, mut delivered) = (Vec::new(), None::<Instant>);
            while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
                if delivered.is_some_and(|last| last.elapsed() < GATHER) {
                    #[allow(clippy::disallowed_methods)] // a thread of its own: it blocks no runtime
                    std::thread::sleep(GATHER);
                    while batch.len() < BATCH
                        && let Ok(letter) = waiting.try_recv()
                    {
                        batch.push(letter);
                    }
                }
                deliver(&into, &mut batch);
                delivered = Some(Instant::now());
            }
        })?;
        Ok(Self { dir, letters })
    }
}

#[async_trait]
impl Mailer for FileMailer {
    async fn send(&self, id: NotificationId, mail: Vec<u8>) -> io::Result<()> {
        let ended = || io::Error::other("the thread that writes mails has ended");
        let (answer, answered) = oneshot::channel();
        self.letters.send(Letter { id, mail, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    async fn sent(&self, id: NotificationId) -> io::Result<Option<Vec<u8>>> {
        match tokio::fs::read(self.dir.join(format!("{id}.eml"))).await {
            Ok(mail) => Ok(Some(mail)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Each whole or not at all, and on the disk: the files under their names first, then the names.
fn deliver(dir: &Path, letters: &mut Vec<Letter>) {
    // Again, in case somebody tidied it away.
    let made = fs::create_dir_all(dir);
    let written = letters.drain(..).map(|letter| {
        let result = made.as_ref().map_err(again).and_then(|()| write(dir, letter.id, &letter.mail));
        (letter.answer, result)
    });
    let written: Vec<_> = written.collect();
    let named = File::open(dir).and_then(|dir| dir.sync_all());
    for (answer, result) in written {
        // The sender may have gone; the mail stays all the same.
        let _ = answer.send(result.and_then(|()| named.as_ref().map(drop).map_err(again)));
    }
}

/// For nobody else's eyes: a ticket's code is the ticket.
fn write(dir: &Path, id: NotificationId, mail: &[u8]) -> io::Result<()> {
    let part = dir.join(format!(".{id}.part"));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
    file.write_all(mail)?;
    file.sync_all()?;
    fs::rename(&part, dir.join(format!("{id}.eml")))
}

/// The same error for one more mail.
fn again(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_repeat_replaces_and_a_directory_that_went_is_made_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let mailer = FileMailer::open(dir.path().join("mail")).await.expect("opens");
        let id = NotificationId::new();
        mailer.send(id, b"first".to_vec()).await.expect("sent");
        mailer.send(id, b"again".to_vec()).await.expect("sent");
        assert_eq!(mailer.sent(id).await.expect("read").as_deref(), Some(&b"again"[..]));
        let files: Vec<_> = fs::read_dir(dir.path().join("mail")).expect("mails").collect();
        assert_eq!(files.len(), 1);
        let file = files[0].as_ref().expect("a file").metadata().expect("its mode");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(dir.path().join("mail")).expect("removed");
        assert_eq!(mailer.sent(id).await.expect("read"), None);
        mailer.send(id, b"third".to_vec()).await.expect("sent");
    }

    #[tokio::test]
    async fn a_mail_that_cannot_be_kept_is_not_sent() {
        let dir = tempfile::tempdir().expect("a directory");
        let mailer = FileMailer::open(dir.path().join("mail")).await.expect("opens");
        fs::remove_dir(dir.path().join("mail")).expect("removed");
        fs::write(dir.path().join("mail"), "in the way").expect("written");
        mailer.send(NotificationId::new(), b"mail".to_vec()).await.expect_err("no directory");
    }
}
