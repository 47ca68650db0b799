//! What earlier schemas have kept.

use platform::db::open;
use sqlx::migrate::Migrator;

use super::*;

const BOOKINGS: [(&str, &str); 2] = [
    ("01890000-0000-7000-8000-0000000000a1", "CONFIRMED"),
    ("01890000-0000-7000-8000-0000000000a2", "CANCELLED"),
];

/// A booking and a ticket for each of two seats, as the first schema had them.
fn old_rows(id: &str, status: &str) -> Vec<String> {
    let (user, event, hold) = (UserId::new(), EventId::new(), uuid_like(id));
    let mut rows = vec![format!(
        "INSERT INTO bookings (id, user_id, event_id, hold_id, seat_ids, quantity, amount, currency, payment_method, \
         status, created_at, expires_at, sequence) VALUES ('{id}', '{user}', '{event}', '{hold}', '[\"A1\",\"A2\"]', \
         2, 200, 'EUR', 'pm_ok', '{status}', 1, 2, 2)"
    )];
    // The later one first: their order is that of their ids.
    for (seat, ticket) in [("A2", uuid_like(id).replace("-8", "-9")), ("A1", uuid_like(id))] {
        rows.push(format!(
            "INSERT INTO tickets (id, booking_id, seat_id, section, code) \
             VALUES ('{ticket}', '{id}', '{seat}', 'STALLS', 'code of {seat}, {status}')"
        ));
    }
    rows
}

/// An id beside another.
fn uuid_like(id: &str) -> String {
    id.replace("01890000", "01890001")
}

#[tokio::test]
async fn tickets_of_the_first_schema_are_carried_over_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Migrator::with_migrations(crate::MIGRATIONS.iter().take(1).cloned().collect());
    let db = open(dir.path(), "booking", &first).await.expect("opens");
    for row in BOOKINGS.iter().flat_map(|(id, status)| old_rows(id, status)) {
        let kept: Result<_, StoreError> =
            db.write(|conn| Box::pin(async move { Ok(sqlite::query(row).execute(conn).await?) })).await;
        kept.expect("kept");
    }
    db.close().await;

    let db = open(dir.path(), "booking", &crate::MIGRATIONS).await.expect("is migrated");
    let store = SqliteStore::new(db.clone());
    let [confirmed, cancelled] = BOOKINGS.map(|(id, _)| id.parse().expect("an id"));
    let tickets = store.tickets(confirmed, None, 10).await.expect("read");
    let told: Vec<_> = tickets
        .iter()
        .map(|ticket| (ticket.ticket_id.to_string(), ticket.section.as_deref(), ticket.code.as_str()))
        .collect();
    let ids = [uuid_like(BOOKINGS[0].0), uuid_like(BOOKINGS[0].0).replace("-8", "-9")];
    let [one, two] = ids;
    let stalls = Some("STALLS");
    assert_eq!(told, [(one, stalls, "code of A1, CONFIRMED"), (two, stalls, "code of A2, CONFIRMED")]);
    let behind = store.tickets(confirmed, Some(tickets[0].ticket_id), 10).await.expect("read");
    assert_eq!(behind, tickets[1..]);
    assert_eq!(store.tickets(cancelled, None, 10).await.expect("read"), [], "void");
    let mut one_moment = db.readers().begin().expect("begun");
    let all = snapshot(&mut one_moment).await.expect("read").tickets;
    let seat = |seat: &str| Some(seat.parse().expect("a seat"));
    let expected = [confirmed, cancelled].map(|id| [(id, seat("A1")), (id, seat("A2"))]).concat();
    assert_eq!(all, expected);
}

/// Each B-tree of a table is a page to be written for each of its rows.
#[tokio::test]
async fn a_ticket_is_written_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = open(dir.path(), "booking", &crate::MIGRATIONS).await.expect("opens");
    let trees = sqlite::query_scalar::<String>(
        "SELECT name FROM sqlite_schema WHERE tbl_name = 'tickets' AND rootpage > 0",
    );
    let trees = trees.fetch_all(db.readers()).await.expect("read");
    assert_eq!(trees, ["tickets"]);
    let orphan: Result<_, StoreError> = db
        .write(|conn| {
            let orphan = "INSERT INTO tickets (booking_id, id, code) VALUES ('none', 'one', 'code')";
            Box::pin(async move { Ok(sqlite::query(orphan).execute(conn).await?) })
        })
        .await;
    orphan.expect_err("no ticket without a booking");
}
