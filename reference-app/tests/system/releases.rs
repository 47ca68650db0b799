//! Data directories of the releases before this one: today's binary takes each over, and nothing in it is lost.
//!
//! `tests/releases/VERSION` is what a release left when it was killed in the middle of its work: a database each as
//! SQL, and who had which tokens. `scripts/keep-release` adds that of the present version.

use std::path::{Path, PathBuf};

use platform::auth::ServiceTokens;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection};
use uuid::Uuid;

use crate::common::client::charged;
use crate::common::dump;
use crate::common::{Buyer, System, until};
use crate::crash::{Database, until_some};

/// What was given to people, and the time to pay, stays good for as long as a setting can say: what was kept in 2026
/// until 2036.
const LONG: &str = "3650d";
const SETTINGS: [(&str, &str); 3] = [
    ("TICKETBLITZ_PAYMENT_DEADLINE", LONG),
    ("TICKETBLITZ_ACCESS_TOKEN_TTL", LONG),
    ("TICKETBLITZ_REFRESH_TOKEN_TTL", LONG),
];
const PASSWORD: &str = "pass123";
/// The venue of an event whose change was cut off.
const MOVED: &str = "Another Hall";

/// An event that is on sale for as long as anybody tests this.
async fn far_away(organizer: &Buyer, name: &str) -> Value {
    let body = json!({"name": name, "venue": "Hall", "startsAt": "2099-05-01T10:00:00Z", "timeZone": "Europe/Paris",
        "currency": "EUR", "bookingMode": "VISUAL", "totalSeats": 40});
    organizer.post("/api/events", &body).await.expect(201)
}

/// Everything that can become of a booking, at rest.
async fn rest(system: &System, ann: &Buyer, bob: &Buyer) -> Value {
    let admin = system.admin().await;
    let event = far_away(&admin, "Rock Concert 2099").await;
    assert_eq!(ann.buy(&event, &["A1", "A2"], "pm_ok").await["status"], "CONFIRMED");
    assert_eq!(bob.buy(&event, &["A3"], "pm_lost_reply_charged").await["status"], "CONFIRMED");
    assert_eq!(bob.buy(&event, &["B1"], "pm_declined").await["status"], "FAILED");
    let cancelled = ann.buy(&event, &["A4"], "pm_ok").await;
    ann.delete(&path(&cancelled)).await.expect(200);
    assert_eq!(bob.buy(&event, &["A4"], "pm_ok").await["status"], "CONFIRMED");
    let area = ann.sample("TATKAL").await;
    let hold = ann.hold_area(&area, 2).await.expect(201);
    let booking = ann.book(&hold, "pm_ok").await.expect(201);
    assert_eq!(ann.settled(&booking).await["status"], "CONFIRMED");
    let gone = far_away(&admin, "Never").await;
    admin.delete(&format!("/api/events/{}", gone["id"].as_str().expect("an id"))).await.expect(204);
    unheard_of(system).await;
    for (service, sql) in [
        ("notification", "SELECT count(*) = 5 FROM notifications WHERE status = 'SENT'"),
        ("booking", "SELECT count(*) FROM cancelled_events"),
        ("payment", "SELECT count(*) FROM voided_bookings"),
        ("booking", "SELECT count(*) FROM outbox_delivery WHERE state = 'dead'"),
        ("event", "SELECT count(*) FROM counted_bookings WHERE cancelled"),
    ] {
        until_some(system, service, sql).await;
    }
    event
}

/// What services keep of bookings that they were told about in an order that is rare, and what an operator did.
async fn unheard_of(system: &System) {
    let secret = std::fs::read(system.data_dir().join("service-secret")).expect("a secret");
    let token = ServiceTokens::new(&secret).mint("booking");
    let mut service = Buyer::nobody(&system.url(8083));
    service.token = Some(token.to_string());
    let release = format!("/internal/inventory/bookings/{}/release", Uuid::now_v7());
    let released = service.send(service.request(reqwest::Method::POST, &release)).await;
    assert!(released.status < 300, "{}", released.text);

    let mut bookings = Database::open(system, "booking").await;
    let unknown = Uuid::now_v7();
    for (kind, data) in [
        ("refund.requested", json!({"bookingId": unknown, "reason": "it never came"})),
        ("booking.created", json!({"bookingId": "damaged"})),
    ] {
        let (id, key) = (Uuid::now_v7(), Uuid::now_v7());
        let envelope = json!({"id": id, "type": kind, "schemaVersion": 1, "occurredAt": "2026-11-25T06:00:00Z",
            "key": key, "sequence": 1, "trace": null, "data": data});
        let push = format!(
            "INSERT INTO outbox (id, topic, key, envelope, occurred_at) VALUES ('{id}', '{kind}', '{key}', '{envelope}', 0)"
        );
        sqlx::query(AssertSqlSafe(push)).execute(&mut bookings.0).await.expect("pushed");
    }
    bookings.0.close().await.expect("closed");
    for service in ["booking", "payment", "notification", "event"] {
        let mut database = Database::open(system, service).await;
        let note = "INSERT INTO saga_audit (at, name, key, action, reason) VALUES (1, 'x', 'y', 'resume', 'by hand')";
        sqlx::query(note).execute(&mut database.0).await.expect("noted");
        database.0.close().await.expect("closed");
    }
}

