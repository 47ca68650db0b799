//! Seats and ids.

use contract::{PaymentId, TicketId};
use serde_json::{Value, json};
use ticketblitz_core::{BookingId, EventId, SeatId, UserId};
use ticketblitz_lock::HoldId;

/// One text a seat; the same in JSON; seats in the order of their rows, then of their numbers.
pub(crate) fn seat(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let mut seats = Vec::new();
    for word in text.split(' ') {
        let in_json: Option<SeatId> = serde_json::from_value(json!(word)).ok();
        let Ok(seat) = word.parse::<SeatId>() else {
            assert_eq!(in_json, None);
            continue;
        };
        assert_eq!(seat.to_string(), word);
        assert_eq!(SeatId::new(seat.row(), seat.number()), Some(seat));
        assert_eq!((in_json, json!(seat)), (Some(seat), json!(word)));
        seats.push(seat);
    }
    let letters = |seat: &SeatId| seat.to_string().trim_end_matches(char::is_numeric).to_owned();
    let by_text = |seat: &SeatId| (letters(seat).len(), letters(seat), seat.number());
    for one in &seats {
        for other in &seats {
            assert_eq!(one.cmp(other), by_text(one).cmp(&by_text(other)), "{one} {other}");
        }
    }
}

/// A text is an id everywhere or nowhere: by itself, in JSON and as a part of a path.
pub(crate) fn id(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let parsed = text.parse::<EventId>().ok();
    if let Some(id) = parsed {
        assert!(id.to_string().eq_ignore_ascii_case(text), "{text:?} is another spelling of {id}");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(EventId::from_uuid(id.as_uuid()), id);
    }
    assert_eq!(serde_json::from_value::<EventId>(json!(text)).ok(), parsed, "{text:?} in JSON");
    let others: [Option<Value>; 5] = [
        text.parse::<BookingId>().ok().map(|id| json!(id)),
        text.parse::<UserId>().ok().map(|id| json!(id)),
        text.parse::<HoldId>().ok().map(|id| json!(id)),
        text.parse::<PaymentId>().ok().map(|id| json!(id)),
        text.parse::<TicketId>().ok().map(|id| json!(id)),
    ];
    assert!(others.iter().all(|other| *other == parsed.map(|id| json!(id))), "{text:?} {others:?}");
}
