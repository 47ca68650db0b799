//! The sample events of a first start.

use std::sync::Arc;
use std::time::Duration;

use contract::event::BookingMode;
use ticketblitz_core::{Backoff, Currency, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::domain::{Phase, Record, Spec, default_layout};
use crate::store::Error;

const AHEAD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Keeps the sample events as drafts, in one commit with the mark that it was done.
pub(crate) async fn keep(catalog: &Catalog) -> Result<(), Error> {
    let now = catalog.clock.now();
    catalog.store.keep_samples(samples(now), now).await
}

fn samples(now: Timestamp) -> Vec<Record> {
    // On the hour, as events are.
    let starts_at = Timestamp::from_micros((now + AHEAD).as_secs() / 3_600 * 3_600 * 1_000_000);
    let sample = |name: &str, venue: &str, mode: BookingMode, total: u32| {
        let spec = Spec {
            name: name.to_owned(),
            venue: venue.to_owned(),
            starts_at,
            time_zone: "Asia/Kolkata".to_owned(),
            currency: Currency::INR,
            mode,
            max_per_customer: 10,
            sales_start: None,
            sales_end: None,
            waiting_room: false,
            sections: default_layout(mode, total),
        };
        Record::draft(None, spec, Phase::Sample)
    };
    vec![
        sample("Rock Concert", "City Arena", BookingMode::Visual, 100),
        sample("Express Train to Mumbai", "Central Station", BookingMode::Tatkal, 200),
    ]
}

/// Publishes the drafts, this start's and those that a crash has left, trying until the inventory takes them.
pub(crate) async fn publish(catalog: Arc<Catalog>, shutdown: CancellationToken) {
    let work = async {
        let (backoff, mut failures) = (Backoff::default(), 0);
        while let Err(error) = publish_all(&catalog).await {
            failures += 1;
            tracing::warn!(%error, "the sample events are not published yet");
            tokio::time::sleep(backoff.delay(failures)).await;
        }
    };
    // Dropping it is safe: what is not published stays a draft for the next start.
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}

pub(crate) async fn publish_all(catalog: &Catalog) -> Result<(), crate::error::Error> {
    for draft in catalog.store.sample_drafts().await? {
        catalog.publish_sample(draft).await?;
    }
    Ok(())
}
