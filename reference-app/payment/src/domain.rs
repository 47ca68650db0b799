//! A payment and what may happen to it. Pure: whoever calls brings the time.

use std::fmt;
use std::str::FromStr;

use contract::PaymentId;
use ticketblitz_core::{BookingId, Currency, EventId, Timestamp, UserId};

/// How far a payment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Ordered; the provider has not answered yet.
    Pending,
    /// A charge was sent and its answer lost: it is being looked up.
    Unknown,
    /// The provider has the money.
    Succeeded,
    /// No money moved, and none will.
    Failed,
    /// The buyer has the money back.
    Refunded,
}

impl Status {
    /// The word for it in the HTTP contract and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Unknown => "UNKNOWN",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Refunded => "REFUNDED",
        }
    }

    /// The charge is neither made nor given up.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Unknown)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a payment's status")]
pub struct ParseStatusError;

impl FromStr for Status {
    type Err = ParseStatusError;

    fn from_str(text: &str) -> Result<Self, ParseStatusError> {
        [Self::Pending, Self::Unknown, Self::Succeeded, Self::Failed, Self::Refunded]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(ParseStatusError)
    }
}

/// Why no charge may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The booking is over.
    Voided,
    /// The booking's deadline has passed.
    Deadline,
}

impl Refusal {
    /// The reason, in words for the buyer.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Voided => "voided: the booking was given up before it was charged",
            Self::Deadline => "deadline: the time to pay had passed",
        }
    }
}

/// Whether a charge may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Send it, under the booking's own idempotency key.
    Charge,
    /// There is nothing to charge.
    Free,
    /// None was ever sent and none may be.
    Refused(Refusal),
    /// None may be sent any more, but one was: whether it landed has to be looked up.
    InDoubt(Refusal),
    /// The charge is made or given up already.
    Settled,
}

/// What voiding a payment asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voiding {
    /// Nothing: no money is kept.
    Nothing,
    /// The charge is forbidden or, if it is in flight, refunded once it has landed.
    Marked,
    /// The money goes back.
    Refund,
}

/// A step from a state that does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("payment {payment} is {status} and cannot become {to}")]
pub struct IllegalTransition {
    payment: PaymentId,
    status: Status,
    to: Status,
}

/// The payment of a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: PaymentId,
    pub booking: BookingId,
    pub user: UserId,
    pub event: EventId,
    /// In minor units of `currency`, never negative.
    pub amount: i64,
    pub currency: Currency,
    /// What the provider calls the buyer's way to pay.
    pub method: String,
    /// No charge is sent after this moment.
    pub deadline: Timestamp,
    pub status: Status,
    /// When a charge was last sent.
    pub sent_at: Option<Timestamp>,
    /// The provider's name for the charge; `None` for a free booking.
    pub charge: Option<String>,
    pub voided: bool,
    pub failure: Option<String>,
    pub created_at: Timestamp,
    /// Counts the events that this payment has published.
    pub sequence: u64,
}

impl Payment {
    /// Whether a charge may be sent at `now`.
    #[must_use]
    pub fn permission(&self, now: Timestamp) -> Permission {
        if !self.status.is_open() {
            return Permission::Settled;
        }
        let refusal = if self.voided {
            Refusal::Voided
        } else if now > self.deadline {
            Refusal::Deadline
        } else if self.amount == 0 {
            return Permission::Free;
        } else {
            return Permission::Charge;
        };
        if self.sent_at.is_some() { Permission::InDoubt(refusal) } else { Permission::Refused(refusal) }
    }

    /// The charge is made. A payment voided in the meantime owes its buyer a [refund](Voiding::Refund).
    pub fn succeed(&mut self, charge: Option<String>) -> Result<Voiding, IllegalTransition> {
        self.leave(Status::is_open, Status::Succeeded)?;
        self.charge = charge;
        self.sequence += 1;
        Ok(if self.voided { Voiding::Refund } else { Voiding::Nothing })
    }

    /// No charge was made, and none will be.
    pub fn fail(&mut self, reason: impl Into<String>) -> Result<(), IllegalTransition> {
        self.leave(Status::is_open, Status::Failed)?;
        self.failure = Some(reason.into());
        self.sequence += 1;
        Ok(())
    }

    /// The booking is over: what has to happen to its money.
    pub fn void(&mut self) -> Voiding {
        self.voided = true;
        match self.status {
            Status::Pending | Status::Unknown => Voiding::Marked,
            Status::Succeeded => Voiding::Refund,
            Status::Failed | Status::Refunded => Voiding::Nothing,
        }
    }

