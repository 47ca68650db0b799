//! Somebody sets the machine's clock back by an hour while bookings are under way: nothing lapses early, and nothing waits
//! for the clock to catch up.

use std::time::Duration;

use platform::auth::Role;
use serde_json::Value;

use super::LOST;
use super::world::{HOLD_TTL, Place, Somebody, World, id_of};

const HOUR: Duration = Duration::from_secs(3_600);

fn place(event: &Value, seat: &str) -> Place {
    Place { event: id_of(event).to_owned(), seat: seat.to_owned() }
}

async fn confirmed(buyer: &Somebody, booking: &Value, place: &Place) {
    let booking = buyer.settled(booking).await;
    assert_eq!(booking["status"], "CONFIRMED", "{booking}");
    assert_eq!((buyer.seat(place).await.as_str(), buyer.tickets(&booking).await), ("SOLD", 1));
    assert_eq!(buyer.payment(&booking, &["SUCCEEDED"]).await, "SUCCEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_set_back_by_an_hour() {
    let world = World::start().await;
    let event = world.somebody(Role::Organizer).await.event().await;
    let (buyer, rival) = (world.somebody(Role::User).await, world.somebody(Role::User).await);
    let [sold, lost, paid, held, left, fresh] =
        ["A1", "A2", "A3", "A4", "A5", "A6"].map(|seat| place(&event, seat));
    let bought = buyer.booked(&sold, "pm_ok").await;
    confirmed(&buyer, &bought, &sold).await;
    let (hold, _) = (buyer.held(&held).await, buyer.held(&left).await);
    // One whose answer was lost, to be looked up after a pause that has begun, and one that is on its way.
    let (in_doubt, under_way) = (buyer.booked(&lost, LOST).await, buyer.booked(&paid, "pm_ok").await);

    world.clock.set_back(HOUR);
    confirmed(&buyer, &in_doubt, &lost).await;
    confirmed(&buyer, &under_way, &paid).await;
    assert_eq!((buyer.seat(&held).await.as_str(), rival.hold(&held).await.0), ("HELD", 409));
    let (status, booking) = buyer.book(&hold, "pm_ok").await;
    assert_eq!(status, 201, "{booking}");
    confirmed(&buyer, &booking, &held).await;
    let booking = rival.booked(&fresh, "pm_ok").await;
    confirmed(&rival, &booking, &fresh).await;
    let (status, cancelled) = buyer.cancel(&bought).await;
    assert_eq!((status, &cancelled["status"]), (200, &Value::from("CANCELLED")));
    assert_eq!(buyer.payment(&bought, &["REFUNDED"]).await, "REFUNDED");
    assert_eq!(rival.hold(&sold).await.0, 201);

    // The hold that was made before ends when its buyer was told that it would.
    world.clock.jump(HOUR - HOLD_TTL);
    assert_eq!(rival.hold(&left).await.0, 409);
    world.clock.jump(HOLD_TTL * 2);
    assert_eq!(rival.hold(&left).await.0, 201);
    world.audited().await;
}
