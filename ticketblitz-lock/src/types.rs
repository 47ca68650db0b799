//! The values that pass between callers and backends.

mod capabilities;
mod expiry;
mod fence;
mod hold;
mod id;
mod name;
mod owner;
mod request;
mod snapshot;
mod status;

pub use capabilities::{Capabilities, Durability, FenceScope};
pub use expiry::{Cursor, Expired};
pub use fence::Fence;
pub use hold::{Hold, HoldRef, HoldState};
pub use id::{AttemptId, EventTag, HoldId};
pub use owner::Owner;
pub use request::{HoldRequest, Want};
pub use snapshot::{Area, Channel, EventSnapshot, Taken, TakenState};
pub use status::{AreaStatus, EventStatus, SeatState};