    /// The money went back.
    pub fn refund(&mut self) -> Result<(), IllegalTransition> {
        self.leave(|status| status == Status::Succeeded, Status::Refunded)?;
        self.sequence += 1;
        Ok(())
    }

    fn leave(&mut self, from: impl Fn(Status) -> bool, to: Status) -> Result<(), IllegalTransition> {
        if !from(self.status) {
            return Err(IllegalTransition { payment: self.id, status: self.status, to });
        }
        self.status = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn payment(amount: i64) -> Payment {
        Payment {
            id: PaymentId::new(),
            booking: BookingId::new(),
            user: UserId::new(),
            event: EventId::new(),
            amount,
            currency: Currency::INR,
            method: "pm_ok".to_owned(),
            deadline: Timestamp::EPOCH + Duration::from_secs(600),
            status: Status::Pending,
            sent_at: None,
            charge: None,
            voided: false,
            failure: None,
            created_at: Timestamp::EPOCH,
            sequence: 0,
        }
    }

    #[test]
    fn a_charge_may_start_until_the_deadline_and_not_after() {
        let payment = payment(10_000);
        assert_eq!(payment.permission(payment.deadline), Permission::Charge);
        let after = payment.deadline + Duration::from_micros(1);
        assert_eq!(payment.permission(after), Permission::Refused(Refusal::Deadline));
    }

    #[test]
    fn a_charge_that_was_sent_is_in_doubt_not_refused() {
        let mut payment = payment(10_000);
        payment.sent_at = Some(Timestamp::EPOCH);
        assert_eq!(payment.void(), Voiding::Marked);
        assert_eq!(payment.permission(Timestamp::EPOCH), Permission::InDoubt(Refusal::Voided));
    }

    #[test]
    fn nothing_is_charged_for_a_free_booking_and_a_voided_one_is_refused_all_the_same() {
        let mut payment = payment(0);
        assert_eq!(payment.permission(Timestamp::EPOCH), Permission::Free);
        payment.void();
        assert_eq!(payment.permission(Timestamp::EPOCH), Permission::Refused(Refusal::Voided));
    }

    #[test]
    fn only_money_that_is_kept_goes_back() {
        let mut voided_first = payment(10_000);
        assert_eq!(voided_first.void(), Voiding::Marked);
        assert_eq!(voided_first.succeed(Some("ch_1".to_owned())), Ok(Voiding::Refund));

        let mut paid = payment(10_000);
        assert_eq!(paid.succeed(Some("ch_2".to_owned())), Ok(Voiding::Nothing));
        assert_eq!(paid.void(), Voiding::Refund);
        paid.refund().expect("it was paid");
        assert_eq!(paid.void(), Voiding::Nothing);

        let mut failed = payment(10_000);
        failed.fail("declined").expect("it was open");
        assert_eq!(failed.void(), Voiding::Nothing);
        assert_eq!(failed.permission(Timestamp::EPOCH), Permission::Settled);
    }

    type Change = fn(&mut Payment) -> Result<(), IllegalTransition>;

    #[test]
    fn what_is_settled_stays_so() {
        for (status, may_settle, may_go_back) in [
            (Status::Pending, true, false),
            (Status::Unknown, true, false),
            (Status::Succeeded, false, true),
            (Status::Failed, false, false),
            (Status::Refunded, false, false),
        ] {
            let before = Payment { status, ..payment(10_000) };
            let changes: [(bool, Change); 3] = [
                (may_settle, |payment| payment.succeed(Some("ch_1".to_owned())).map(drop)),
                (may_settle, |payment| payment.fail("declined")),
                (may_go_back, Payment::refund),
            ];
            for (may, change) in changes {
                let mut after = before.clone();
                assert_eq!(change(&mut after).is_ok(), may, "from {status} to {}", after.status);
                // A step that is refused leaves no trace, and one that is made tells of itself once.
                assert_eq!(after == before, !may, "{after:?}");
                assert_eq!(after.sequence, u64::from(may));
            }
        }
        let mut paid = Payment { status: Status::Succeeded, ..payment(10_000) };
        let refused = paid.fail("declined").expect_err("the provider has the money").to_string();
        assert_eq!(refused, format!("payment {} is SUCCEEDED and cannot become FAILED", paid.id));
    }

    #[test]
    fn every_status_reads_back() {
        for text in ["PENDING", "UNKNOWN", "SUCCEEDED", "FAILED", "REFUNDED"] {
            assert_eq!(text.parse::<Status>().map(Status::as_str), Ok(text));
        }
        assert_eq!("pending".parse::<Status>(), Err(ParseStatusError));
    }
}
