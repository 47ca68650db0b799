//! What a confirmation says. The library encodes headers, and refuses those of several lines by a panic: what
//! people typed is made one line first.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use contract::NotificationId;
use contract::auth::User;
use contract::event::EventSummary;
use contract::events::BookingConfirmed;
use lettre::Message;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, header};
use ticketblitz_core::{Money, Timestamp};

const SENDER: (&str, &str) = ("TicketBlitz", "tickets@ticketblitz.local");

/// A mail that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) recipient: String,
    pub(crate) subject: String,
    /// As RFC 5322 wants it.
    pub(crate) text: Vec<u8>,
}

/// Why there is no such mail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("nobody can be written to at that address: {0}")]
    Address(#[from] lettre::address::AddressError),
    #[error("the mail cannot be written: {0}")]
    Message(#[from] lettre::error::Error),
}

/// The booking that a mail is about, for whoever looks for it.
#[derive(Debug, Clone)]
struct BookingId(String);

impl Header for BookingId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Booking-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// The confirmation of a booking, the same at every try but for its date.
pub(crate) fn confirmation(
    id: NotificationId,
    booking: &BookingConfirmed,
    user: &User,
    event: &EventSummary,
    now: Timestamp,
) -> Result<Written, WriteError> {
    let subject = format!("Your tickets for {}", one_line(&event.name));
    let recipient = Mailbox::new(Some(one_line(&user.name)), user.email.parse()?);
    let micros = u64::try_from(now.as_micros()).unwrap_or_default();
    let message = Message::builder()
        .from(Mailbox::new(Some(SENDER.0.to_owned()), SENDER.1.parse()?))
        .to(recipient)
        .subject(&subject)
        .date(SystemTime::UNIX_EPOCH + Duration::from_micros(micros))
        .message_id(Some(format!("<{id}@ticketblitz.local>")))
        .header(BookingId(booking.booking_id.to_string()))
        .header(header::MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .body(body(booking, user, event))?;
    Ok(Written { recipient: user.email.clone(), subject, text: message.formatted() })
}

fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn body(booking: &BookingConfirmed, user: &User, event: &EventSummary) -> String {
    let mut text = format!(
        "Hello {},\n\nyour booking is confirmed.\n\n{}\n{}\n{}\n\n",
        one_line(&user.name),
        one_line(&event.name),
        one_line(&event.venue),
        local(event.starts_at, &event.time_zone)
    );
    // Writing to a String does not fail.
    for ticket in &booking.tickets {
        let place = match (&ticket.seat_id, &ticket.section) {
            (Some(seat), _) => format!("Seat {seat}"),
            (None, Some(section)) => one_line(section),
            (None, None) => "Ticket".to_owned(),
        };
        let _ = writeln!(text, "{place}: {}", ticket.code);
    }
    let paid = Money::new(booking.amount, booking.currency);
    let _ = write!(text, "\nPaid: {paid}\nBooking: {}\n", booking.booking_id);
    text
}

/// As the clock at the venue shows it.
fn local(moment: Timestamp, zone: &str) -> String {
    let there = jiff::Timestamp::from_microsecond(moment.as_micros()).and_then(|moment| moment.in_tz(zone));
    there.map_or_else(|_| moment.to_string(), |there| there.strftime("%A, %d %B %Y, %H:%M (%Z)").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::{booking, event, user};

    fn written(name: &str) -> String {
        let user = User { name: name.to_owned(), ..user() };
        let now = "2026-01-31T20:00:00Z".parse().expect("a time");
        let mail = confirmation(NotificationId::new(), &booking(), &user, &event(), now).expect("written");
        String::from_utf8(mail.text).expect("a text")
    }

    #[test]
    fn a_confirmation_names_the_event_the_seats_and_the_codes() {
        let mail = written("Ann");
        for part in
            ["Subject: Your tickets for Rock Concert", "Seat A1: code-1", "Seat A2: code-2", "200.00 INR"]
        {
            assert!(mail.contains(part), "no {part} in {mail}");
        }
        assert!(mail.contains("Saturday, 24 May 2031, 19:30 (IST)"), "{mail}");
        assert!(mail.contains("Date: Sat, 31 Jan 2026 20:00:00"), "{mail}");
    }

    #[test]
    fn nothing_that_a_customer_typed_becomes_a_header() {
        let mail = written("Ann\r\nBcc: everybody@example.com");
        let head = mail.split("\r\n\r\n").next().expect("a head");
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(mail.lines().all(|line| !line.starts_with("Bcc")), "nor a line of the text: {mail}");
        assert!(written("Zoë").is_ascii());
    }
}
