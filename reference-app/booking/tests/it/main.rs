//! The service as the others see it: its router, its consumers, its outbox, and a scripted Inventory.
#![allow(clippy::unwrap_used)] // tests, and what only tests use

mod bookings;
mod cancellation;
mod crash;
mod fake;
mod payment;
mod race;
#[path = "../../../tests/system/common/soak.rs"]
mod soak;
mod world;
