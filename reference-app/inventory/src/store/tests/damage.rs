//! Rows that nothing in here has written.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};

use super::*;
use crate::audit;

/// Writes to the file what its own checks forbid.
async fn damage(rig: &Rig, change: &'static str) {
    let options = SqliteConnectOptions::new().filename(rig.dir.path().join("inventory.db"));
    let mut connection = options.connect().await.expect("opens");
    connection.execute("PRAGMA ignore_check_constraints = ON").await.expect("set");
    connection.execute(change).await.expect("written");
}

/// The audit does not guess: it says which file has which nonsense in it.
async fn audit_names(rig: &Rig, nonsense: &str) {
    let refused = audit::snapshot(rig.dir.path()).await.expect_err("it cannot be read").to_string();
    assert!(refused.contains("inventory.db") && refused.contains(nonsense), "{refused}");
}

#[tokio::test]
async fn a_mode_that_is_none_is_not_taken_for_another() {
    let rig = Rig::new().await;
    damage(&rig, "UPDATE events SET mode = 'VISUAI'").await;
    let refused = rig.store.event(rig.seated).await.expect_err("it cannot be read").to_string();
    assert!(refused.contains("VISUAI is no booking mode"), "{refused}");
    audit_names(&rig, "VISUAI is no booking mode").await;
}

#[tokio::test]
async fn a_seat_s_state_that_is_none_is_not_free() {
    let rig = Rig::new().await;
    rig.started(&rig.seats(&["A1"], 7)).await;
    damage(&rig, "UPDATE claim_seats SET state = 'SOLE'").await;
    audit_names(&rig, "SOLE is no state of a seat").await;
}

#[tokio::test]
async fn a_fence_below_zero_is_none() {
    let rig = Rig::new().await;
    damage(&rig, "UPDATE events SET fence = -1").await;
    let refused = rig.store.snapshot(rig.seated, rig.now).await.expect_err("it cannot be read").to_string();
    assert!(refused.contains("-1 is no fence"), "{refused}");
    audit_names(&rig, "-1 is no fence").await;
}
