//! What nobody asks for: payments that lapse, and a lock that has to catch up with the store.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::desk::Desk;

/// How long a lapsed payment keeps its places at the most; a buyer's own request takes them at once.
const EVERY: Duration = Duration::from_secs(1);

/// Looks after the desk until it is told to stop.
pub(crate) async fn run(desk: Arc<Desk>, shutdown: CancellationToken) {
    let work = async {
        if let Err(error) = desk.refresh().await {
            tracing::warn!(%error, "events are loaded into the seat lock when they are first asked for");
        }
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = desk.sweep().await {
                tracing::warn!(%error, "lapsed payments could not be freed");
            }
        }
    };
    // Dropping it is safe: each step is one transaction or one load, and the next start goes on.
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}
