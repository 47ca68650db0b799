//! The process's metrics.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use ticketblitz_core::sqlite::Sqlite;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Seconds: from a lookup in memory to a payment provider that takes its time.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0];

/// The handle that renders the metrics. The first call makes this process record them: one recorder serves all
/// the roles in it.
pub fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).expect("there are buckets");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another recorder takes the metrics; /metrics stays empty");
        }
        handle
    })
}

/// The databases whose commits are counted, by name.
static COMMITS: Mutex<Vec<(String, watch::Receiver<u64>)>> = Mutex::new(Vec::new());

/// From now on the metrics tell how many commits `db` has made since it was opened: beside the requests, how many share
/// one.
pub fn count_commits(name: &str, db: &Sqlite) {
    let mut databases = COMMITS.lock().unwrap_or_else(PoisonError::into_inner);
    // Of two under one name, the one that is open is meant.
    databases.retain(|(other, commits)| other != name && commits.has_changed().is_ok());
    databases.push((name.to_owned(), db.commits()));
}

/// All metrics of the process as text.
pub fn render() -> String {
    let handle = metrics();
    for (name, commits) in COMMITS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        metrics::counter!("sqlite_commits_total", "database" => name.clone()).absolute(*commits.borrow());
    }
    handle.render()
}

/// Folds what was measured into its sums until `shutdown`: without it, measurements pile up until somebody asks
/// for the metrics.
pub async fn upkeep(shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics().run_upkeep();
    }
}
