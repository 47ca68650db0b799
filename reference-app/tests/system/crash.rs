//! kill -9 at chosen points of a booking. The points are reached from outside: a database whose write lock the test
//! holds, or a provider that holds a charge up, keeps the system just before the next step while it is killed.

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use uuid::Uuid;

use crate::common::client::charged;
use crate::common::provider::{HoldUp, Provider};
use crate::common::{Buyer, System, until};

/// Another process's connection to a database of the system.
pub(crate) struct Database(pub(crate) SqliteConnection);

impl Database {
    pub(crate) async fn open(system: &System, service: &str) -> Self {
        let file = system.data_dir().join(format!("{service}.db"));
        let options = SqliteConnectOptions::new().filename(file).busy_timeout(crate::common::PATIENCE);
        Self(options.connect().await.expect("opens"))
    }

    /// From here the system's own writes to this database wait.
    pub(crate) async fn block(&mut self) {
        self.0.execute("BEGIN IMMEDIATE").await.expect("locked");
    }

    pub(crate) async fn unblock(&mut self) {
        self.0.execute("ROLLBACK").await.expect("unlocked");
    }

    pub(crate) async fn count(&mut self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.0).await.expect("counts")
    }
}

/// Waits until the query counts something.
pub(crate) async fn until_some(system: &System, service: &str, sql: &'static str) {
    until(sql, || async {
        let mut database = Database::open(system, service).await;
        let found = database.count(sql).await > 0;
        database.0.close().await.expect("closed");
        found.then_some(())
    })
    .await;
}

struct Scene {
    provider: Provider,
    system: System,
    buyer: Buyer,
    event: Value,
    hold: Value,
    key: String,
}

impl Scene {
    async fn set() -> Self {
        let provider = Provider::start().await;
        let system = System::start(&[("TICKETBLITZ_PSP_URL", &provider.url())]).await;
        let buyer = system.buyer("Ann").await;
        let event = buyer.sample("VISUAL").await;
        let hold = buyer.hold(&event, &["A1", "A2"]).await.expect(201);
        Self { provider, system, buyer, event, hold, key: Uuid::now_v7().to_string() }
    }

    /// Books in the background: the answer may never come.
    fn book(&self) -> tokio::task::JoinHandle<()> {
        let (buyer, request) = (self.buyer.clone(), self.buyer.book_request(&self.hold, "pm_ok", &self.key));
        tokio::spawn(async move { drop(buyer.try_send(request).await) })
    }

    async fn kill_and_restart(&mut self) {
        self.system.kill().await;
        self.provider.hold_up(HoldUp::Never);
        self.system.restart().await;
        self.buyer = self.buyer.at(&self.system.url(8080));
    }

    /// The booking ends CONFIRMED with one charge, its seats sold once, its tickets and its mail there.
    async fn ends_right(&self) {
        let booking =
            self.buyer.send(self.buyer.book_request(&self.hold, "pm_ok", &self.key)).await.expect(201);
        let booking = self.buyer.settled(&booking).await;
        assert_eq!(booking["status"], "CONFIRMED", "{booking}");
        assert_eq!(charged(&self.provider.ledger().await, &booking), (1, 0));
        assert_eq!(self.provider.ledger().await["charges"].as_array().map(Vec::len), Some(1));
        assert_eq!(self.buyer.seat(&self.event, "A1").await, "SOLD");
        assert_eq!(self.buyer.tickets(&booking).await.len(), 2);
        let bookings = self.buyer.get("/api/bookings").await.expect(200);
        assert_eq!(bookings["items"].as_array().map(Vec::len), Some(1), "{bookings}");
        let mailed = || async { (self.buyer.notifications().await.len() == 1).then_some(()) };
        until("it is told once", mailed).await;
        let counted =
            || async { (self.buyer.event(&self.event).await["availableSeats"] == 98).then_some(()) };
        until("it is counted once", counted).await;
    }
}

impl Scene {
    /// Up to the claim in the inventory; the booking's own commit waits.
    async fn until_paying(&self) -> (Database, Database) {
        let mut inventory = Database::open(&self.system, "inventory").await;
        let mut bookings = Database::open(&self.system, "booking").await;
        inventory.block().await;
        drop(self.book());
        until_some(&self.system, "booking", "SELECT count(*) FROM idempotency_keys").await;
        bookings.block().await;
        inventory.unblock().await;
        until_some(&self.system, "inventory", "SELECT count(*) FROM claims WHERE state = 'PAYING'").await;
        assert_eq!(bookings.count("SELECT count(*) FROM bookings").await, 0);
        (inventory, bookings)
    }

