//! A paid booking that was called off: the money goes back, then its seats are opened again.
//!
//! The commit that starts this saga has asked for the refund, so there is nothing left to decide and nothing
//! is ever undone.

use contract::events::{PAYMENT_REFUNDED, PaymentRefunded};
use platform::telemetry;
use serde::{Deserialize, Serialize};
use ticketblitz_core::{BookingId, Timestamp};
use ticketblitz_saga::{Advance, Advanced, Handle, Retry, Run, Saga, Start, StepError, Verdict};

use super::{Services, Traced, local, step};

/// The saga's name.
pub const NAME: &str = "cancellation";

/// No refund comes later than the end of time: it is waited for as long as it takes.
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// What the saga carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub booking: BookingId,
    /// The trace of the request that called it off.
    pub trace: Option<String>,
}

impl Traced for State {
    fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }
}

/// To start the cancellation of a paid booking.
pub(super) fn start(cancellations: &Handle<State>, booking: BookingId) -> Start {
    let state = State { booking, trace: telemetry::traceparent() };
    cancellations.start(booking.to_string(), &state)
}

pub(super) fn saga(services: &Services) -> Saga<State> {
    Saga::<State>::named(NAME)
        .version(1)
        .wait("refunded", |_: &State| NEVER)
        .on(PAYMENT_REFUNDED, refunded)
        .pivot("reopen", step(services, reopen))
        .local("close", local(services, close))
        .build()
}

fn refunded(state: State, _: PaymentRefunded) -> Verdict<State> {
    Verdict::Go(state)
}

async fn reopen(services: Services, run: Run<State>) -> Result<State, StepError> {
    let reopened = services.inventory.reopen(run.state.booking).await;
    reopened.map(|()| run.state).map_err(|error| StepError::Retry(error.to_string()))
}

async fn close(services: Services, run: Run<State>, advance: Advance) -> Result<Advanced, Retry> {
    Ok(services.store.close(run.state.booking, advance, services.clock.now()).await?)
}