/// Bookings in the middle when the process is killed: charged without an answer, ordered and not yet heard of,
/// cancelled and not yet refunded.
async fn cut_off(system: &mut System, ann: &Buyer, bob: &Buyer, event: &Value) {
    let paid = bob.buy(event, &["C1"], "pm_ok").await;
    let slow = ann.hold(event, &["D1"]).await.expect(201);
    ann.book(&slow, "pm_slow").await.expect(201);
    until_some(system, "payment", "SELECT count(*) FROM payments WHERE status = 'PENDING' AND sent_at > 0")
        .await;
    let mut payments = Database::open(system, "payment").await;
    payments.block().await;
    let unheard = bob.hold(event, &["D2", "D3"]).await.expect(201);
    bob.book(&unheard, "pm_ok").await.expect(201);
    let (buyer, cancel) = (bob.clone(), bob.request(reqwest::Method::DELETE, &path(&paid)));
    let cancelling = tokio::spawn(async move { drop(buyer.try_send(cancel).await) });
    until_some(
        system,
        "booking",
        "SELECT count(*) FROM saga_instance WHERE name = 'cancellation' AND phase = 'running'",
    )
    .await;
    half_changed(system, event).await;
    system.kill().await;
    cancelling.await.expect("it ends");
    let mut inventory = Database::open(system, "inventory").await;
    sqlx::query("DROP TRIGGER refuse").execute(&mut inventory.0).await.expect("answers again");
    inventory.0.close().await.expect("closed");
}

/// A change of the event of which nobody knows whether it came to the inventory.
async fn half_changed(system: &System, event: &Value) {
    let mut inventory = Database::open(system, "inventory").await;
    let fails =
        "CREATE TRIGGER refuse BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'out of order'); END";
    sqlx::query(fails).execute(&mut inventory.0).await.expect("made");
    inventory.0.close().await.expect("closed");
    let mut changed = event.clone();
    changed["venue"] = json!(MOVED);
    changed["totalSeats"] = Value::Null; // its sections say so
    let id = event["id"].as_str().expect("an id");
    let answer = system.admin().await.put(&format!("/api/events/{id}"), &changed).await;
    answer.refused(503, "dependency-unavailable");
    until_some(system, "event", "SELECT count(*) FROM intents").await;
}

fn path(booking: &Value) -> String {
    format!("/api/bookings/{}", booking["id"].as_str().expect("an id"))
}

fn person(buyer: &Buyer) -> Value {
    let session = &buyer.session;
    json!({"email": session["email"], "accessToken": session["accessToken"], "refreshToken": session["refreshToken"]})
}

/// Leaves in `to` what a system of this version leaves behind.
async fn made_today(to: &Path) {
    let mut system = System::start(&SETTINGS).await;
    let (ann, bob) = (system.buyer("Ann").await, system.buyer("Bob").await);
    let event = rest(&system, &ann, &bob).await;
    cut_off(&mut system, &ann, &bob, &event).await;
    dump::keep(system.data_dir(), to).await;
    let people = json!({"event": event["id"], "venue": MOVED, "people": [person(&ann), person(&bob)]});
    let people = serde_json::to_string_pretty(&people).expect("JSON") + "\n";
    std::fs::write(to.join("people.json"), people).expect("written");
}

/// The bookings in a directory: id, user, status, seats.
async fn bookings(dir: &Path) -> Vec<(String, String, String, String)> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.join("booking.db"));
    let mut conn = sqlx::ConnectOptions::connect(&options).await.expect("opens");
    let all = "SELECT id, user_id, status, seat_ids FROM bookings ORDER BY id";
    let all = sqlx::query_as(all).fetch_all(&mut conn).await.expect("the bookings");
    conn.close().await.expect("closed");
    all
}

