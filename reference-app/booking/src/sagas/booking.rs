//! From a hold in payment to tickets.

use contract::events::{PAYMENT_FAILED, PAYMENT_SUCCEEDED, PaymentFailed, PaymentSucceeded};
use contract::inventory::SellOutcome;
use serde::{Deserialize, Serialize};
use ticketblitz_core::{BookingId, Timestamp};
use ticketblitz_saga::{Advance, Advanced, Failure, Retry, Run, Saga, StepError, Verdict};

use super::{Services, Traced, cancellation, close, local, step};
use crate::domain::Ending;

/// The saga's name.
pub const NAME: &str = "booking";

/// What the saga carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub booking: BookingId,
    pub expires_at: Timestamp,
    /// The trace of the request that made the booking.
    pub trace: Option<String>,
}

impl Traced for State {
    fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }
}

/// The undos run before the booking shows that it has ended, so that its seats are free when it does.
pub(super) fn saga(services: &Services) -> Saga<State> {
    Saga::<State>::named(NAME)
        .version(1)
        .started()
        .undo(step(services, release))
        .wait("paid", |state: &State| state.expires_at)
        .on(PAYMENT_SUCCEEDED, paid)
        .on(PAYMENT_FAILED, declined)
        .undo(step(services, void_payment))
        .pivot("sell", step(services, sell))
        .local("confirm", local(services, confirm))
        .on_failed(close(services, end))
        .build()
}

async fn release(services: Services, run: Run<State>) -> Result<(), Retry> {
    services.inventory.release(run.state.booking).await.map_err(Retry::because)
}

fn paid(state: State, _: PaymentSucceeded) -> Verdict<State> {
    Verdict::Go(state)
}

fn declined(state: State, told: PaymentFailed) -> Verdict<State> {
    Verdict::Abort(state, told.reason)
}

/// Runs too when the wait ended without an answer: a charge may be on its way.
async fn void_payment(services: Services, run: Run<State>) -> Result<(), Retry> {
    let now = services.clock.now();
    Ok(services.store.void_payment(run.state.booking, "the booking ended without tickets", now).await?)
}

async fn sell(services: Services, run: Run<State>) -> Result<State, StepError> {
    match services.inventory.sell(run.state.booking).await {
        Ok(SellOutcome::Sold) => Ok(run.state),
        Ok(SellOutcome::Refused) => Err(StepError::Abort(String::from(
            "the seats could not be sold any more; the payment is returned",
        ))),
        // Selling is idempotent, so that nothing needs to be known of a lost answer.
        Err(error) => Err(StepError::Retry(error.to_string())),
    }
}

async fn confirm(services: Services, run: Run<State>, advance: Advance) -> Result<Advanced, Retry> {
    // Started only if the event was called off in the meantime.
    let refund = cancellation::start(&advance.handle(cancellation::NAME), run.state.booking);
    let now = services.clock.now();
    Ok(services.store.confirm(run.state.booking, refund, advance, now).await?)
}

async fn end(
    services: Services,
    run: Run<State>,
    failure: Failure,
    advance: Advance,
) -> Result<Advanced, StepError> {
    let ending = match failure {
        Failure::DeadlinePassed { .. } => Ending::Expired,
        Failure::Cancelled(reason) => Ending::Cancelled(reason),
        Failure::Aborted(reason) => Ending::Failed(reason),
        other => Ending::Failed(other.to_string()),
    };
    Ok(services.store.end(run.state.booking, ending, advance, services.clock.now()).await?)
}
