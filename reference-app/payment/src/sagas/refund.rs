//! The refund of a booking: it is owed, so it only goes forward.

use std::sync::Arc;
use std::time::Duration;

use platform::telemetry::{in_trace, traceparent};
use serde::{Deserialize, Serialize};
use ticketblitz_core::{Backoff, BookingId};
use ticketblitz_saga::{Advance, Advanced, Handle, Retry, Run, Saga, Start, StepError};

use super::Parts;
use crate::domain::Payment;

pub(crate) const NAME: &str = "refund";

/// Patient, since it goes on for as long as the provider takes.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60));

/// What the refund carries along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) booking: BookingId,
    /// The trace of the request that asked for it.
    pub(crate) trace: Option<String>,
}

/// To give a booking's money back.
pub(super) fn start(refunds: &Handle<Refund>, booking: BookingId) -> Start {
    refunds.start(booking.to_string(), &Refund { booking, trace: traceparent() })
}

pub(crate) fn saga(parts: &Arc<Parts>) -> Saga<Refund> {
    let (refunding, recording) = (Arc::clone(parts), Arc::clone(parts));
    let trace = |run: &Run<Refund>| run.state.trace.clone();
    Saga::<Refund>::named(NAME)
        .version(1)
        .pivot("refund", move |run| in_trace(trace(&run).as_deref(), refund(Arc::clone(&refunding), run)))
        .backoff(BACKOFF)
        .local("record", move |run, advance| {
            in_trace(trace(&run).as_deref(), record(Arc::clone(&recording), run, advance))
        })
        .build()
}

/// Asks the provider until it has answered: under the booking's own key a repeat is the same refund.
async fn refund(parts: Arc<Parts>, run: Run<Refund>) -> Result<Refund, StepError> {
    let payment = payment(&parts, run.state.booking).await?;
    // A free booking has no charge and is refunded by saying so.
    if let Some(charge_id) = &payment.charge {
        parts.provider.refund(payment.booking, charge_id).await.map_err(|error| {
            tracing::warn!(booking = %payment.booking, %error, "a refund is still owed");
            Retry::because(error)
        })?;
    }
    Ok(run.state)
}

/// REFUNDED and told, in one commit.
async fn record(parts: Arc<Parts>, run: Run<Refund>, advance: Advance) -> Result<Advanced, Retry> {
    let payment = payment(&parts, run.state.booking).await?;
    Ok(parts.store.refunded(payment.id, advance, parts.clock.now()).await?)
}

async fn payment(parts: &Parts, booking: BookingId) -> Result<Payment, Retry> {
    let found = parts.store.of_booking(booking).await?;
    found.ok_or_else(|| Retry(format!("there is no payment of the booking {booking}")))
}
