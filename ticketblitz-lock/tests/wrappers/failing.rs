//! Backends that are in trouble.

use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::{
    Capabilities, Cursor, Durability, EventSnapshot, EventStatus, Expired, Fence, FenceScope, Hold, HoldRef,
    HoldRequest, LockError, Owner, SeatStore,
};

const CAPABILITIES: Capabilities = Capabilities::new(Durability::Server, FenceScope::Event, 100);

/// Loses the answer to a hold, and is not reached with anything else.
#[derive(Debug)]
pub struct Failing;

fn away<T>() -> Result<T, LockError> {
    Err(LockError::backend(std::io::Error::other("no route to the server")))
}

/// Never answers.
#[derive(Debug)]
pub struct Silent;

#[async_trait]
impl SeatStore for Failing {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn load(&self, _: &EventSnapshot) -> Result<(), LockError> {
        away()
    }

    async fn unload(&self, _: EventId) -> Result<(), LockError> {
        away()
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Hold, LockError> {
        Err(LockError::OutcomeUnknown { attempt: Some(request.attempt) })
    }

    async fn get(&self, _: HoldRef) -> Result<Hold, LockError> {
        away()
    }

    async fn extend(&self, _: HoldRef, _: &Owner, _: Duration) -> Result<Hold, LockError> {
        away()
    }

    async fn release(&self, _: HoldRef, _: &Owner) -> Result<(), LockError> {
        away()
    }

    async fn begin_commit(&self, _: HoldRef, _: &Owner, _: Duration) -> Result<Hold, LockError> {
        away()
    }

    async fn abort_commit(&self, _: HoldRef) -> Result<(), LockError> {
        away()
    }

    async fn sold(&self, _: HoldRef, _: Fence, _: BookingId) -> Result<(), LockError> {
        away()
    }

    async fn reopen(&self, _: EventId, _: BookingId) -> Result<(), LockError> {
        away()
    }

    async fn status(&self, _: EventId) -> Result<EventStatus, LockError> {
        away()
    }

    async fn expired(&self, _: &Cursor, _: usize) -> Result<Expired, LockError> {
        away()
    }
}

#[async_trait]
impl SeatStore for Silent {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn load(&self, _: &EventSnapshot) -> Result<(), LockError> {
        pending().await
    }

    async fn unload(&self, _: EventId) -> Result<(), LockError> {
        pending().await
    }

    async fn hold(&self, _: &HoldRequest) -> Result<Hold, LockError> {
        pending().await
    }

    async fn get(&self, _: HoldRef) -> Result<Hold, LockError> {
        pending().await
    }

    async fn extend(&self, _: HoldRef, _: &Owner, _: Duration) -> Result<Hold, LockError> {
        pending().await
    }

    async fn release(&self, _: HoldRef, _: &Owner) -> Result<(), LockError> {
        pending().await
    }

    async fn begin_commit(&self, _: HoldRef, _: &Owner, _: Duration) -> Result<Hold, LockError> {
        pending().await
    }

    async fn abort_commit(&self, _: HoldRef) -> Result<(), LockError> {
        pending().await
    }

    async fn sold(&self, _: HoldRef, _: Fence, _: BookingId) -> Result<(), LockError> {
        pending().await
    }

    async fn reopen(&self, _: EventId, _: BookingId) -> Result<(), LockError> {
        pending().await
    }

    async fn status(&self, _: EventId) -> Result<EventStatus, LockError> {
        pending().await
    }

    async fn expired(&self, _: &Cursor, _: usize) -> Result<Expired, LockError> {
        pending().await
    }
}
