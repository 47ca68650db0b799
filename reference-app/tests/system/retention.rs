//! What is old goes, while the system runs; what somebody may still need stays.

use serde_json::Value;

use crate::common::client::charged;
use crate::common::{System, until};
use crate::crash::Database;

/// Tables that are empty once everything in them is old, and those of which a part stays.
const EMPTIED: [(&str, &str); 9] = [
    ("booking", "SELECT count(*) FROM outbox"),
    ("payment", "SELECT count(*) FROM outbox"),
    ("booking", "SELECT count(*) FROM inbox"),
    ("payment", "SELECT count(*) FROM inbox"),
    ("event", "SELECT count(*) FROM inbox"),
    ("booking", "SELECT count(*) FROM saga_instance"),
    ("payment", "SELECT count(*) FROM saga_instance"),
    ("notification", "SELECT count(*) FROM saga_instance"),
    ("booking", "SELECT count(*) FROM idempotency_keys"),
];

async fn rows(system: &System, service: &str, sql: &'static str) -> i64 {
    let mut database = Database::open(system, service).await;
    database.count(sql).await
}

#[tokio::test]
async fn what_is_old_goes_and_nothing_that_was_promised() {
    let settings = [
        ("TICKETBLITZ_RETENTION", "1s"),
        // Above the lease, from whose end it counts: a buyer's retry within it is answered as before.
        ("TICKETBLITZ_KEY_RETENTION", "1s"),
        ("TICKETBLITZ_REFRESH_TOKEN_TTL", "1s"),
    ];
    let system = System::start(&settings).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    let hold = buyer.hold(&event, &["A1"]).await.expect(201);
    let first = buyer.send(buyer.book_request(&hold, "pm_ok", "one-key-to-repeat")).await.expect(201);
    let confirmed = buyer.settled(&first).await;
    assert_eq!(confirmed["status"], "CONFIRMED");
    let replayed = buyer.send(buyer.book_request(&hold, "pm_ok", "one-key-to-repeat")).await;
    assert_eq!((replayed.header("idempotent-replayed"), &replayed.body), ("true", &first));
    assert_eq!(buyer.buy(&event, &["A2"], "pm_declined").await["status"], "FAILED");

    for (service, sql) in EMPTIED {
        until(sql, || async { (rows(&system, service, sql).await == 0).then_some(()) }).await;
    }
    until("sessions are gone", || async {
        (rows(&system, "auth", "SELECT count(*) FROM refresh_families").await == 0).then_some(())
    })
    .await;

    // The key is forgotten and the booking is not: it is not made twice.
    let again = buyer.send(buyer.book_request(&hold, "pm_ok", "one-key-to-repeat")).await;
    assert_eq!(again.refused(409, "booking-exists")["bookingId"], first["id"]);
    assert_eq!(buyer.tickets(&confirmed).await.len(), 1);
    let path = format!("/api/bookings/{}", confirmed["id"].as_str().expect("an id"));
    let cancelled: Value = buyer.delete(&path).await.expect(200);
    assert_eq!(cancelled["status"], "CANCELLED");
    assert_eq!(charged(&system.ledger().await, &confirmed), (1, 1));
    assert_eq!(buyer.buy(&event, &["A1"], "pm_ok").await["status"], "CONFIRMED");
    until("every invariant holds", || async {
        let offset = system.offset.to_string();
        let audit = system.run(&["audit", "--port-offset", &offset, "--settle", "50ms"]).await;
        audit.status.success().then_some(())
    })
    .await;
}
