//! What a booking makes durable, from a hold to CONFIRMED and its mail, without anything else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use benches::disk::{self, Disk};
use uuid::Uuid;

/// A commit: in the database of which service, and of how many rows, as few as do what it has to.
type Commit = (&'static str, u64, &'static str);

/// What the buyer waits for: none of them can begin before the one before it is on the disk.
const IN_SERIES: [Commit; 10] = [
    ("booking", 1, "the idempotency key is claimed"),
    ("inventory", 2, "the claim of a hold and of its seat"),
    ("booking", 3, "the booking, its answer, booking.created"),
    ("payment", 3, "the message is taken, the payment, its saga"),
    ("payment", 1, "the charge is about to be sent"),
    ("psp", 2, "the key of a charge, the charge"),
    ("payment", 3, "the payment and its saga know the charge, payment.succeeded"),
    ("booking", 2, "the message is taken, the saga goes on"),
    ("inventory", 1, "the claim is sold"),
    ("booking", 4, "the saga knows that, CONFIRMED, the ticket, booking.confirmed"),
];

/// So many of them come before the answer to `POST /bookings`.
const ANSWERED: usize = 3;

/// What nobody waits for, beside the mail, which is a file of its own. (The positions of the bus are a handful a
/// second, however many are sold.)
const BESIDE: [Commit; 3] = [
    ("event", 2, "the message is taken, the seats are counted"),
    ("notification", 3, "the message is taken, the mail, its saga"),
    ("notification", 2, "SENT, and its saga knows"),
];

/// The databases, on the disk that the system has its own on.
#[derive(Debug, Clone)]
pub(super) struct Floors {
    series: Vec<(Disk, u64)>,
    beside: Vec<(Disk, u64)>,
    mail: PathBuf,
}

impl Floors {
    /// In this directory, which is made.
    pub(super) async fn open(dir: &Path) -> Result<Self, String> {
        std::fs::create_dir(dir).map_err(|error| error.to_string())?;
        let mut files: BTreeMap<&str, Disk> = BTreeMap::new();
        for (service, ..) in IN_SERIES.iter().chain(&BESIDE) {
            if !files.contains_key(service) {
                let disk = Disk::open(dir.join(format!("{service}.db"))).await;
                files.insert(service, disk.map_err(|error| error.to_string())?);
            }
        }
        let mail = dir.join("mail");
        std::fs::create_dir(&mail).map_err(|error| error.to_string())?;
        let of = |commits: &[Commit]| {
            commits.iter().map(|(service, rows, _)| (files[service].clone(), *rows)).collect()
        };
        Ok(Self { series: of(&IN_SERIES), beside: of(&BESIDE), mail })
    }

    /// What comes before a buyer's booking is answered.
    pub(super) async fn until_answered(&self) {
        Self::commit(&self.series[..ANSWERED]).await;
    }

    /// What comes between that and CONFIRMED.
    pub(super) async fn until_confirmed(&self) {
        Self::commit(&self.series[ANSWERED..]).await;
    }

    /// What nobody waits for.
    pub(super) async fn beside(&self) {
        let floors = self.clone();
        let mail = tokio::task::spawn_blocking(move || {
            // As the system lets its own wait.
            platform::apart::step_back();
            floors.deliver();
        });
        Self::commit(&self.beside).await;
        mail.await.expect("the disk is there");
    }

    /// One after the other.
    async fn commit(commits: &[(Disk, u64)]) {
        for (disk, rows) in commits {
            disk.insert(*rows).await.expect("the disk is there");
        }
    }

    /// A file as large as a mail, on the disk.
    fn deliver(&self) {
        let path = self.mail.join(Uuid::now_v7().to_string());
        let written = File::create(path).and_then(|mut file| {
            file.write_all(&[b'.'; 1_500])?;
            file.sync_all()
        });
        written.expect("the disk is there");
    }

    /// How many commits of one row each this disk takes in a second, one after the other.
    pub(super) async fn commits_a_second(&self, times: usize) -> f64 {
        let disk = &self.series[0].0;
        let took = disk::shared(1, times, {
            let disk = disk.clone();
            move || {
                let disk = disk.clone();
                async move { disk.commit().await.expect("the disk is there") }
            }
        });
        #[allow(clippy::cast_precision_loss)] // a rate to be read
        let commits = times as f64;
        commits / took.await.as_secs_f64()
    }

    /// How long what one buyer waits for takes, so many times, one after the other, in milliseconds.
    pub(super) async fn alone(&self, times: usize) -> Vec<f64> {
        let mut took = Vec::new();
        for _ in 0..times {
            let began = Instant::now();
            Self::commit(&self.series).await;
            took.push(began.elapsed().as_secs_f64() * 1e3);
        }
        took
    }
}
