//! The wire contract: the data each service exchanges, the events it tells, and one typed client a service.
//!
//! Data only: what a field means is documented here, what makes it right or wrong is the service's domain.
//! The fields of a request are optional so that a service can name every missing one at once.

pub mod auth;
pub mod booking;
pub mod event;
pub mod events;
pub mod inventory;
pub mod kinds;
pub mod notification;
pub mod payment;

pub use auth::AuthClient;
pub use event::EventClient;
pub use inventory::InventoryClient;

ticketblitz_core::ids! {
    /// A payment of a booking.
    PaymentId;
    /// A ticket: one seat or one place of a confirmed booking.
    TicketId;
    /// A notification to a customer.
    NotificationId;
}
