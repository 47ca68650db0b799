//! The two sagas of a booking, each in a file of its own, top to bottom as it runs.

pub mod booking;
pub mod cancellation;

use std::sync::Arc;

use contract::InventoryClient;
use platform::{StartError, telemetry};
use ticketblitz_core::sqlite::Sqlite;
use ticketblitz_core::{BookingId, Clock};
use ticketblitz_saga::{
    Advance, Advanced, Data, Engine, EngineOptions, Failure, Handle, Retry, Run, Signal, Start, StepError,
};

use crate::domain::Booking;
use crate::store::{CallOff, Store, StoreError};

/// What the steps of the sagas work with.
#[derive(Debug, Clone)]
pub struct Services {
    pub store: Arc<dyn Store>,
    pub inventory: InventoryClient,
    pub clock: Arc<dyn Clock>,
}

/// The handles of both sagas.
#[derive(Debug)]
pub struct Handles {
    booking: Handle<booking::State>,
    cancellation: Handle<cancellation::State>,
}

impl Handles {
    /// To start the saga of a new booking.
    pub fn begin(&self, booking: &Booking) -> Start {
        let trace = telemetry::traceparent();
        let state = booking::State { booking: booking.id, expires_at: booking.expires_at, trace };
        self.booking.start(booking.id.to_string(), &state)
    }

    /// To tell a booking's saga what became of its payment.
    pub fn payment(&self, booking: BookingId, kind: &str, told: &impl serde::Serialize) -> Signal {
        self.booking.signal(booking.to_string(), kind, told)
    }

    /// To tell a cancellation that the money is back.
    pub fn refunded(&self, booking: BookingId, kind: &str, told: &impl serde::Serialize) -> Signal {
        self.cancellation.signal(booking.to_string(), kind, told)
    }

    /// To call off a booking, for this reason.
    pub fn call_off(&self, booking: BookingId, reason: &str) -> CallOff {
        let turn_back = self.booking.cancel(booking.to_string(), reason);
        CallOff { booking, turn_back, refund: cancellation::start(&self.cancellation, booking) }
    }
}

/// An engine with both sagas, in the database that the bookings are in.
///
/// # Errors
/// There are sagas in progress that this version cannot continue.
pub async fn engine(db: Sqlite, services: &Services) -> Result<(Engine, Arc<Handles>), StartError> {
    // Seats that are to be freed and money that is to be given back are tried for as long as it takes: a parked
    // saga would be a buyer whom nobody answers.
    let options = EngineOptions::default().undo_limit(u32::MAX);
    let engine = Engine::new(db, Arc::clone(&services.clock))
        .options(options)
        .register(booking::saga(services))
        .register(cancellation::saga(services))
        .build()
        .await
        .map_err(|error| StartError::new(format!("the sagas of the bookings cannot go on: {error}")))?;
    let handles =
        Handles { booking: engine.handle(booking::NAME), cancellation: engine.handle(cancellation::NAME) };
    Ok((engine, Arc::new(handles)))
}

impl From<StoreError> for Retry {
    fn from(error: StoreError) -> Self {
        Self::because(error)
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Retry(error.to_string())
    }
}

/// Data that knows the trace of the request that began the saga.
trait Traced: Data {
    fn trace(&self) -> Option<&str>;
}

/// A step over `with`, in the saga's trace.
fn step<W, S, F, R>(with: &W, step: F) -> impl Fn(Run<S>) -> BoxFuture<R::Output> + Send + Sync + 'static
where
    W: Clone + Send + Sync + 'static,
    S: Traced,
    F: Fn(W, Run<S>) -> R + Send + Sync + 'static,
    R: Future + Send + 'static,
{
    let with = with.clone();
    move |run| {
        let trace = run.state.trace().map(str::to_owned);
        Box::pin(telemetry::in_trace(trace.as_deref(), step(with.clone(), run)))
    }
}

/// A local step over `with`, in the saga's trace.
fn local<W, S, F, R>(
    with: &W,
    local: F,
) -> impl Fn(Run<S>, Advance) -> BoxFuture<R::Output> + Send + Sync + 'static
where
    W: Clone + Send + Sync + 'static,
    S: Traced,
    F: Fn(W, Run<S>, Advance) -> R + Send + Sync + 'static,
    R: Future + Send + 'static,
{
    let with = with.clone();
    move |run, advance| {
        let trace = run.state.trace().map(str::to_owned);
        Box::pin(telemetry::in_trace(trace.as_deref(), local(with.clone(), run, advance)))
    }
}

type BoxFuture<T> = futures::future::BoxFuture<'static, T>;
type Closed = Result<Advanced, StepError>;

/// The close of a failed saga over `with`, in the saga's trace.
fn close<W, S, F, R>(
    with: &W,
    close: F,
) -> impl Fn(Run<S>, Failure, Advance) -> BoxFuture<Closed> + Send + Sync + 'static
where
    W: Clone + Send + Sync + 'static,
    S: Traced,
    F: Fn(W, Run<S>, Failure, Advance) -> R + Send + Sync + 'static,
    R: Future<Output = Closed> + Send + 'static,
{
    let with = with.clone();
    move |run, failure, advance| {
        let trace = run.state.trace().map(str::to_owned);
        Box::pin(telemetry::in_trace(trace.as_deref(), close(with.clone(), run, failure, advance)))
    }
}
