//! What every store keeps to.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};
use tempfile::TempDir;
use ticketblitz_core::Timestamp;

use super::{Charged, Refunded, SqliteStore, Store};
use crate::domain::{Charge, ChargeRequest, ChargeStatus, PaymentMethod, RefundRequest, Reply};
use crate::error::StoreError;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

async fn open(dir: &TempDir) -> Arc<dyn Store> {
    let db = platform::db::open(dir.path(), "psp", &crate::MIGRATIONS).await.expect("opens");
    Arc::new(SqliteStore::new(db))
}

async fn store() -> (TempDir, Arc<dyn Store>) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir).await;
    (dir, store)
}

fn charge_of(reference: &str, payment_method: PaymentMethod) -> ChargeRequest {
    ChargeRequest { reference: reference.into(), amount: 10_000, currency: "INR".into(), payment_method }
}

async fn made(store: &dyn Store, reference: &str, method: PaymentMethod) -> Charge {
    match store.charge(None, &charge_of(reference, method), NOW).await.expect("charged") {
        Charged::Made { charge, .. } => charge,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_key_is_one_charge_however_many_ask_at_once() {
    let (_dir, store) = store().await;
    let racers: Vec<_> = (0..16)
        .map(|_| {
            let store = Arc::clone(&store);
            let request = charge_of("booking", PaymentMethod::Ok);
            tokio::spawn(async move { store.charge(Some("key"), &request, NOW).await.expect("charged") })
        })
        .collect();
    let (mut fresh, mut replayed) = (Vec::new(), Vec::new());
    for racer in racers {
        match racer.await.expect("no panic") {
            Charged::Made { charge, .. } => fresh.push(charge),
            Charged::Replayed(charge) => replayed.push(charge),
            Charged::Lost => panic!("nothing is lost here"),
        }
    }
    assert_eq!((fresh.len(), replayed.len()), (1, 15));
    assert!(replayed.iter().all(|charge| *charge == fresh[0]));
    assert_eq!(store.ledger().await.expect("read").charges, fresh);
}

#[tokio::test]
async fn a_key_stands_for_one_request_only() {
    let (_dir, store) = store().await;
    let request = charge_of("booking", PaymentMethod::Ok);
    store.charge(Some("key"), &request, NOW).await.expect("charged");
    let others = [
        ChargeRequest { amount: 1, ..request.clone() },
        ChargeRequest { reference: "other".into(), ..request.clone() },
        ChargeRequest { currency: "EUR".into(), ..request.clone() },
        ChargeRequest { payment_method: PaymentMethod::Slow, ..request.clone() },
    ];
    for other in others {
        let refused = store.charge(Some("key"), &other, NOW).await;
        assert!(matches!(refused, Err(StoreError::KeyReused)), "{other:?}");
    }
    let charge = store.charges("booking").await.expect("read").remove(0);
    let refund = RefundRequest { charge_id: charge.id };
    assert!(matches!(store.refund(Some("key"), &refund, NOW).await, Err(StoreError::KeyReused)));
    assert_eq!(store.ledger().await.expect("read").charges.len(), 1);
}

#[tokio::test]
async fn without_a_key_each_request_charges() {
    let (_dir, store) = store().await;
    let (one, other) = (
        made(&*store, "booking", PaymentMethod::Ok).await,
        made(&*store, "booking", PaymentMethod::Ok).await,
    );
    assert_ne!(one.id, other.id);
    assert_eq!(store.charges("booking").await.expect("read"), [one, other]);
    assert_eq!(store.charges("another").await.expect("read"), []);
}

#[tokio::test]
async fn a_lost_reply_stays_lost_over_a_restart_and_is_lost_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (charged, not) =
        (charge_of("a", PaymentMethod::LostReplyCharged), charge_of("b", PaymentMethod::LostReplyNotCharged));
    let store = open(&dir).await;
    let lost = store.charge(Some("a"), &charged, NOW).await.expect("charged");
    let Charged::Made { charge, reply: Reply::Lost } = lost else { panic!("{lost:?}") };
    assert_eq!(store.charge(Some("b"), &not, NOW).await.expect("lost"), Charged::Lost);
    assert_eq!(store.charges("b").await.expect("read"), []);
    drop(store);

    let store = open(&dir).await;
    let again = store.charge(Some("a"), &charged, NOW).await.expect("replayed");
    assert_eq!(again, Charged::Replayed(charge));
    let again = store.charge(Some("b"), &not, NOW).await.expect("charged");
    assert!(matches!(again, Charged::Made { reply: Reply::Prompt, .. }), "{again:?}");
    assert_eq!(store.ledger().await.expect("read").charges.len(), 2);
}

#[tokio::test]
async fn a_declined_charge_is_in_the_ledger_and_cannot_be_refunded() {
    let (_dir, store) = store().await;
    let charge = made(&*store, "booking", PaymentMethod::Declined).await;
    assert_eq!(charge.status, ChargeStatus::Failed);
    assert_eq!(charge.failure_reason.as_deref(), Some("card_declined"));
    let refund = RefundRequest { charge_id: charge.id.clone() };
    assert!(matches!(store.refund(Some("r"), &refund, NOW).await, Err(StoreError::NotCharged)));
    let ledger = store.ledger().await.expect("read");
    assert_eq!((ledger.charges, ledger.refunds), (vec![charge], vec![]));
}

#[tokio::test]
async fn a_charge_is_refunded_once_whatever_the_keys() {
    let (_dir, store) = store().await;
    let charge = made(&*store, "booking", PaymentMethod::Ok).await;
    let racers: Vec<_> = (0..8)
        .map(|n| {
            let (store, request) = (Arc::clone(&store), RefundRequest { charge_id: charge.id.clone() });
            tokio::spawn(async move { store.refund(Some(&format!("key-{n}")), &request, NOW).await })
        })
        .collect();
    let mut refunds = Vec::new();
    for racer in racers {
        match racer.await.expect("no panic") {
            Ok(Refunded::Made(refund)) => refunds.push(refund),
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(matches!(error, StoreError::AlreadyRefunded), "{error}"),
        }
    }
    assert_eq!(refunds.len(), 1);
    assert_eq!((refunds[0].amount, &refunds[0].charge_id), (charge.amount, &charge.id));
    assert_eq!(store.ledger().await.expect("read").refunds, refunds);
}

#[tokio::test]
async fn a_refund_with_the_same_key_is_the_same_refund() {
    let (_dir, store) = store().await;
    let request = RefundRequest { charge_id: made(&*store, "booking", PaymentMethod::Ok).await.id };
    let first = store.refund(Some("key"), &request, NOW).await.expect("refunded");
    let Refunded::Made(refund) = first else { panic!("{first:?}") };
    let again = store.refund(Some("key"), &request, NOW).await.expect("replayed");
    assert_eq!(again, Refunded::Replayed(refund));
    let unknown = RefundRequest { charge_id: "ch_none".into() };
    assert!(matches!(store.refund(None, &unknown, NOW).await, Err(StoreError::UnknownCharge)));
}

#[tokio::test]
async fn a_status_that_is_none_is_not_taken_for_a_failure() {
    let (dir, store) = store().await;
    let charge = made(&*store, "booking", PaymentMethod::Ok).await;
    let options = SqliteConnectOptions::new().filename(dir.path().join("psp.db"));
    let mut connection = options.connect().await.expect("opens");
    connection.execute("PRAGMA ignore_check_constraints = ON").await.expect("set");
    connection.execute("UPDATE charges SET status = 'succeedec'").await.expect("written");
    let nonsense = "succeedec is no status of a charge";
    let looked_up = store.charges("booking").await.expect_err("it cannot be read").to_string();
    let refund = RefundRequest { charge_id: charge.id };
    let refunded = store.refund(None, &refund, NOW).await.expect_err("it cannot be read").to_string();
    let audited = crate::audit::ledger(dir.path()).await.expect_err("it cannot be read").to_string();
    for refused in [&looked_up, &refunded, &audited] {
        assert!(refused.contains(nonsense), "{refused}");
    }
    assert!(audited.contains("psp.db"), "{audited}");
}

#[tokio::test]
async fn the_ledger_of_the_first_schema_is_carried_over_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = crate::MIGRATIONS.iter().take(1).cloned().collect();
    let first = sqlx::migrate::Migrator::with_migrations(first);
    let db = platform::db::open(dir.path(), "psp", &first).await.expect("opens");
    db.close().await;
    let mut old = options_of(&dir).connect().await.expect("opens");
    for row in [
        "INSERT INTO charges (id, reference, amount, currency, status, failure_reason, created_at) VALUES \
         ('ch_1', 'booking', 100, 'EUR', 'failed', 'card_declined', 1), ('ch_2', 'booking', 200, 'EUR', \
         'succeeded', NULL, 2), ('ch_3', 'other', 300, 'INR', 'succeeded', NULL, 3)",
        "INSERT INTO refunds (id, charge_id, amount, created_at) VALUES ('re_1', 'ch_2', 200, 4)",
    ] {
        old.execute(row).await.expect("kept");
    }
    sqlx::Connection::close(old).await.expect("closed");

    let store = open(&dir).await;
    let charge = |id: &str, reference: &str, amount, currency: &str, failure: Option<&str>| Charge {
        id: id.into(),
        reference: reference.into(),
        amount,
        currency: currency.into(),
        status: if failure.is_some() { ChargeStatus::Failed } else { ChargeStatus::Succeeded },
        failure_reason: failure.map(str::to_owned),
    };
    let charges = [
        charge("ch_1", "booking", 100, "EUR", Some("card_declined")),
        charge("ch_2", "booking", 200, "EUR", None),
        charge("ch_3", "other", 300, "INR", None),
    ];
    let ledger = store.ledger().await.expect("read");
    assert_eq!(ledger.charges, charges);
    let refunds: Vec<_> =
        ledger.refunds.iter().map(|r| (r.id.as_str(), r.charge_id.as_str(), r.amount)).collect();
    assert_eq!(refunds, [("re_1", "ch_2", 200)]);
    assert_eq!(store.charges("booking").await.expect("read"), charges[..2]);
    let again = store.refund(None, &RefundRequest { charge_id: "ch_2".into() }, NOW).await;
    assert!(matches!(again, Err(StoreError::AlreadyRefunded)), "{again:?}");
    store.refund(None, &RefundRequest { charge_id: "ch_3".into() }, NOW).await.expect("refunded");
    let mut by_hand = options_of(&dir).connect().await.expect("opens");
    let orphan = "INSERT INTO refunds (id, charge_id, amount, created_at) VALUES ('re_2', 'none', 1, 1)";
    by_hand.execute(orphan).await.expect_err("no refund without a charge");
}

fn options_of(dir: &TempDir) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(dir.path().join("psp.db"))
}
