//! How many connections there may be, and what becomes of the next one.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Limits, refusal};
use crate::problem::{Problem, kinds};

/// Connections that are being turned away at the same time; more are closed without a word.
const TURNED_AWAY_AT_ONCE: usize = 64;
/// For whoever is turned away to take the answer.
const FAREWELL: Duration = Duration::from_secs(2);

/// The places of one port.
#[derive(Debug)]
pub(super) struct Room {
    port: Arc<Semaphore>,
    process: Arc<Semaphore>,
    door: Arc<Semaphore>,
}

/// A connection's place; free when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _port: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

impl Room {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            port: Arc::new(Semaphore::new(limits.connections)),
            process: Arc::clone(&limits.process),
            door: Arc::new(Semaphore::new(TURNED_AWAY_AT_ONCE)),
        }
    }

    pub(super) fn enter(&self) -> Option<Place> {
        let port = Arc::clone(&self.port).try_acquire_owned().ok()?;
        let process = Arc::clone(&self.process).try_acquire_owned().ok()?;
        Some(Place { _port: port, _process: process })
    }

    /// Says that there is no room: 503, and the end of the connection.
    pub(super) fn turn_away(&self, stream: TcpStream) {
        metrics::counter!("connections_turned_away_total").increment(1);
        let Ok(at_the_door) = Arc::clone(&self.door).try_acquire_owned() else { return };
        tokio::spawn(async move {
            if tokio::time::timeout(FAREWELL, farewell(stream)).await.is_err() {
                tracing::debug!("somebody who was turned away did not go");
            }
            drop(at_the_door);
        });
    }
}

async fn farewell(mut stream: TcpStream) -> std::io::Result<()> {
    let problem = Problem::new(kinds::OVERLOADED, "there are too many connections");
    stream.write_all(&refusal::bytes(problem.retry_after(Duration::from_secs(1)))).await?;
    stream.shutdown().await?;
    // A request that is left unread would break the connection before the answer is taken.
    let mut unread = [0; 4_096];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
