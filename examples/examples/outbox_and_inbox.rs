//! An event that is told if and only if its transaction commits, and that takes effect once however often it is
//! delivered.
//!
//! `cargo run -p examples --example outbox_and_inbox`

#![allow(clippy::print_stdout)] // what it shows

use std::sync::Arc;

use ticketblitz_core::sqlite::{Sqlite, query, query_scalar};
use ticketblitz_core::{Clock, Envelope, SystemClock};
use ticketblitz_saga::{Consumer, Error, HandleError, Handler, InProcessBus, inbox, outbox, sqlite};
use tokio_util::sync::CancellationToken;

/// Counts sold seats. The claim of the message and the count are one commit.
struct Counter(Sqlite);

#[async_trait::async_trait]
impl Handler for Counter {
    async fn handle(&self, message: &Envelope) -> Result<(), HandleError> {
        let id = message.id.to_string();
        let counted: Result<(), Error> = self
            .0
            .write(move |conn| {
                Box::pin(async move {
                    if inbox::claim(conn, "counter", &id).await? {
                        query("UPDATE sold SET seats = seats + 1").execute(conn).await?;
                    }
                    Ok(())
                })
            })
            .await;
        Ok(counted?)
    }
}

fn sold(seat: &str) -> Envelope {
    Envelope::new("seat.sold", seat, SystemClock.now(), serde_json::json!({ "seat": seat }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let shop = Sqlite::open(dir.path().join("shop.db")).await?;
    let counts = Sqlite::open(dir.path().join("counts.db")).await?;
    for db in [&shop, &counts] {
        sqlite::setup(db).await?;
    }
    let table: Result<(), Error> = counts
        .write(|conn| {
            Box::pin(async move {
                query("CREATE TABLE sold (seats INTEGER)").execute(&mut *conn).await?;
                query("INSERT INTO sold VALUES (0)").execute(conn).await?;
                Ok(())
            })
        })
        .await;
    table?;

    let counter = Arc::new(Counter(counts.clone()));
    let stop = CancellationToken::new();
    let bus = InProcessBus::new(Arc::new(SystemClock)).outbox("shop", shop.clone()).consumer(Consumer::new(
        "counter",
        ["seat.sold"],
        Arc::clone(&counter) as Arc<dyn Handler>,
    ));
    let bus = tokio::spawn(bus.build()?.run(stop.clone()));

    let (a1, never) = (sold("A1"), sold("A2"));
    let repeated = a1.clone();
    let told: Result<(), Error> =
        shop.write(move |conn| Box::pin(async move { outbox::push(conn, &a1).await })).await;
    told?;
    let rolled_back: Result<(), Error> = shop
        .write(move |conn| {
            Box::pin(async move {
                outbox::push(conn, &never).await?;
                Err(ticketblitz_core::sqlite::Error::decode("the sale fell through").into()) // the sale falls through, and so does the event
            })
        })
        .await;
    assert!(rolled_back.is_err());

    let seats = || async { query_scalar::<i64>("SELECT seats FROM sold").fetch_one(counts.readers()).await };
    let mut commits = counts.commits();
    while seats().await? == 0 {
        commits.changed().await?;
    }
    counter.handle(&repeated).await.map_err(|error| format!("{error:?}"))?; // a delivery too many
    println!("sold and counted: {}", seats().await?);
    assert_eq!(seats().await?, 1);
    stop.cancel();
    bus.await?;
    Ok(())
}
