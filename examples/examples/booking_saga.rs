//! A booking as a saga, top to bottom as it runs: one is paid and confirmed, one is declined and undone.
//!
//! `cargo run -p examples --example booking_saga`

#![allow(clippy::print_stdout)] // what it shows

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ticketblitz_core::sqlite::{self, Sqlite};
use ticketblitz_core::{Clock, SystemClock, Timestamp};
use ticketblitz_saga::{
    Advance, Advanced, Delivery, Engine, Error, Retry, Run, Saga, Status, StepError, Verdict,
};
use tokio_util::sync::CancellationToken;

/// What the saga carries from node to node.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Booking {
    seat: String,
    pay_until: Timestamp,
    charge: Option<String>,
}

fn booking_saga(db: &Sqlite) -> Saga<Booking> {
    let db = db.clone();
    Saga::<Booking>::named("booking")
        .started()
        .undo(release_seat)
        .wait("paid", |booking: &Booking| booking.pay_until)
        .on("payment.succeeded", |mut booking: Booking, charge: String| {
            booking.charge = Some(charge);
            Verdict::Go(booking)
        })
        .on("payment.failed", |booking: Booking, reason: String| Verdict::Abort(booking, reason))
        .undo(refund)
        .pivot("sell", sell_seat) // from here on `.undo` does not exist: a compile error
        .local("confirm", move |run, advance| confirm(db.clone(), run, advance))
        .build()
}

async fn release_seat(run: Run<Booking>) -> Result<(), Retry> {
    println!("{}: seat {} is free again", run.key, run.state.seat);
    Ok(())
}

/// Runs if the payment has happened or may have: when the sale is refused, at a deadline, at a cancellation; not
/// after a definite no.
async fn refund(run: Run<Booking>) -> Result<(), Retry> {
    println!("{}: refunded", run.key);
    Ok(())
}

/// Calls the inventory; a call that failed is repeated, `StepError::Abort` would undo what came before.
async fn sell_seat(run: Run<Booking>) -> Result<Booking, StepError> {
    println!("{}: seat {} is sold", run.key, run.state.seat);
    Ok(run.state)
}

/// The ticket and the saga's move are one commit.
async fn confirm(db: Sqlite, run: Run<Booking>, advance: Advance) -> Result<Advanced, Retry> {
    let (key, seat) = (run.key, run.state.seat);
    let confirmed: Result<Advanced, Error> = db
        .write(move |conn| {
            Box::pin(async move {
                let ticket = sqlite::query("INSERT INTO ticket (booking, seat) VALUES ($1, $2)");
                ticket.bind(key).bind(seat).execute(&mut *conn).await?;
                advance.apply(conn).await
            })
        })
        .await;
    Ok(confirmed?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let db = Sqlite::open(dir.path().join("bookings.db")).await?;
    let engine = Engine::new(db.clone(), Arc::new(SystemClock)).register(booking_saga(&db)).build().await?;
    let bookings = engine.handle::<Booking>("booking");
    let stop = CancellationToken::new();
    let work = tokio::spawn({
        let (engine, stop) = (engine.clone(), stop.clone());
        async move { engine.run(stop).await }
    });

    let pay_until = SystemClock.now() + Duration::from_secs(600);
    let booking = |seat: &str| Booking { seat: seat.to_owned(), pay_until, charge: None };
    let (first, second) = (bookings.start("first", &booking("A1")), bookings.start("second", &booking("A2")));
    // In a service this commit also makes the booking's row and tells of it.
    let started: Result<(), Error> = db
        .write(move |conn| {
            Box::pin(async move {
                sqlite::query("CREATE TABLE ticket (booking TEXT, seat TEXT)").execute(&mut *conn).await?;
                first.apply(conn).await?;
                second.apply(conn).await?;
                Ok(())
            })
        })
        .await;
    started?;

    let paid = bookings.signal("first", "payment.succeeded", &"ch_1");
    let declined = bookings.signal("second", "payment.failed", &"no money");
    let told: Result<[Delivery; 2], Error> = db
        .write(move |conn| {
            Box::pin(async move { Ok([paid.apply(conn).await?, declined.apply(conn).await?]) })
        })
        .await;
    assert_eq!(told?, [Delivery::Accepted; 2]);

    let mut commits = db.commits();
    for (key, end) in [("first", Status::Completed), ("second", Status::Failed)] {
        while engine.view("booking", key).await?.is_none_or(|view| view.status != end) {
            commits.changed().await?;
        }
        println!("{key}: {end:?}");
    }
    let tickets: Vec<(String, String)> =
        sqlite::query_as("SELECT booking, seat FROM ticket").fetch_all(db.readers()).await?;
    assert_eq!(tickets, [("first".to_owned(), "A1".to_owned())]);
    stop.cancel();
    work.await?;
    Ok(())
}
