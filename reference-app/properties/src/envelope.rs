//! What services tell and answer each other.

use contract::events::{
    BookingCancelled, BookingConfirmed, BookingCreated, BookingFailed, EventCancelled, EventChanged,
    PaymentFailed, PaymentRefunded, PaymentSucceeded, RefundRequested,
};
use http::StatusCode;
use platform::Problem;
use platform::bus::{self, HandleError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ticketblitz_core::Envelope;

/// An envelope is written as it reads back, and its data is what a consumer awaits or poison: never a retry,
/// never a panic.
pub(crate) fn envelope(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<Envelope>(bytes) else { return };
    let again: Envelope = serde_json::from_slice(&serde_json::to_vec(&read).expect("written")).expect("read");
    // Fractions, which no event has, may lose their last digit when they are read.
    let without_data = |envelope: &Envelope| with_data(envelope, serde_json::Value::Null);
    assert_eq!(without_data(&again), without_data(&read));
    data::<BookingCreated>(&read);
    data::<BookingConfirmed>(&read);
    data::<BookingFailed>(&read);
    data::<BookingCancelled>(&read);
    data::<PaymentSucceeded>(&read);
    data::<PaymentFailed>(&read);
    data::<RefundRequested>(&read);
    data::<PaymentRefunded>(&read);
    data::<EventChanged>(&read);
    data::<EventCancelled>(&read);
}

fn data<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(envelope: &Envelope) {
    match bus::decode::<T>(envelope) {
        Ok(said) => {
            let data = serde_json::to_value(&said).expect("written");
            let again = bus::decode::<T>(&with_data(envelope, data));
            assert_eq!(again.expect("read"), said);
        }
        Err(error) => assert!(matches!(error, HandleError::Poison(_)), "{error:?}"),
    }
}

fn with_data(envelope: &Envelope, data: serde_json::Value) -> Envelope {
    let mut envelope = envelope.clone();
    envelope.data = data;
    envelope
}

/// Another service's problem is passed on as it was, or is none.
pub(crate) fn problem(bytes: &[u8]) {
    let Some(read) = Problem::from_json(StatusCode::CONFLICT, bytes) else { return };
    let written = serde_json::to_vec(&read).expect("written");
    let again = Problem::from_json(StatusCode::CONFLICT, &written).expect("a problem");
    assert_eq!((again.kind_name(), again.detail()), (read.kind_name(), read.detail()));
    assert_eq!(again.field_errors(), read.field_errors());
}
