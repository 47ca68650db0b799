//! `ticketblitz audit` beside a server and after it, and each invariant broken once by hand.

use std::path::Path;
use std::process::Output;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::common::provider::Provider;
use crate::common::{Buyer, System, until};

/// A way to break an invariant: its name, the database, and the statements.
type Breakage = (&'static str, &'static str, &'static str);

const BREAKAGES: [Breakage; 36] = [
    (
        "one live sale a seat",
        "inventory",
        "UPDATE claims SET state = 'SOLD' WHERE state = 'REOPENED' AND seats LIKE '%\"A4\"%'",
    ),
    (
        "one live sale a seat",
        "booking",
        "UPDATE bookings SET seat_ids = '[\"A1\"]' WHERE seat_ids = '[\"A3\"]'",
    ),
    (
        "sold + paying + held + free = capacity",
        "inventory",
        "UPDATE sections SET taken = taken + 1 WHERE capacity IS NOT NULL",
    ),
    (
        "sold + paying + held + free = capacity",
        "inventory",
        "UPDATE claim_seats SET state = 'FREE' WHERE seat = 'A1'",
    ),
    ("sold + paying + held + free = capacity", "inventory", "DELETE FROM seats WHERE seat = 'A1'"),
    (
        "sold + paying + held + free = capacity",
        "inventory",
        "UPDATE claims SET state = 'RELEASED' WHERE state = 'SOLD' AND seats LIKE '%\"A1\"%'",
    ),
    (
        "every confirmed booking is paid once",
        "psp",
        "INSERT INTO charges (id, reference, amount, currency, status, created_at) \
         SELECT 'ch_again', reference, amount, currency, status, created_at FROM charges \
         WHERE id NOT IN (SELECT charge_id FROM refunds) AND status = 'succeeded' LIMIT 1",
    ),
    (
        "every confirmed booking is paid once",
        "psp",
        "INSERT INTO refunds (id, charge_id, amount, created_at) SELECT 're_wrong', id, amount, created_at FROM charges \
         WHERE id NOT IN (SELECT charge_id FROM refunds) AND status = 'succeeded' LIMIT 1",
    ),
    ("every confirmed booking is paid once", "psp", "UPDATE charges SET amount = amount + 1"),
    (
        "every confirmed booking is paid once",
        "payment",
        "UPDATE payments SET status = 'FAILED' WHERE status = 'SUCCEEDED'",
    ),
    ("every confirmed booking has its tickets", "booking", "DELETE FROM tickets WHERE seat_id = 'A1'"),
    (
        "every confirmed booking's places are sold to it",
        "inventory",
        "UPDATE claims SET state = 'RELEASED' WHERE state = 'SOLD'",
    ),
    (
        "every confirmed booking's places are sold to it",
        "booking",
        "UPDATE bookings SET status = 'FAILED' WHERE status = 'CONFIRMED'",
    ),
    (
        "every confirmed booking's places are sold to it",
        "inventory",
        "UPDATE claims SET state = 'PAYING' WHERE state = 'RELEASED'",
    ),
    (
        "every charge is of a confirmed booking or refunded",
        "psp",
        "INSERT INTO charges (id, reference, amount, currency, status, created_at) \
         SELECT 'ch_again', reference, amount, currency, status, created_at FROM charges \
         WHERE id IN (SELECT charge_id FROM refunds); \
         INSERT INTO refunds (id, charge_id, amount, created_at) SELECT 're_again', 'ch_again', amount, created_at \
         FROM refunds",
    ),
    (
        "every charge is of a confirmed booking or refunded",
        "psp",
        "UPDATE charges SET reference = '01890000-0000-7000-8000-000000000000' WHERE status = 'succeeded'",
    ),
    ("every charge is of a confirmed booking or refunded", "psp", "DELETE FROM refunds"),
    (
        "no booking is PENDING past its deadline",
        "booking",
        "UPDATE bookings SET status = 'PENDING', expires_at = 1 WHERE status = 'FAILED'",
    ),
    (
        "no booking is PENDING past its deadline",
        "booking",
        "UPDATE bookings SET status = 'PENDING', expires_at = 1 WHERE seat_ids = '[\"A3\"]'",
    ),
    ("one notification a confirmation", "notification", "DELETE FROM notifications"),
    (
        "one notification a confirmation",
        "notification",
        "UPDATE notifications SET booking_id = '01890000-0000-7000-8000-000000000000' \
         WHERE id = (SELECT min(id) FROM notifications)",
    ),
    ("the counts in Event agree", "event", "UPDATE events SET taken = taken + 1"),
    ("the counts in Event agree", "event", "UPDATE counted_bookings SET cancelled = 1"),
    ("fences only rise", "inventory", "UPDATE claim_seats SET fence = fence - 1 WHERE seat = 'A1'"),
    ("fences only rise", "inventory", "UPDATE events SET fence = 1"),
    ("no customer has more than the limit", "inventory", "UPDATE events SET max_per_customer = 1"),
    ("every sale is of an event that takes place", "event", "DELETE FROM events WHERE taken > 0"),
    (
        "every sale is of an event that takes place",
        "event",
        "UPDATE events SET phase = 'DRAFT' WHERE phase = 'PUBLISHED'",
    ),
    (
        "every sale is of an event that takes place",
        "event",
        "UPDATE events SET phase = 'CANCELLED' WHERE phase = 'PUBLISHED'",
    ),
    ("what is sold is what is shown", "inventory", "UPDATE events SET closed = 1"),
    ("what is sold is what is shown", "event", "UPDATE events SET max_per_customer = max_per_customer + 1"),
    (
        "every confirmed booking is paid once",
        "payment",
        "UPDATE payments SET amount = amount + 1 WHERE status = 'SUCCEEDED'",
    ),
    (
        "every charge is of a confirmed booking or refunded",
        "payment",
        "UPDATE payments SET status = 'SUCCEEDED' WHERE status = 'REFUNDED'",
    ),
    ("one notification a confirmation", "notification", "UPDATE notifications SET status = 'FAILED'"),
    (
        "one notification a confirmation",
        "notification",
        "UPDATE notifications SET status = 'PENDING', sent_at = NULL",
    ),
    ("nothing waits for a person", "booking", "UPDATE saga_instance SET parked = 1"),
];

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// Audits with a settling time that a test can wait for.
async fn audit(system: &System, dir: &Path) -> Output {
    let (dir, offset) = (dir.to_str().expect("a text"), system.offset.to_string());
    system.run(&["audit", "--data-dir", dir, "--port-offset", &offset, "--settle", "50ms"]).await
}

#[track_caller]
fn holds(audit: &Output) -> String {
    let printed = text(&audit.stdout);
    assert!(audit.status.success(), "{printed}{}", text(&audit.stderr));
    assert!(printed.starts_with("Every invariant holds: ") && printed.lines().count() == 1, "{printed}");
    printed
}

/// Everything that can become of a booking, and holds. Done when nothing is under way.
async fn trade(system: &System) {
    let (ann, bob) = (system.buyer("Ann").await, system.buyer("Bob").await);
    let (seats, area) = (ann.sample("VISUAL").await, ann.sample("TATKAL").await);
    assert_eq!(ann.buy(&seats, &["A1", "A2"], "pm_ok").await["status"], "CONFIRMED");
    assert_eq!(bob.buy(&seats, &["A3"], "pm_lost_reply_charged").await["status"], "CONFIRMED");
    assert_eq!(bob.buy(&seats, &["B1"], "pm_declined").await["status"], "FAILED");
    let cancelled = ann.buy(&seats, &["A4"], "pm_ok").await;
    let path = format!("/api/bookings/{}", cancelled["id"].as_str().expect("an id"));
    assert_eq!(ann.delete(&path).await.expect(200)["status"], "CANCELLED");
    // The same seat again: it was reopened, and its fence has risen.
    assert_eq!(bob.buy(&seats, &["A4"], "pm_ok").await["status"], "CONFIRMED");
    let hold = ann.hold_area(&area, 3).await.expect(201);
    let booking = ann.book(&hold, "pm_ok").await.expect(201);
    assert_eq!(ann.settled(&booking).await["status"], "CONFIRMED");
    ann.hold(&seats, &["C1", "C2"]).await.expect(201);
    bob.hold_area(&area, 2).await.expect(201);
    let mails = |buyer: Buyer, count: usize| async move {
        until("the mails are sent", || async {
            let sent = buyer.notifications().await.iter().filter(|n| n["status"] == "SENT").count();
            (sent == count).then_some(())
        })
        .await;
    };
    mails(ann, 3).await;
    mails(bob, 2).await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry")) {
        if entry.file_type().expect("its type").is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}

/// As nothing but a hand could: constraints are off.
async fn break_by_hand(dir: &Path, database: &str, sql: &str) {
    let options =
        SqliteConnectOptions::new().filename(dir.join(format!("{database}.db"))).foreign_keys(false);
    let mut connection = options.connect().await.expect("opens");
    sqlx::query("PRAGMA ignore_check_constraints = ON").execute(&mut connection).await.expect("set");
    let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.expect(sql);
    assert!(done.rows_affected() > 0, "nothing was broken by {sql}");
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn each_invariant_broken_by_hand_is_found() {
    let mut system = System::start(&[]).await;
    trade(&system).await;
    let whole = system.data_dir().to_owned();
    // What is still on its way from store to store settles.
    let beside = until("nothing is under way", || async {
        let audit = audit(&system, &whole).await;
        audit.status.success().then_some(audit)
    })
    .await;
    let printed = holds(&beside);
    for checked in
        ["6 bookings (4 confirmed)", "6 charges", "1 refunds", "5 notifications", "2 of them compared"]
    {
        assert!(printed.contains(checked), "no {checked}: {printed}");
    }
    assert!(system.terminate().await.0.success());
    let after = holds(&audit(&system, &whole).await);
    assert!(after.contains("6 bookings (4 confirmed)") && after.contains(" 0 of them compared"), "{after}");

    let place = tempfile::tempdir().expect("a directory");
    for (n, (invariant, database, sql)) in BREAKAGES.into_iter().enumerate() {
        let broken = place.path().join(n.to_string());
        copy(&whole, &broken);
        break_by_hand(&broken, database, sql).await;
        let audit = audit(&system, &broken).await;
        let printed = text(&audit.stdout);
        assert_eq!(audit.status.code(), Some(1), "{sql}: {printed}");
        let line = printed.lines().find(|line| line.starts_with(&format!("{invariant}: ")));
        assert!(line.is_some_and(|line| line.contains("-7")), "{sql}: no {invariant}, with ids: {printed}");
        assert!(text(&audit.stderr).contains("no server answers"), "{}", text(&audit.stderr));
    }
}

/// As a stop just before they were delivered leaves it: a note each of what the next start does.
#[tokio::test]
async fn what_was_not_delivered_yet_is_unfinished_and_not_broken() {
    let mut system = System::start(&[]).await;
    trade(&system).await;
    let whole = system.data_dir().to_owned();
    assert!(system.terminate().await.0.success());
    let place = tempfile::tempdir().expect("a directory");
    let undelivered = place.path().join("undelivered");
    copy(&whole, &undelivered);
    std::fs::create_dir(undelivered.join("mail")).expect("a directory");
    let gone = "are not in the mail directory";
    let printed = text(&audit(&system, &undelivered).await.stdout);
    assert!(printed.starts_with("Every invariant holds: ") && printed.contains(gone), "{printed}");
    let dead = "INSERT INTO outbox_delivery (consumer, seq, key, state, failures, retry_at) \
                SELECT 'payment', seq, key, 'dead', 1, 0 FROM outbox WHERE topic = 'booking.created' LIMIT 1";
    break_by_hand(&undelivered, "booking", dead).await;
    let printed = text(&audit(&system, &undelivered).await.stdout);
    assert!(printed.contains("note: a person is needed: booking.created of "), "{printed}");
    break_by_hand(&undelivered, "booking", "DELETE FROM outbox_delivery").await;
    for (database, sql) in [
        ("notification", "DELETE FROM saga_instance"),
        ("notification", "DELETE FROM notifications"),
        ("event", "UPDATE events SET taken = 0"),
        ("event", "DELETE FROM counted_bookings"),
        ("booking", "UPDATE outbox_position SET seq = 0"),
    ] {
        break_by_hand(&undelivered, database, sql).await;
    }
    let taken = audit(&system, &undelivered).await;
    assert_eq!(taken.status.code(), Some(1), "the inboxes have what is gone: {}", text(&taken.stdout));
    for database in ["notification", "event"] {
        break_by_hand(&undelivered, database, "DELETE FROM inbox").await;
    }
    let unfinished = audit(&system, &undelivered).await;
    let printed = text(&unfinished.stdout);
    assert!(unfinished.status.success(), "{printed}{}", text(&unfinished.stderr));
    for what in ["was confirmed and has 0 notifications", "which does not count them"] {
        let told = |line: &str| line.starts_with("note: unfinished: booking ") && line.contains(what);
        assert!(printed.lines().any(told), "no {what}: {printed}");
    }
    let again = System::start_on(&undelivered, &[]).await;
    let finished = until("what was unfinished is finished", || async {
        let offset = again.offset.to_string();
        let audit = again.run(&["audit", "--port-offset", &offset, "--settle", "50ms"]).await;
        (audit.status.success() && !text(&audit.stdout).contains("unfinished")).then_some(audit)
    })
    .await;
    assert!(text(&finished.stdout).contains("5 notifications"), "{}", text(&finished.stdout));
}

#[tokio::test]
async fn the_server_shows_what_is_stored() {
    let system = System::start(&[]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    assert_eq!(buyer.buy(&event, &["A1"], "pm_ok").await["status"], "CONFIRMED");
    let dir = tempfile::tempdir().expect("a directory");
    let stale = dir.path().join("data");
    until("nothing is under way", || async {
        audit(&system, system.data_dir()).await.status.success().then_some(())
    })
    .await;
    copy(system.data_dir(), &stale);
    assert_eq!(buyer.buy(&event, &["A2"], "pm_ok").await["status"], "CONFIRMED");
    let audit = audit(&system, &stale).await;
    let printed = text(&audit.stdout);
    assert_eq!(audit.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("seat A2 of event") && printed.contains("shows SOLD and is AVAILABLE"),
        "{printed}"
    );
    assert!(!text(&audit.stderr).contains("no server answers"), "{}", text(&audit.stderr));
}

#[tokio::test]
async fn the_ledger_of_a_provider_elsewhere_is_asked_for() {
    let provider = Provider::start().await;
    let system = System::start(&[("TICKETBLITZ_PSP_URL", &provider.url())]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    assert_eq!(buyer.buy(&event, &["A1"], "pm_ok").await["status"], "CONFIRMED");
    let unnamed = audit(&system, system.data_dir()).await;
    assert!(!unnamed.status.success());
    assert!(text(&unnamed.stderr).contains("--psp-url"), "{}", text(&unnamed.stderr));
    let (url, offset) = (provider.url(), system.offset.to_string());
    let named = || async {
        let args = ["audit", "--port-offset", &offset, "--psp-url", &url, "--settle", "50ms"];
        let audit = system.run(&args).await;
        audit.status.success().then(|| holds(&audit))
    };
    let printed = until("nothing is under way", named).await;
    assert!(printed.contains("1 bookings (1 confirmed)") && printed.contains("1 charges"), "{printed}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_a_sentence() {
    let system = System::start(&[]).await;
    let audit = audit(&system, Path::new("/no/such/directory")).await;
    assert_eq!(audit.status.code(), Some(1));
    let sentence = text(&audit.stderr);
    assert!(sentence.contains("there is no data directory /no/such/directory"), "{sentence}");
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
}
