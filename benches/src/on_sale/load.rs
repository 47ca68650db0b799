//! Many clients, each with a connection of its own, who ask one after the other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::wire::Connection;

/// Requests that are prepared, to be asked in turn; from the first again when there are no more.
#[derive(Debug)]
pub(super) struct Requests {
    prepared: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl Requests {
    pub(super) fn new(prepared: Vec<Vec<u8>>) -> Arc<Self> {
        Arc::new(Self { prepared, next: AtomicUsize::new(0) })
    }

    fn next(&self) -> &[u8] {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        &self.prepared[next % self.prepared.len()]
    }
}

/// What a load came to.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) took: Duration,
    /// How many answers of which status.
    pub(super) answers: BTreeMap<u16, usize>,
}

impl Load {
    /// Requests a second, if every answer had this status.
    pub(super) fn rate(&self, expected: u16) -> Result<f64, String> {
        let all: usize = self.answers.values().sum();
        if self.answers.get(&expected) != Some(&all) {
            return Err(format!("answers by status: {:?}, where {expected} was expected", self.answers));
        }
        #[allow(clippy::cast_precision_loss)] // a rate to be read
        Ok(all as f64 / self.took.as_secs_f64())
    }
}

/// Clients with open connections.
#[derive(Debug)]
pub(super) struct Clients(Vec<Connection>);

impl Clients {
    pub(super) async fn connect(address: SocketAddr, count: usize) -> Result<Self, String> {
        let mut opening = JoinSet::new();
        for _ in 0..count {
            opening.spawn(Connection::open(address));
        }
        let mut open = Vec::with_capacity(count);
        while let Some(opened) = opening.join_next().await {
            open.push(opened.map_err(|error| error.to_string())??);
        }
        Ok(Self(open))
    }

    /// All of them ask until `times` requests have been answered.
    pub(super) async fn ask(&mut self, requests: &Arc<Requests>, times: usize) -> Result<Load, String> {
        let asked = Arc::new(AtomicUsize::new(0));
        let mut asking = JoinSet::new();
        let began = Instant::now();
        for mut connection in self.0.drain(..) {
            let (requests, asked) = (Arc::clone(requests), Arc::clone(&asked));
            asking.spawn(async move {
                let mut answers = BTreeMap::new();
                while asked.fetch_add(1, Ordering::Relaxed) < times {
                    let status = connection.exchange(requests.next()).await?.status;
                    *answers.entry(status).or_insert(0) += 1;
                }
                Ok::<_, String>((connection, answers))
            });
        }
        let mut load = Load::default();
        while let Some(ended) = asking.join_next().await {
            let (connection, answers) = ended.map_err(|error| error.to_string())??;
            self.0.push(connection);
            for (status, count) in answers {
                *load.answers.entry(status).or_insert(0) += count;
            }
        }
        load.took = began.elapsed();
        Ok(load)
    }
}
