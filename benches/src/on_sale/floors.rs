//! The commits that a buyer waits for, from a hold to CONFIRMED, without anything else.

use std::path::Path;
use std::time::Instant;

use benches::disk::{Disk, shared};

/// In series, each in the database of its service: none of them can begin before the one before it is on the disk.
/// (Positions of the bus, the event's count and the mail are committed beside them, and nobody waits.)
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

/// The databases, on the disk that the system has its own on.
#[derive(Debug, Clone)]
pub(super) struct Floors(Vec<Disk>);

impl Floors {
    pub(super) async fn open(dir: &Path) -> Result<Self, String> {
        let mut files: Vec<(&str, Disk)> = Vec::new();
        let mut series = Vec::new();
        for (service, _) in IN_SERIES {
            let known = files.iter().find(|(name, _)| *name == service).map(|(_, disk)| disk.clone());
            let disk = match known {
                Some(disk) => disk,
                None => {
                    let disk = Disk::open(dir.join(format!("floor-{service}.db"))).await;
                    disk.map_err(|error| error.to_string())?
                }
            };
            files.push((service, disk.clone()));
            series.push(disk);
        }
        Ok(Self(series))
    }

    /// One row in each, one after the other.
    async fn series(self) {
        for disk in &self.0 {
            disk.commit().await.expect("the disk is there");
        }
    }

    /// Such series a second, when `callers` share the commits of each file: the floor of confirmed bookings a
    /// second. It is the commits a second of this disk, times the series that one commit carries on, by their
    /// number in a series; measured, not computed, since neither factor is known before.
    pub(super) async fn rate(&self, callers: usize, times: usize) -> f64 {
        let floors = self.clone();
        let took = shared(callers, times, move || floors.clone().series()).await;
        #[allow(clippy::cast_precision_loss)] // a rate to be read
        let times = times as f64;
        times / took.as_secs_f64()
    }

    /// How long each of so many series takes, one after the other, in milliseconds: the floor of one buyer.
    pub(super) async fn alone(&self, times: usize) -> Vec<f64> {
        let mut took = Vec::new();
        for _ in 0..times {
            let began = Instant::now();
            self.clone().series().await;
            took.push(began.elapsed().as_secs_f64() * 1e3);
        }
        took
    }
}
