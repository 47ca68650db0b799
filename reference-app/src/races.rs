//! Two things at the same moment, over the whole system: one of them wins, and money, seats and tickets agree on which.
//!
//! When the second contender starts is aimed: it comes earlier after each round that it lost and later after each one
//! that it won, so that most rounds are decided by a hair, both ways, however fast the machine is. Where the provider's
//! answer was lost, it comes at any moment until that is looked up.
#![allow(clippy::print_stdout)] // the figures of a soak

mod set_back;
#[path = "../tests/system/common/soak.rs"]
mod soak;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::auth::Role;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;

use soak::{chance, size};
use world::{DEADLINE, HOLD_TTL, Place, Somebody, World, id_of};

/// How long after the first contender the second one starts.
struct Aim(Duration);

impl Aim {
    const CLOSEST: Duration = Duration::from_micros(1);
    const FARTHEST: Duration = Duration::from_secs(1);

    fn new() -> Self {
        Self(Duration::from_millis(1))
    }

    fn after(&self, chance: &mut StdRng) -> Duration {
        self.0.mul_f64(chance.random_range(0.7..1.3))
    }

    fn learn(&mut self, second_won: bool) {
        let next = self.0.mul_f64(if second_won { 1.2 } else { 0.8 });
        self.0 = next.clamp(Self::CLOSEST, Self::FARTHEST);
    }
}

/// A charge whose answer was lost is looked up after 50 ms: until then it is made, and nobody knows.
const IN_DOUBT: Duration = Duration::from_millis(60);
const LOST: &str = "pm_lost_reply_charged";

/// Lets the others run for a time that the runtime's timers are too coarse for.
async fn let_run(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        tokio::task::yield_now().await;
    }
}

/// One kind of race, run again and again in one system.
struct Race {
    world: Arc<World>,
    organizer: Somebody,
    chance: StdRng,
    places: Vec<Place>,
    wins: BTreeMap<String, usize>,
    ends: Vec<(String, bool)>,
    /// What has to come of some rounds, or it was no race.
    outcomes: &'static [&'static str],
}

