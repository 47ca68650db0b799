//! The charge of a booking: ask the provider, record what it said.

use std::sync::Arc;
use std::time::Duration;

use contract::PaymentId;
use platform::telemetry::in_trace;
use serde::{Deserialize, Serialize};
use ticketblitz_core::{Backoff, BookingId};
use ticketblitz_saga::{Advance, Advanced, Failure, Reconciled, Retry, Run, Saga, StepError};

use super::{Parts, refund};
use crate::domain::{Payment, Permission};
use crate::provider::{self, ChargeStatus, ProviderError};

pub(crate) const NAME: &str = "charge";

/// Short at first, since a buyer is waiting.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));

/// From the time that is noted for a charge until it is on its way. What can still land is reckoned from the former.
pub(crate) const START_WITHIN: Duration = Duration::from_secs(1);

/// What the charge carries along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) payment: PaymentId,
    pub(crate) booking: BookingId,
    /// What the provider's books say, once that is known.
    pub(crate) found: Option<Found>,
    /// The trace of the request that ordered it.
    pub(crate) trace: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Found {
    /// Nothing was to be paid.
    Free,
    Charged(String),
    Declined(String),
}

impl Charge {
    fn with(self, found: Found) -> Self {
        Self { found: Some(found), ..self }
    }
}

impl From<provider::Charge> for Found {
    fn from(charge: provider::Charge) -> Self {
        match charge.status {
            ChargeStatus::Succeeded => Self::Charged(charge.id),
            ChargeStatus::Failed => Self::Declined(charge.decline()),
        }
    }
}

pub(crate) fn saga(parts: &Arc<Parts>) -> Saga<Charge> {
    let of = |parts: &Arc<Parts>| Arc::clone(parts);
    let (sending, looking, recording, failing) = (of(parts), of(parts), of(parts), of(parts));
    let trace = |run: &Run<Charge>| run.state.trace.clone();
    Saga::<Charge>::named(NAME)
        .version(1)
        .step("charge", move |run| in_trace(trace(&run).as_deref(), charge(of(&sending), run)))
        .reconcile(move |run| in_trace(trace(&run).as_deref(), look_up(of(&looking), run)))
        .backoff(BACKOFF)
        .local("record", move |run, advance| {
            in_trace(trace(&run).as_deref(), record(of(&recording), run, advance))
        })
        .on_failed(move |run, failure, advance| {
            in_trace(trace(&run).as_deref(), fail(of(&failing), run, failure, advance))
        })
        .build()
}

/// Asks for leave to send a charge. Sending begins within [`START_WITHIN`] of what the payment notes as the time at
/// which it was sent, and not after the deadline: a commit that took longer is followed by another try.
async fn leave(parts: &Parts, id: PaymentId) -> Result<(Payment, Permission), Retry> {
    let asked = parts.clock.now();
    let (payment, permission) = parts.store.begin_charge(id, asked).await?;
    let now = parts.clock.now();
    if permission == Permission::Charge && (now > payment.deadline || now.since(asked) > START_WITHIN) {
        return Err(Retry("noting the charge took too long to send it".to_owned()));
    }
    Ok((payment, permission))
}

/// Sends the charge, if it may be sent.
async fn charge(parts: Arc<Parts>, run: Run<Charge>) -> Result<Charge, StepError> {
    let (payment, permission) = leave(&parts, run.state.payment).await?;
    match permission {
        Permission::Charge => {}
        Permission::Free => return Ok(run.state.with(Found::Free)),
        Permission::Refused(refusal) => return Err(StepError::Abort(refusal.reason().to_owned())),
        Permission::InDoubt(refusal) => return Err(StepError::Unknown(refusal.reason().to_owned())),
        Permission::Settled => return Err(settled(&payment).into()),
    }
    // An attempt before this one, before a crash say, may have landed: then no refusal of this one is the
    // last word on the payment.
    let first = payment.sent_at.is_none();
    match parts.provider.charge(&payment).await {
        Ok(charge) => match Found::from(charge) {
            Found::Declined(reason) => Err(StepError::Abort(reason)),
            found => Ok(run.state.with(found)),
        },
        Err(error @ ProviderError::NotSent(_)) => Err(StepError::Retry(error.to_string())),
        Err(error @ ProviderError::Refused(_)) if first => Err(StepError::Abort(error.to_string())),
        Err(error) => Err(StepError::Unknown(error.to_string())),
    }
}

/// A payment is settled in the commit that ends its charge, so nobody asks for one again. If somebody does, nothing
/// is concluded from it: what the payment says stays.
fn settled(payment: &Payment) -> Retry {
    Retry(format!("payment {} is {} already", payment.id, payment.status))
}

/// Finds out what became of a charge whose answer was lost. What the provider's books do not show is sent again
/// under the same key while the payment may be charged at all; after that, it did not happen once no attempt can
/// land any more.
async fn look_up(parts: Arc<Parts>, run: Run<Charge>) -> Result<Reconciled<Charge>, Retry> {
    let id = run.state.payment;
    parts.store.in_doubt(id).await?;
    // The time before the lookup: what has settled by now, the lookup sees.
    let now = parts.clock.now();
    if let Some(charge) = parts.provider.find(run.state.booking).await.map_err(Retry::because)? {
        return Ok(Reconciled::Happened(run.state.with(charge.into())));
    }
    let (payment, permission) = leave(&parts, id).await?;
    match permission {
        Permission::Charge => {
            let charge = parts.provider.charge(&payment).await.map_err(Retry::because)?;
            Ok(Reconciled::Happened(run.state.with(charge.into())))
        }
        Permission::Free | Permission::Refused(_) => Ok(Reconciled::DidNotHappen),
        Permission::Settled => Err(settled(&payment)),
        Permission::InDoubt(_) => match payment.sent_at {
            Some(sent_at) if now < sent_at + parts.settling => {
                Ok(Reconciled::NotYet("the charge may still land at the provider".to_owned()))
            }
            _ => Ok(Reconciled::DidNotHappen),
        },
    }
}

/// SUCCEEDED and told, in one commit; a booking given up in the meantime gets its refund started by the same.
async fn record(parts: Arc<Parts>, run: Run<Charge>, advance: Advance) -> Result<Advanced, StepError> {
    let charge_id = match run.state.found {
        Some(Found::Charged(id)) => Some(id),
        Some(Found::Free) => None,
        Some(Found::Declined(reason)) => return Err(StepError::Abort(reason)),
        None => return Err(StepError::Retry("the provider has not answered".to_owned())),
    };
    let refund = refund::start(&advance.handle(refund::NAME), run.state.booking);
    let now = parts.clock.now();
    let advanced = parts.store.succeed(run.state.payment, charge_id, refund, advance, now).await;
    Ok(advanced.map_err(Retry::from)?)
}

/// FAILED and told, in one commit.
async fn fail(
    parts: Arc<Parts>,
    run: Run<Charge>,
    failure: Failure,
    advance: Advance,
) -> Result<Advanced, StepError> {
    let reason = match failure {
        Failure::Aborted(reason) | Failure::Cancelled(reason) => reason,
        other => other.to_string(),
    };
    let advanced = parts.store.fail(run.state.payment, reason, advance, parts.clock.now()).await;
    Ok(advanced.map_err(Retry::from)?)
}

#[cfg(test)]
mod tests;
