//! The two sagas of a payment: the [charge], and the [refund] that takes it back.

pub(crate) mod charge;
pub(crate) mod refund;

use std::sync::Arc;
use std::time::Duration;

use platform::{StartError, telemetry};
use ticketblitz_core::sqlite::Sqlite;
use ticketblitz_core::{BookingId, Clock};
use ticketblitz_saga::{Engine, EngineOptions, Handle, Retry, Start};

use crate::domain::Payment;
use crate::provider::PspClient;
use crate::store::{Store, StoreError};
use charge::Charge;
use refund::Refund;

/// What the sagas work with.
#[derive(Debug)]
pub(crate) struct Parts {
    store: Arc<dyn Store>,
    provider: PspClient,
    clock: Arc<dyn Clock>,
    /// How long after it was sent a charge can still land at the provider.
    settling: Duration,
}

impl Parts {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        provider: PspClient,
        clock: Arc<dyn Clock>,
        settling: Duration,
    ) -> Self {
        Self { store, provider, clock, settling }
    }
}

/// What starts the sagas, each under the booking's id: a booking has one charge and one refund.
#[derive(Debug)]
pub(crate) struct Handles {
    charges: Handle<Charge>,
    refunds: Handle<Refund>,
}

impl Handles {
    /// To charge a payment.
    pub(crate) fn charge(&self, payment: &Payment) -> Start {
        let trace = telemetry::traceparent();
        let charge = Charge { payment: payment.id, booking: payment.booking, found: None, trace };
        self.charges.start(payment.booking.to_string(), &charge)
    }

    /// To give a booking's money back.
    pub(crate) fn refund(&self, booking: BookingId) -> Start {
        refund::start(&self.refunds, booking)
    }
}

/// An engine with both sagas, in the database that the payments are in.
///
/// # Errors
/// There are sagas in progress that this version cannot continue.
pub(crate) async fn engine(db: Sqlite, parts: Parts) -> Result<(Engine, Arc<Handles>), StartError> {
    let parts = Arc::new(parts);
    // A charge in doubt is looked up for as long as the provider is away: a parked one would be money that
    // nobody asks for.
    let options = EngineOptions::default().undo_limit(u32::MAX);
    let engine = Engine::new(db, Arc::clone(&parts.clock))
        .options(options)
        .register(charge::saga(&parts))
        .register(refund::saga(&parts))
        .build()
        .await
        .map_err(|error| StartError::new(format!("the sagas of the payments cannot go on: {error}")))?;
    let handles =
        Arc::new(Handles { charges: engine.handle(charge::NAME), refunds: engine.handle(refund::NAME) });
    Ok((engine, handles))
}

impl From<StoreError> for Retry {
    fn from(error: StoreError) -> Self {
        Self::because(error)
    }
}
