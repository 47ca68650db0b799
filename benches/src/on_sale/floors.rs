//! What a booking makes durable, from a hold to CONFIRMED and its mail, without anything else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use benches::disk::{Disk, shared};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// What the buyer waits for, each in the database of its service: none of them can begin before the one before it is
/// on the disk.
const IN_SERIES: [(&str, &str); 10] = [
    ("booking", "the idempotency key is claimed"),
    ("inventory", "the seats are in payment"),
    ("booking", "the booking, its answer and booking.created"),
    ("payment", "the message is taken, the payment and its saga begun"),
    ("payment", "the charge is about to be sent"),
    ("psp", "the provider has charged"),
    ("payment", "the payment and its saga know the charge, payment.succeeded"),
    ("booking", "the message is taken, the saga goes on"),
    ("inventory", "the seats are sold"),
    ("booking", "the saga knows that, CONFIRMED, the tickets, booking.confirmed"),
];

/// What nobody waits for, beside the mail, which is a file of its own. (The positions of the bus are a handful a
/// second, however many are sold.)
const BESIDE: [(&str, &str); 3] = [
    ("event", "the message is taken, the seats are counted"),
    ("notification", "the message is taken, the mail and its saga begun"),
    ("notification", "SENT"),
];

/// The databases, on the disk that the system has its own on.
#[derive(Debug, Clone)]
pub(super) struct Floors {
    series: Vec<Disk>,
    beside: Vec<Disk>,
    mail: PathBuf,
}

impl Floors {
    pub(super) async fn open(dir: &Path) -> Result<Self, String> {
        let mut files: BTreeMap<&str, Disk> = BTreeMap::new();
        for (service, _) in IN_SERIES.iter().chain(&BESIDE) {
            if !files.contains_key(service) {
                let disk = Disk::open(dir.join(format!("floor-{service}.db"))).await;
                files.insert(service, disk.map_err(|error| error.to_string())?);
            }
        }
        let mail = dir.join("floor-mail");
        std::fs::create_dir(&mail).map_err(|error| error.to_string())?;
        let of =
            |commits: &[(&str, &str)]| commits.iter().map(|(service, _)| files[service].clone()).collect();
        Ok(Self { series: of(&IN_SERIES), beside: of(&BESIDE), mail })
    }

    /// One row in each, one after the other.
    async fn commit(disks: &[Disk]) {
        for disk in disks {
            disk.commit().await.expect("the disk is there");
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

    /// Such bookings a second, when `callers` share the commits of each file: the floor of confirmed bookings a
    /// second. It is the commits a second of this disk, times the bookings that one commit carries on, by the commits
    /// of a booking; measured, not computed, since neither factor is known before.
    pub(super) async fn rate(&self, callers: usize, times: usize) -> f64 {
        let (floors, tracker) = (self.clone(), TaskTracker::new());
        let (beside, began) = (tracker.clone(), Instant::now());
        let work = move || {
            let (floors, beside) = (floors.clone(), beside.clone());
            async move {
                Self::commit(&floors.series).await;
                let mail = floors.clone();
                beside.spawn(async move { Self::commit(&floors.beside).await });
                beside.spawn_blocking(move || mail.deliver());
            }
        };
        shared(callers, times, work).await;
        tracker.close();
        tracker.wait().await;
        #[allow(clippy::cast_precision_loss)] // a rate to be read
        let times = times as f64;
        times / began.elapsed().as_secs_f64()
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
