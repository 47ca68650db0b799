//! Seats that an earlier schema has kept, and what a sale writes of them.

use contract::inventory::SeatState;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use super::*;
use crate::audit;

async fn by_hand(dir: &tempfile::TempDir) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(dir.path().join("inventory.db"));
    options.connect().await.expect("opens")
}

async fn execute(connection: &mut SqliteConnection, sql: String) {
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await.expect("written");
}

#[tokio::test]
async fn a_sale_writes_the_claim_and_none_of_its_seats() {
    let rig = Rig::new().await;
    let (first, lapsed) = (rig.seats(&["A1", "A2"], 7), rig.seats(&["A3"], 7));
    rig.started(&first).await;
    let mut connection = by_hand(&rig.dir).await;
    let refuse =
        "CREATE TRIGGER refuse BEFORE UPDATE ON claim_seats BEGIN SELECT RAISE(ABORT, 'written'); END";
    execute(&mut connection, refuse.to_owned()).await;
    assert!(rig.sold(&first, rig.now).await);
    execute(&mut connection, "DROP TRIGGER refuse".to_owned()).await;
    // What lapsed was free in the meantime: it is taken again, from everybody.
    rig.started(&lapsed).await;
    rig.store.lapse(lapsed.until).await.expect("swept");
    assert!(rig.sold(&lapsed, rig.now + LATE).await);
    for seat in ["A1", "A2", "A3"] {
        assert_eq!(rig.refused(&Rig::at(rig.seats(&[seat], 9), rig.now + LATE)).await, Refusal::Taken);
    }
}

#[tokio::test]
async fn seats_of_the_first_schema_are_carried_over_whole() {
    // Claims as they are today, under seats as they were.
    let rig = Rig::new().await;
    let names = ["A1", "A2", "A3", "A4"];
    let begun = names.map(|name| rig.seats(&[name], 7));
    let [sold, paying, lapsed, released] = &begun;
    rig.started(lapsed).await;
    rig.store.lapse(lapsed.until).await.expect("swept");
    for begin in [sold, paying, released] {
        rig.started(begin).await;
    }
    assert!(rig.sold(sold, rig.now).await);
    rig.store.release(released.booking, rig.now).await.expect("released");

    let dir = tempfile::tempdir().expect("a directory");
    let old = Migrator::with_migrations(crate::MIGRATIONS.iter().take(2).cloned().collect());
    platform::db::open(dir.path(), "inventory", &old).await.expect("opens").close().await;
    let mut connection = by_hand(&dir).await;
    let today = rig.dir.path().join("inventory.db");
    execute(&mut connection, format!("ATTACH '{}' AS today", today.display())).await;
    for table in ["events", "sections", "seats", "claims"] {
        execute(&mut connection, format!("INSERT INTO main.{table} SELECT * FROM today.{table}")).await;
    }
    for (begin, (name, state)) in begun.iter().zip(names.into_iter().zip(["SOLD", "PAYING", "FREE", "FREE"]))
    {
        let (event, booking) = (rig.seated, begin.booking);
        let row =
            format!("INSERT INTO main.claim_seats VALUES ('{event}', '{name}', '{booking}', 7, '{state}')");
        execute(&mut connection, row).await;
    }
    connection.close().await.expect("closed");

    let db = platform::db::open(dir.path(), "inventory", &crate::MIGRATIONS).await.expect("is migrated");
    let rig = Rig { store: Arc::new(SqliteStore::new(db)), dir, ..rig };
    let seats = audit::snapshot(rig.dir.path()).await.expect("read").seats;
    let states: Vec<_> = seats.iter().map(|row| (row.seat, row.booking, row.fence, row.state)).collect();
    let expected = [SeatState::Sold, SeatState::Paying, SeatState::Available, SeatState::Available];
    let expected: Vec<_> =
        (0..4).map(|n| (seat(names[n]), begun[n].booking, Fence::new(7), expected[n])).collect();
    assert_eq!(states, expected);
    for taken in ["A1", "A2"] {
        assert_eq!(rig.refused(&rig.seats(&[taken], 8)).await, Refusal::Taken, "{taken}");
    }
    assert_eq!(rig.refused(&rig.seats(&["A4"], 7)).await, Refusal::Taken, "its fence is kept");
    rig.started(&rig.seats(&["A4"], 8)).await;
    for begin in [sold, paying, lapsed] {
        assert!(rig.sold(begin, rig.now).await);
    }
    assert!(!rig.sold(released, rig.now).await);
}
