//! A notification: what is told to whom about which booking. Pure.

use std::fmt;
use std::str::FromStr;

use contract::NotificationId;
use ticketblitz_core::{BookingId, Timestamp, UserId};

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The booking has its tickets; they are in the mail.
    BookingConfirmed,
}

/// How far a notification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    /// The mail server has accepted it.
    Sent,
    /// Given up.
    Failed,
}

/// A text that is no word of this table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a word that notifications are kept with")]
pub struct ParseWordError;

impl Kind {
    /// The word for it in the HTTP contract and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BookingConfirmed => "BOOKING_CONFIRMED",
        }
    }
}

impl Status {
    /// The word for it in the HTTP contract and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Sent => "SENT",
            Self::Failed => "FAILED",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        [Self::BookingConfirmed].into_iter().find(|kind| kind.as_str() == text).ok_or(ParseWordError)
    }
}

impl FromStr for Status {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        [Self::Pending, Self::Sent, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(ParseWordError)
    }
}

/// One notification to one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub id: NotificationId,
    pub booking: BookingId,
    pub kind: Kind,
    pub user: UserId,
    pub status: Status,
    pub created_at: Timestamp,
    pub sent: Option<Sent>,
    /// Why it was given up.
    pub failure: Option<String>,
}

/// That the mail server has accepted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub at: Timestamp,
    pub recipient: String,
    pub subject: String,
}

impl Notification {
    /// A notification that is yet to be sent.
    #[must_use]
    pub fn new(booking: BookingId, kind: Kind, user: UserId, now: Timestamp) -> Self {
        let id = NotificationId::new();
        Self { id, booking, kind, user, status: Status::Pending, created_at: now, sent: None, failure: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for status in [Status::Pending, Status::Sent, Status::Failed] {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        assert_eq!(Kind::BookingConfirmed.to_string().parse(), Ok(Kind::BookingConfirmed));
        assert_eq!("sent".parse::<Status>(), Err(ParseWordError));
    }
}
