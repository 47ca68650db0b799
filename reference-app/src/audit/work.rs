//! What is under way in the stores: sagas that have not ended, messages that have not come.

use std::path::Path;

use contract::events::{
    BOOKING_CANCELLED, BOOKING_CONFIRMED, BOOKING_CREATED, EVENT_CANCELLED, PAYMENT_FAILED, PAYMENT_REFUNDED,
    PAYMENT_SUCCEEDED, REFUND_REQUESTED,
};
use platform::StartError;
use platform::db::look;
use ticketblitz_saga::sqlite::unfinished::{self, Undelivered, UnfinishedSaga};

/// Who hears from whom: the producer, the consumer, the service that it is of, and what it hears.
const DELIVERIES: [(&str, &str, &str, &[&str]); 5] = [
    ("booking", "notification", "notification", &[BOOKING_CONFIRMED]),
    ("booking", "event", "event", &[BOOKING_CONFIRMED, BOOKING_CANCELLED]),
    ("booking", "payment", "payment", &[BOOKING_CREATED, REFUND_REQUESTED]),
    ("payment", "booking.payments", "booking", &[PAYMENT_SUCCEEDED, PAYMENT_FAILED, PAYMENT_REFUNDED]),
    ("event", "booking.events", "booking", &[EVENT_CANCELLED]),
];

/// Everything that is still to be done, in all services.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    /// Those in progress, and those that are parked.
    pub(super) sagas: Vec<UnfinishedSaga>,
    /// Those that have taken no effect yet, and dead letters.
    pub(super) messages: Vec<Undelivered>,
}

pub(super) async fn read(dir: &Path) -> Result<Work, StartError> {
    let mut work = Work::default();
    for service in ["booking", "payment", "notification"] {
        work.sagas.extend(look(dir, service, |conn| Box::pin(unfinished::sagas(conn))).await?);
    }
    for (producer, consumer, of, topics) in DELIVERIES {
        let mut messages = look(dir, producer, |conn| {
            Box::pin(async move { unfinished::messages(conn, consumer, topics).await })
        })
        .await?;
        // What was delivered is written down a moment later than it took effect; the inbox knows.
        let ids: Vec<String> = messages.iter().map(|message| message.id.clone()).collect();
        let taken =
            look(dir, of, |conn| Box::pin(async move { unfinished::claimed(conn, of, &ids).await })).await?;
        messages.retain(|message| message.dead || !taken.contains(&message.id));
        work.messages.extend(messages);
    }
    Ok(work)
}
