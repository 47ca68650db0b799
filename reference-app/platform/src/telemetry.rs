//! Logs, metrics, and the trace that ties what several roles do for one request together.

mod prometheus;
mod trace;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::service::StartError;

pub use prometheus::{count_commits, metrics, render, upkeep};
pub use trace::{TRACEPARENT, TraceContext, current, in_trace, scope, trace_id, traceparent, within};

/// Begins to log to standard error what `filter` names (`info,sqlx=warn`), as lines for a person or as `json`. Only a
/// terminal gets colours.
///
/// A second call keeps the first one's settings: tests share a process.
///
/// # Errors
/// The filter is none.
pub fn init(filter: &str, json: bool) -> Result<(), StartError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| StartError::new(format!("the log filter {filter:?} is not understood: {error}")))?;
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let registry = tracing_subscriber::registry().with(filter);
    let begun = if json { registry.with(lines.json()).try_init() } else { registry.with(lines).try_init() };
    if begun.is_err() {
        tracing::debug!("logging had begun already");
    }
    Ok(())
}