impl Race {
    async fn new(what: &str, outcomes: &'static [&'static str]) -> Self {
        let world = World::start().await;
        let organizer = world.somebody(Role::Organizer).await;
        let (places, wins, ends) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { world, organizer, chance: chance(what), places, wins, ends, outcomes }
    }

    /// For all rounds, and then until each outcome has come.
    fn goes_on(&self) -> bool {
        let rounds = size(50, 1_000);
        self.ends.len() < rounds || (!self.missing().is_empty() && self.ends.len() < 20 * rounds)
    }

    fn missing(&self) -> Vec<&'static str> {
        let came = |outcome: &&str| self.wins.keys().any(|win| win.starts_with(outcome));
        self.outcomes.iter().copied().filter(|outcome| !came(outcome)).collect()
    }

    async fn buyer(&self) -> Somebody {
        self.world.somebody(Role::User).await
    }

    /// A seat that is free.
    async fn place(&mut self) -> Place {
        if self.places.is_empty() {
            let event = self.organizer.event().await;
            let sections = event["sections"].as_array().expect("sections").iter();
            let seats = sections.flat_map(|section| section["seats"].as_array().expect("seats"));
            let seats = seats.map(|seat| seat.as_str().expect("a seat").to_owned());
            let place = |seat| Place { event: id_of(&event).to_owned(), seat };
            self.places = seats.map(place).collect();
        }
        self.places.pop().expect("an event has seats")
    }

    /// A booking that is on its way to be paid, and has been for as long as the second contender leaves it.
    async fn under_way(&mut self, aim: &Aim) -> (Somebody, Place, Value, bool) {
        let (buyer, place) = (self.buyer().await, self.place().await);
        let lost = self.chance.random_ratio(1, 3);
        let booking = buyer.booked(&place, if lost { LOST } else { "pm_ok" }).await;
        let chance = &mut self.chance;
        let_run(if lost { IN_DOUBT.mul_f64(chance.random()) } else { aim.after(chance) }).await;
        (buyer, place, booking, !lost)
    }

    /// A booking came to its end: what it has agrees with what it says.
    async fn ended(&mut self, winner: &str, buyer: &Somebody, booking: &Value, place: Place) {
        let confirmed = booking["status"] == "CONFIRMED";
        let has = (buyer.seat(&place).await, buyer.tickets(booking).await);
        let payment = if confirmed {
            assert_eq!(has, ("SOLD".to_owned(), 1), "{booking}");
            buyer.payment(booking, &["SUCCEEDED"]).await
        } else {
            assert_eq!(has, ("AVAILABLE".to_owned(), 0), "{booking}");
            self.places.push(place);
            buyer.payment(booking, &["REFUNDED", "FAILED"]).await
        };
        let refunded = if payment == "REFUNDED" { ", refunded" } else { "" };
        *self.wins.entry(format!("{winner}{refunded}")).or_default() += 1;
        self.ends.push((id_of(booking).to_owned(), confirmed));
    }

    /// The provider's books and the audit, over all rounds.
    async fn over(self) {
        let ledger = self.world.ledger().await;
        let list = |of: &str| ledger[of].as_array().expect("a list").clone();
        let mut balance = BTreeMap::<String, (usize, usize)>::new();
        let mut bookings = BTreeMap::<String, String>::new();
        for charge in list("charges").iter().filter(|charge| charge["status"] == "succeeded") {
            let booking = charge["reference"].as_str().expect("a reference").to_owned();
            bookings.insert(id_of(charge).to_owned(), booking.clone());
            balance.entry(booking).or_default().0 += 1;
        }
        for refund in list("refunds") {
            let booking = &bookings[refund["chargeId"].as_str().expect("a charge")];
            balance.entry(booking.clone()).or_default().1 += 1;
        }
        for (booking, confirmed) in &self.ends {
            let (charges, refunds) = balance.remove(booking).unwrap_or_default();
            let right =
                if *confirmed { (charges, refunds) == (1, 0) } else { charges == refunds && charges <= 1 };
            assert!(right, "{booking} confirmed: {confirmed}, {charges} charges, {refunds} refunds");
        }
        assert!(balance.is_empty(), "charges of nobody's booking: {balance:?}");
        self.world.audited().await;
        let (charges, refunds) = (list("charges").len(), list("refunds").len());
        println!(
            "  {} rounds: {:?}; {charges} charges, {refunds} refunds, every invariant holds",
            self.ends.len(),
            self.wins,
        );
        assert_eq!(self.missing(), [""; 0], "that was no race: {:?}", self.wins);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deadline_against_the_payment() {
    let (mut race, mut aim) = (
        Race::new("deadline against payment", &["payment", "deadline", "deadline, refunded"]).await,
        Aim::new(),
    );
    while race.goes_on() {
        let (buyer, place, booking, aimed) = race.under_way(&aim).await;
        race.world.clock.jump(DEADLINE);
        let booking = buyer.settled(&booking).await;
        let paid = match booking["status"].as_str() {
            Some("CONFIRMED") => true,
            // Payment refuses to charge past the deadline, and may say so before the deadline is noticed.
            Some("EXPIRED" | "FAILED") => false,
            _ => panic!("{booking}"),
        };
        if aimed {
            aim.learn(!paid);
        }
        race.ended(if paid { "payment" } else { "deadline" }, &buyer, &booking, place).await;
    }
    race.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cancellation_against_the_payment() {
    let (mut race, mut aim) = (
        Race::new("cancellation against payment", &["payment", "cancellation", "cancellation, refunded"])
            .await,
        Aim::new(),
    );
    while race.goes_on() {
        let (buyer, place, booking, aimed) = race.under_way(&aim).await;
        let (status, answer) = buyer.cancel(&booking).await;
        let booking = buyer.settled(&booking).await;
        match status {
            200 => assert_eq!(
                (&answer["status"], &booking["status"]),
                (&"CANCELLED".into(), &"CANCELLED".into())
            ),
            // It was just being sold.
            409 => assert_eq!(booking["status"], "CONFIRMED", "{answer}"),
            _ => panic!("{status} {answer}"),
        }
        let cancelled_first = booking["confirmedAt"].is_null();
        if aimed {
            aim.learn(cancelled_first);
        }
        race.ended(if cancelled_first { "cancellation" } else { "payment" }, &buyer, &booking, place).await;
    }
    race.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_hold_against_its_booking() {
    let (mut race, mut aim) =
        (Race::new("end of the hold against booking", &["booking", "end of the hold"]).await, Aim::new());
    while race.goes_on() {
        let (holder, rival, place) = (race.buyer().await, race.buyer().await, race.place().await);
        let hold = holder.held(&place).await;
        let booking = tokio::spawn({
            let holder = holder.clone();
            async move { holder.book(&hold, "pm_ok").await }
        });
        let_run(aim.after(&mut race.chance)).await;
        race.world.clock.jump(HOLD_TTL);
        let (status, second) = rival.hold(&place).await;
        let (winner, buyer, booking) = match (booking.await.expect("no panic"), status) {
            ((201, booking), 409) => ("booking", holder, booking),
            ((409, refused), 201) => {
                assert_eq!(refused["type"], "urn:ticketblitz:problem:hold-not-live", "{refused}");
                let (status, booking) = rival.book(&second, "pm_ok").await;
                assert_eq!(status, 201, "{booking}");
                ("end of the hold", rival, booking)
            }
            both => panic!("{both:?} {second}"),
        };
        aim.learn(winner == "end of the hold");
        let booking = buyer.settled(&booking).await;
        assert_eq!(booking["status"], "CONFIRMED", "{booking}");
        race.ended(winner, &buyer, &booking, place).await;
    }
    race.over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_bookings_on_one_hold() {
    let mut race = Race::new("two bookings on one hold", &["the one", "the other"]).await;
    while race.goes_on() {
        let (buyer, place) = (race.buyer().await, race.place().await);
        let hold = buyer.held(&place).await;
        // Either one may be late, by less than a booking takes.
        let late = [race.chance.random_range(0..500), 0].map(Duration::from_micros);
        let late = if race.chance.random() { late } else { [late[1], late[0]] };
        let [one, other] = late.map(|late| {
            let (buyer, hold) = (buyer.clone(), hold.clone());
            tokio::spawn(async move {
                let_run(late).await;
                buyer.book(&hold, "pm_ok").await
            })
        });
        let (one, other) = (one.await.expect("no panic"), other.await.expect("no panic"));
        let (winner, booking, refused) = match (one, other) {
            ((201, booking), (409, refused)) => ("the one", booking, refused),
            ((409, refused), (201, booking)) => ("the other", booking, refused),
            both => panic!("{both:?}"),
        };
        assert_eq!(refused["type"], "urn:ticketblitz:problem:booking-exists", "{refused}");
        assert_eq!(refused["bookingId"], booking["id"], "it names the one that was made");
        let booking = buyer.settled(&booking).await;
        assert_eq!(booking["status"], "CONFIRMED", "{booking}");
        race.ended(winner, &buyer, &booking, place).await;
    }
    race.over().await;
}
