//! What a booking is, and the states it may pass through.

use std::fmt;
use std::str::FromStr;

use contract::TicketId;
use contract::booking::Ticket;
use contract::inventory::InPayment;
use ticketblitz_core::{BookingId, Currency, EventId, SeatId, Timestamp, UserId};
use ticketblitz_lock::HoldId;

/// Where a booking stands. Only PENDING and CONFIRMED can be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    Confirmed,
    Failed,
    Cancelled,
    Expired,
}

impl Status {
    const ALL: [Self; 5] = [Self::Pending, Self::Confirmed, Self::Failed, Self::Cancelled, Self::Expired];

    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Confirmed => "CONFIRMED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text names nothing of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown {0}")]
pub struct Unknown(&'static str);

impl FromStr for Status {
    type Err = Unknown;
    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(Unknown("booking status"))
    }
}

/// How the buyer pays: what the provider knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PaymentMethod {
    #[default]
    Ok,
    Declined,
    Slow,
    LostReplyCharged,
    LostReplyNotCharged,
}

impl PaymentMethod {
    const ALL: [Self; 5] =
        [Self::Ok, Self::Declined, Self::Slow, Self::LostReplyCharged, Self::LostReplyNotCharged];

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "pm_ok",
            Self::Declined => "pm_declined",
            Self::Slow => "pm_slow",
            Self::LostReplyCharged => "pm_lost_reply_charged",
            Self::LostReplyNotCharged => "pm_lost_reply_not_charged",
        }
    }
}

impl fmt::Display for PaymentMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PaymentMethod {
    type Err = Unknown;
    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or(Unknown("payment method"))
    }
}

/// How a booking ends that was never confirmed, with the reason told to the buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Not paid, or the seats were refused.
    Failed(String),
    /// Not paid in time.
    Expired,
    /// Called off before it was paid.
    Cancelled(String),
}

/// What calling off a booking means in the state it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// Not paid yet: its saga may still be turned back.
    TurnBack,
    /// Paid: the money goes back and the seats are opened again.
    Refund,
    /// It is cancelled already.
    Done,
    /// It ended otherwise.
    Refused,
}

/// A step from a state that does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("booking {booking} is {status} and cannot become {to}")]
pub struct IllegalTransition {
    booking: BookingId,
    status: Status,
    to: Status,
}

/// A booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    pub id: BookingId,
    pub user: UserId,
    pub event: EventId,
    pub hold: HoldId,
    /// Empty for an area.
    pub seats: Vec<SeatId>,
    pub section: Option<String>,
    pub quantity: u32,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
    pub method: PaymentMethod,
    pub status: Status,
    pub failure: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub confirmed_at: Option<Timestamp>,
    /// When nothing more was to be done: seats free and, of a cancelled booking, money back.
    pub closed_at: Option<Timestamp>,
    /// Whether Payment was told to void the payment.
    pub refund_requested: bool,
    /// How many events this booking has told.
    pub sequence: u64,
}

impl Booking {
    /// A booking whose hold is in payment. What is paid for, how much it costs and until when it can be paid
    /// is what Inventory says, never the request.
    #[must_use]
    pub fn begin(paying: InPayment, user: UserId, method: PaymentMethod, now: Timestamp) -> Self {
        Self {
            id: paying.booking_id,
            user,
            event: paying.event_id,
            hold: paying.hold_id,
            seats: paying.seat_ids,
            section: paying.section,
            quantity: paying.quantity,
            amount: paying.amount,
            currency: paying.currency,
            method,
            status: Status::Pending,
            failure: None,
            created_at: now,
            expires_at: paying.deadline,
            confirmed_at: None,
            closed_at: None,
            refund_requested: false,
            sequence: 0,
        }
    }

    /// Paid and sold.
    pub fn confirm(&mut self, now: Timestamp) -> Result<(), IllegalTransition> {
        self.leave(Status::Pending, Status::Confirmed)?;
        self.confirmed_at = Some(now);
        Ok(())
    }

    /// Ended before it was confirmed. The seats are free already.
    pub fn end(&mut self, ending: Ending, now: Timestamp) -> Result<(), IllegalTransition> {
        let (status, reason) = match ending {
            Ending::Failed(reason) => (Status::Failed, reason),
            Ending::Expired => (Status::Expired, "it was not paid in time".to_owned()),
            Ending::Cancelled(reason) => (Status::Cancelled, reason),
        };
        self.leave(Status::Pending, status)?;
        self.failure = Some(reason);
        self.closed_at = Some(now);
        Ok(())
    }

    /// Paid and sold, and called off: from here its tickets are void. It is [closed](Self::close) when the money
    /// is back and the seats are open.
    ///
    /// From PENDING only where the event was cancelled in the meantime: such a booking never shows CONFIRMED.
    pub fn call_off(&mut self, reason: impl Into<String>) -> Result<(), IllegalTransition> {
        let from = if self.status == Status::Pending { Status::Pending } else { Status::Confirmed };
        self.leave(from, Status::Cancelled)?;
        self.failure = Some(reason.into());
        Ok(())
    }

    /// Nothing more is to be done.
    pub fn close(&mut self, now: Timestamp) {
        self.closed_at.get_or_insert(now);
    }

    /// What calling it off means now.
    #[must_use]
    pub fn cancellation(&self) -> Cancellation {
        match self.status {
            Status::Pending => Cancellation::TurnBack,
            Status::Confirmed => Cancellation::Refund,
            Status::Cancelled => Cancellation::Done,
            Status::Failed | Status::Expired => Cancellation::Refused,
        }
    }

    /// Whether Payment is to be told now that the payment is void: the first time only.
    #[must_use]
    pub fn request_refund(&mut self) -> bool {
        !std::mem::replace(&mut self.refund_requested, true)
    }

    /// The number of the next event that this booking tells.
    pub fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// A ticket for each seat or place; `fresh` makes an id and an unguessable code for each.
    pub fn tickets(&self, mut fresh: impl FnMut() -> (TicketId, String)) -> Vec<Ticket> {
        let mut ticket = |seat_id| {
            let (ticket_id, code) = fresh();
            Ticket { ticket_id, seat_id, section: self.section.clone(), code }
        };
        if self.seats.is_empty() {
            (0..self.quantity).map(|_| ticket(None)).collect()
        } else {
            self.seats.iter().map(|seat| ticket(Some(*seat))).collect()
        }
    }

    fn leave(&mut self, from: Status, to: Status) -> Result<(), IllegalTransition> {
        if self.status != from {
            return Err(IllegalTransition { booking: self.id, status: self.status, to });
        }
        self.status = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
