//! The kinds of problem that only ticketing has; the general ones are in `platform::kinds`.

use platform::Kind;

pub const INVALID_CREDENTIALS: Kind = Kind::new("invalid-credentials", 401, "Invalid credentials");
pub const NOT_ADMITTED: Kind = Kind::new("not-admitted", 403, "Not admitted by the waiting room");
pub const SEATS_UNAVAILABLE: Kind = Kind::new("seats-unavailable", 409, "Seats unavailable");
pub const HOLD_NOT_LIVE: Kind = Kind::new("hold-not-live", 409, "The hold is not live");
pub const BOOKING_EXISTS: Kind = Kind::new("booking-exists", 409, "The hold has a booking already");
pub const HOLD_IN_PAYMENT: Kind = Kind::new("hold-in-payment", 409, "The hold is being paid");
pub const SALES_CLOSED: Kind = Kind::new("sales-closed", 409, "Sales are closed");
pub const EMAIL_TAKEN: Kind = Kind::new("email-taken", 409, "The e-mail address is taken");
pub const NOT_CANCELLABLE: Kind = Kind::new("not-cancellable", 409, "The booking cannot be cancelled");
pub const EVENT_ON_SALE: Kind = Kind::new("event-on-sale", 409, "Sales have opened");
pub const CUSTOMER_LIMIT_EXCEEDED: Kind =
    Kind::new("customer-limit-exceeded", 422, "More seats than one customer may have");
pub const HOLD_CEILING_REACHED: Kind =
    Kind::new("hold-ceiling-reached", 422, "The hold cannot be extended that far");