    /// Up to the provider, which keeps the answer back.
    async fn until_charging(&self, at: HoldUp) {
        self.provider.hold_up(at);
        self.book().await.expect("the booking is answered");
        self.provider.reached().await;
    }
}

#[tokio::test]
async fn after_paying_before_pending() {
    let mut scene = Scene::set().await;
    let blocked = scene.until_paying().await;
    scene.system.kill().await;
    drop(blocked);
    scene.kill_and_restart().await;
    // The buyer who got no answer asks again with the same key.
    assert_eq!(scene.buyer.seat(&scene.event, "A1").await, "PAYING");
    scene.ends_right().await;
}

#[tokio::test]
async fn after_paying_before_pending_and_the_buyer_gone() {
    let mut scene = Scene::set().await;
    scene.system.set("TICKETBLITZ_PAYMENT_DEADLINE", "1s");
    scene.system.set("TICKETBLITZ_PROVIDER_TIMEOUT", "1s");
    scene.system.terminate().await;
    scene.system.restart().await;
    scene.buyer = scene.buyer.at(&scene.system.url(8080));
    // A restart forgets holds that are not in payment.
    scene.hold = scene.buyer.hold(&scene.event, &["A1", "A2"]).await.expect(201);
    let blocked = scene.until_paying().await;
    scene.system.kill().await;
    drop(blocked);
    scene.kill_and_restart().await;
    let free = || async { (scene.buyer.seat(&scene.event, "A1").await == "AVAILABLE").then_some(()) };
    until("the orphan lapses", free).await;
    assert_eq!(scene.provider.ledger().await["charges"], json!([]));
    let other = scene.system.buyer("Bob").await;
    assert_eq!(other.buy(&scene.event, &["A1"], "pm_ok").await["status"], "CONFIRMED");
}

#[tokio::test]
async fn after_pending_before_charge() {
    let mut scene = Scene::set().await;
    scene.until_charging(HoldUp::Before).await;
    assert_eq!(scene.provider.ledger().await["charges"], json!([]));
    // What had left reaches the provider all the same, or not: either way it is one charge.
    scene.kill_and_restart().await;
    scene.ends_right().await;
}

#[tokio::test]
async fn after_charge_before_record() {
    let mut scene = Scene::set().await;
    scene.until_charging(HoldUp::After).await;
    assert_eq!(scene.provider.ledger().await["charges"].as_array().map(Vec::len), Some(1));
    scene.kill_and_restart().await;
    scene.ends_right().await;
}

#[tokio::test]
async fn after_record_before_confirm() {
    let mut scene = Scene::set().await;
    scene.until_charging(HoldUp::After).await;
    let mut bookings = Database::open(&scene.system, "booking").await;
    bookings.block().await;
    scene.provider.hold_up(HoldUp::Never);
    until_some(&scene.system, "payment", "SELECT count(*) FROM payments WHERE status = 'SUCCEEDED'").await;
    scene.system.kill().await;
    drop(bookings);
    scene.kill_and_restart().await;
    scene.ends_right().await;
}

#[tokio::test]
async fn after_sell_before_confirmed() {
    let mut scene = Scene::set().await;
    scene.until_charging(HoldUp::After).await;
    let mut inventory = Database::open(&scene.system, "inventory").await;
    let mut bookings = Database::open(&scene.system, "booking").await;
    inventory.block().await;
    scene.provider.hold_up(HoldUp::Never);
    until_some(&scene.system, "booking", "SELECT count(*) FROM saga_instance WHERE node_name = 'sell'").await;
    bookings.block().await;
    inventory.unblock().await;
    until_some(&scene.system, "inventory", "SELECT count(*) FROM claims WHERE state = 'SOLD'").await;
    assert_eq!(bookings.count("SELECT count(*) FROM bookings WHERE status = 'CONFIRMED'").await, 0);
    scene.system.kill().await;
    drop((inventory, bookings));
    scene.kill_and_restart().await;
    scene.ends_right().await;
}
