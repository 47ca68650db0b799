//! Changes that a crash, or an answer that never came, has left between the inventory and here.

use std::sync::Arc;

use ticketblitz_core::Backoff;
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;

/// Finishes them, this start's and those of the process before, trying until the inventory answers.
pub(crate) async fn finish(catalog: Arc<Catalog>, shutdown: CancellationToken) {
    let work = async {
        let (backoff, mut failures) = (Backoff::default(), 0);
        loop {
            match catalog.settle_all().await {
                Ok(()) => {
                    failures = 0;
                    catalog.left_half_done().await;
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, "a change of an event is not finished yet");
                    tokio::time::sleep(backoff.delay(failures)).await;
                }
            }
        }
    };
    // Dropping it is safe: what is half done is found by the next start.
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}