/// Today's binary on what a release has left: the sold stays sold, the tokens good, what was pending ends.
async fn is_taken_over(release: &Path) {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path().join("data");
    dump::restore(release, &dir).await;
    let people = std::fs::read_to_string(release.join("people.json")).expect("people");
    let people: Value = serde_json::from_str(&people).expect("JSON");
    let before = bookings(&dir).await;
    let mut system = System::start_on(&dir, &SETTINGS).await;
    let event = json!({"id": people["event"]});
    // Of releases that kept what they were about to do.
    if people["venue"].is_string() {
        let nobody = Buyer::nobody(&system.url(8080));
        until("the change is finished", || async {
            (nobody.event(&event).await["venue"] == people["venue"]).then_some(())
        })
        .await;
    }
    for person in people["people"].as_array().expect("a list") {
        let mut buyer = Buyer::nobody(&system.url(8080));
        buyer.token = person["accessToken"].as_str().map(str::to_owned);
        let me = buyer.get("/api/auth/me").await.expect(200);
        assert_eq!(me["email"], person["email"]);
        buyer.post("/api/auth/refresh", &json!({"refreshToken": person["refreshToken"]})).await.expect(200);
        Buyer::log_in(&system.url(8080), person["email"].as_str().expect("a text"), PASSWORD).await;
        for (id, _, status, seats) in before.iter().filter(|(_, user, ..)| me["userId"] == *user) {
            let now = buyer.settled(&json!({"id": id})).await;
            let expected = if status == "PENDING" { "CONFIRMED" } else { status };
            assert_eq!(now["status"], expected, "{seats}: {now}");
            assert_eq!(now["seatIds"].to_string(), *seats);
            if expected == "CONFIRMED" {
                assert_eq!(buyer.tickets(&now).await.len().to_string(), now["quantity"].to_string());
                assert_eq!(charged(&system.ledger().await, &now), (1, 0), "{now}");
                let seats: Vec<String> = serde_json::from_str(seats).expect("JSON");
                for seat in &seats {
                    let other = system.buyer("Eve").await;
                    assert_eq!(buyer.seat(&event, seat).await, "SOLD");
                    other.hold(&event, &[seat]).await.refused(409, "seats-unavailable");
                }
            }
        }
    }
    until("every invariant holds", || async {
        let offset = system.offset.to_string();
        let audit = system.run(&["audit", "--port-offset", &offset, "--settle", "50ms"]).await;
        audit.status.success().then_some(())
    })
    .await;
    // What was done before is not done again.
    assert_eq!(system.buyer("Zoe").await.sample("VISUAL").await["name"], "Rock Concert");
    assert!(system.terminate().await.0.success());
    system.restart().await;
}

fn releases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/releases");
    let entries = std::fs::read_dir(dir).expect("releases").map(|entry| entry.expect("an entry").path());
    let mut releases: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    releases.sort();
    releases
}

#[tokio::test]
async fn the_data_of_every_release_is_taken_over() {
    let releases = releases();
    assert!(releases.iter().any(|release| release.ends_with("0.1.0")), "{releases:?}");
    for release in releases {
        is_taken_over(&release).await;
    }
}

/// The same for this version, before it is one: and the way to keep it, in the directory that `KEEP_RELEASE` names.
#[tokio::test]
async fn the_data_of_this_version_can_be_kept() {
    let place = tempfile::tempdir().expect("a directory");
    #[allow(clippy::disallowed_methods)] // a setting of this test, not of the system
    let kept = std::env::var_os("KEEP_RELEASE").map_or_else(|| place.path().join("today"), PathBuf::from);
    made_today(&kept).await;
    let restored = place.path().join("restored");
    dump::restore(&kept, &restored).await;
    for file in dump::databases(&restored) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
        let mut conn = sqlx::ConnectOptions::connect(&options).await.expect("opens");
        for (table, rows) in dump::tables(&mut conn).await {
            // Roles that tell nothing, or have no sagas, have those tables all the same.
            let unused = ["outbox", "inbox", "saga_"].iter().any(|of| table.starts_with(of));
            assert!(
                rows > 0 || unused,
                "{} of {}: a fixture without rows proves nothing",
                table,
                file.display()
            );
        }
        conn.close().await.expect("closed");
    }
    is_taken_over(&kept).await;
}
