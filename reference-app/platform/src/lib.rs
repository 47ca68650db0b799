//! What every role is made of: server, layers, errors, authentication, transport, database, bus. Knows no tickets.
//!
//! A service is a [`Service`]: a router, the databases it writes, the consumers and workers that run beside it.
//! [`layers::standard`] makes its router fit to be served by [`server::serve`] or called in the same process
//! through a [`Transport`]; a typed [`Client`] cannot tell the two apart.

pub mod apart;
pub mod auth;
pub mod bus;
pub mod client;
pub mod db;
pub mod extract;
pub mod health;
pub mod layers;
pub mod openapi;
pub mod problem;
pub mod retention;
pub mod server;
pub mod service;
pub mod stripes;
pub mod telemetry;
pub mod transport;

pub use apart::{apart, read_apart};
pub use client::{Client, ClientError};
pub use health::Health;
pub use problem::{FieldError, Invalid, Kind, Problem, kinds};
pub use retention::Purge;
pub use service::{Service, StartError, Worker};
pub use stripes::Stripes;
pub use transport::{Transport, TransportError};
