use super::*;

fn pending() -> Booking {
    let paying = InPayment {
        booking_id: BookingId::new(),
        hold_id: HoldId::new(),
        event_id: EventId::new(),
        seat_ids: vec!["A1".parse().unwrap(), "A2".parse().unwrap()],
        section: None,
        quantity: 2,
        amount: 20_000,
        currency: Currency::INR,
        fence: 7,
        deadline: Timestamp::from_micros(600),
    };
    Booking::begin(paying, UserId::new(), PaymentMethod::Ok, Timestamp::EPOCH)
}

#[test]
fn only_open_states_can_be_left() {
    let now = Timestamp::from_micros(5);
    let ended = |ending| {
        let mut booking = pending();
        booking.end(ending, now).unwrap();
        booking
    };
    let mut cancelled = pending();
    cancelled.confirm(now).unwrap();
    cancelled.call_off("changed my mind").unwrap();
    let finals = [
        ended(Ending::Expired),
        ended(Ending::Failed("declined".into())),
        ended(Ending::Cancelled("no".into())),
        cancelled,
    ];
    for booking in finals {
        let before = booking.clone();
        let mut after = booking;
        assert!(after.confirm(now).is_err(), "{}", before.status);
        assert!(after.end(Ending::Expired, now).is_err(), "{}", before.status);
        assert!(after.call_off("again").is_err(), "{}", before.status);
        assert_eq!(after, before, "a refused step changes nothing");
    }
}

#[test]
fn a_confirmed_booking_cannot_end_as_unpaid() {
    let mut booking = pending();
    booking.confirm(Timestamp::EPOCH).unwrap();
    assert!(booking.end(Ending::Expired, Timestamp::EPOCH).is_err());
    assert!(booking.confirm(Timestamp::EPOCH).is_err());
    assert_eq!(booking.cancellation(), Cancellation::Refund);
}

#[test]
fn a_refund_is_requested_once() {
    let mut booking = pending();
    assert!(booking.request_refund());
    assert!(!booking.request_refund());
}

#[test]
fn a_ticket_for_each_seat_or_place() {
    let mut n = 0;
    let mut fresh = || {
        n += 1;
        (TicketId::new(), n.to_string())
    };
    let mut booking = pending();
    let seats: Vec<_> =
        booking.tickets(&mut fresh).into_iter().map(|t| t.seat_id.unwrap().to_string()).collect();
    assert_eq!(seats, ["A1", "A2"]);

    booking.seats.clear();
    booking.section = Some("GENERAL".into());
    booking.quantity = 3;
    let tickets = booking.tickets(&mut fresh);
    assert_eq!(tickets.len(), 3);
    assert!(tickets.iter().all(|t| t.seat_id.is_none() && t.section.as_deref() == Some("GENERAL")));
}

#[test]
fn names_read_back() {
    for status in Status::ALL {
        let name = status.as_str();
        assert_eq!(status.to_string(), name);
        assert_eq!(name.parse(), Ok(status));
    }
    for method in PaymentMethod::ALL {
        let name = method.as_str();
        assert_eq!(method.to_string(), name);
        assert_eq!(name.parse(), Ok(method));
    }
    assert!("pm_gold".parse::<PaymentMethod>().is_err());
    assert!("pending".parse::<Status>().is_err());
}
