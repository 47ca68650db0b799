//! The mail of a notification, top to bottom as it runs: sent, then SENT.

use std::sync::Arc;
use std::time::Duration;

use contract::NotificationId;
use contract::events::BookingConfirmed;
use platform::telemetry::in_trace;
use platform::{ClientError, StartError, kinds};
use serde::{Deserialize, Serialize};
use ticketblitz_core::Backoff;
use ticketblitz_core::sqlite::Sqlite;
use ticketblitz_saga::{Advance, Advanced, Engine, Failure, Handle, Run, Saga, StepError};

use crate::Deps;
use crate::domain::Sent;
use crate::mailer::Mailer;
use crate::message;
use crate::store::{Store, StoreError};

const NAME: &str = "mail";

/// With [`TRIES`] about half a day: a mail server may be away for a night.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10 * 60));
const TRIES: u32 = 100;

/// What the saga carries along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mail {
    pub(crate) id: NotificationId,
    pub(crate) booking: BookingConfirmed,
    /// Whom it went to and under which subject, once it has gone.
    pub(crate) envelope: Option<(String, String)>,
    /// The trace of the request that the booking began with.
    pub(crate) trace: Option<String>,
}

/// What the saga works with.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) deps: Deps,
}

fn saga(parts: Parts) -> Saga<Mail> {
    let sending = Arc::new(parts);
    let (marking, closing) = (Arc::clone(&sending), Arc::clone(&sending));
    let trace = |run: &Run<Mail>| run.state.trace.clone();
    Saga::<Mail>::named(NAME)
        .version(1)
        .step("send", move |run| in_trace(trace(&run).as_deref(), send(Arc::clone(&sending), run)))
        .backoff(BACKOFF)
        .give_up_after(TRIES)
        .local("sent", move |run, advance| {
            in_trace(trace(&run).as_deref(), mark_sent(Arc::clone(&marking), run, advance))
        })
        .on_failed(move |run, failure, advance| {
            in_trace(trace(&run).as_deref(), give_up(Arc::clone(&closing), run, failure, advance))
        })
        .build()
}

/// Done once the mail server has it. Done again after a crash, under the same Message-ID.
async fn send(parts: Arc<Parts>, run: Run<Mail>) -> Result<Mail, StepError> {
    let mut mail = run.state;
    let user = parts.deps.auth.user(mail.booking.user_id).await.map_err(missing)?;
    let event = parts.deps.events.summary(mail.booking.event_id).await.map_err(missing)?;
    let written = message::confirmation(mail.id, &mail.booking, &user, &event, parts.deps.clock.now());
    // What cannot be written today cannot be written tomorrow.
    let message = written.map_err(|error| StepError::Abort(error.to_string()))?;
    parts.mailer.send(mail.id, message.text).await.map_err(|error| StepError::Retry(error.to_string()))?;
    mail.envelope = Some((message.recipient, message.subject));
    Ok(mail)
}

/// Nobody can be written to who is not there; everything else comes back.
#[allow(clippy::needless_pass_by_value)] // for map_err
fn missing(error: ClientError) -> StepError {
    if error.is(&kinds::NOT_FOUND) {
        StepError::Abort(error.to_string())
    } else {
        StepError::Retry(error.to_string())
    }
}

async fn mark_sent(parts: Arc<Parts>, run: Run<Mail>, advance: Advance) -> Result<Advanced, StepError> {
    let (recipient, subject) = run.state.envelope.unwrap_or_default();
    let sent = Sent { at: parts.deps.clock.now(), recipient, subject };
    Ok(parts.store.sent(run.state.id, sent, advance).await?)
}

async fn give_up(
    parts: Arc<Parts>,
    run: Run<Mail>,
    failure: Failure,
    advance: Advance,
) -> Result<Advanced, StepError> {
    tracing::error!(booking = %run.state.booking.booking_id, %failure, "a confirmation could not be sent");
    Ok(parts.store.failed(run.state.id, failure.to_string(), advance).await?)
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Retry(error.to_string())
    }
}

/// An engine for the mails, in the database that the notifications are in.
///
/// # Errors
/// There are sagas in progress that this version cannot continue.
pub(crate) async fn engine(db: Sqlite, parts: Parts) -> Result<(Engine, Handle<Mail>), StartError> {
    let clock = Arc::clone(&parts.deps.clock);
    let engine = Engine::new(db, clock)
        .register(saga(parts))
        .build()
        .await
        .map_err(|error| StartError::new(format!("the mails under way cannot go on: {error}")))?;
    let mails = engine.handle(NAME);
    Ok((engine, mails))
}
