//! Many bookings under many `kill -9` at moments that nobody chose: whatever was answered is kept, whatever was paid is
//! a ticket or refunded, and who got no answer asks again with the same key.
#![allow(clippy::print_stdout)] // the figures of a soak

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::common::accounts::Accounts;
use crate::common::client::charged;
use crate::common::soak::{chance, size};
use crate::common::{Answer, Buyer, System, until};

/// Buyers at the same time.
const LANES: usize = 8;
/// By weight. Two lose the provider's first answer, and the slow one is charged after it has expired.
const METHODS: [(&str, u32); 5] = [
    ("pm_ok", 8),
    ("pm_declined", 2),
    ("pm_lost_reply_charged", 3),
    ("pm_lost_reply_not_charged", 2),
    ("pm_slow", 1),
];
/// Sooner than the provider is given up on, so that the slow method is found charged too late.
const DEADLINE: &str = "1s";

/// What one buyer is going to do: all of it from the seed.
#[derive(Debug, Clone, Copy)]
struct Plan {
    method: &'static str,
    /// Whether and how long after the answer it is cancelled.
    cancel: Option<Duration>,
    seats: usize,
    /// Places of the area instead of seats.
    area: bool,
    /// For the choice of seats.
    seed: u64,
}

impl Plan {
    fn by(chance: &mut StdRng) -> Self {
        let (method, _) = METHODS.choose_weighted(chance, |(_, weight)| *weight).expect("weights");
        let cancel = chance.random_ratio(1, 4).then(|| Duration::from_millis(chance.random_range(0..60)));
        let (seats, area) = (chance.random_range(1..=2), chance.random_ratio(1, 4));
        Self { method, cancel, seats, area, seed: chance.random() }
    }
}

/// What became of it, as its buyer was told.
#[derive(Debug)]
struct Told {
    plan: Plan,
    buyer: Buyer,
    booking: Value,
    /// The status of the answer to its cancellation.
    cancelled: Option<u16>,
}

/// What all buyers share.
struct Sale {
    seats: Value,
    area: Value,
    /// Where the system is, whenever it is up.
    base: watch::Receiver<String>,
    plans: Mutex<Vec<(Plan, String)>>,
    begun: AtomicUsize,
    /// Requests that nobody answered, and bookings that were answered again.
    unanswered: AtomicUsize,
    replayed: AtomicUsize,
}

impl Sale {
    /// Asks until there is an answer that is not "later": the same request each time, at wherever the system is then.
    async fn ask(&self, buyer: &Buyer, request: impl Fn(&Buyer) -> RequestBuilder) -> Answer {
        until("there is an answer", || async {
            let here = buyer.at(&self.base.borrow().clone());
            match here.try_send(request(&here)).await {
                Ok(answer) if answer.status == 503 => None,
                Ok(answer) => Some(answer),
                Err(_) => {
                    self.unanswered.fetch_add(1, Ordering::Relaxed);
                    None
                }
            }
        })
        .await
    }

    /// A hold that the system knows. One that was answered may be forgotten at the next start.
    async fn hold(&self, buyer: &Buyer, plan: &Plan, choice: &mut StdRng) -> Value {
        loop {
            let body = if plan.area {
                json!({"eventId": self.area["id"], "section": "FLOOR", "quantity": plan.seats})
            } else {
                let all = self.seats["sections"][0]["seats"].as_array().expect("seats");
                let seats: Vec<_> = all.choose_multiple(choice, plan.seats).collect();
                json!({"eventId": self.seats["id"], "seatIds": seats})
            };
            let key = Uuid::now_v7().to_string();
            let request = |buyer: &Buyer| {
                let request = buyer.request(Method::POST, "/api/inventory/holds").json(&body);
                request.header("Idempotency-Key", &key)
            };
            let answer = self.ask(buyer, request).await;
            match answer.status {
                201 => return answer.body,
                // Somebody else has it: another choice.
                409 => {}
                _ => panic!("{}", answer.text),
            }
        }
    }

    /// One booking, made for certain.
    async fn buy(&self, plan: Plan, token: String) -> Told {
        let buyer = Buyer::with_token("", token);
        let mut choice = <StdRng as rand::SeedableRng>::seed_from_u64(plan.seed);
        let booking = loop {
            let hold = self.hold(&buyer, &plan, &mut choice).await;
            let key = Uuid::now_v7().to_string();
            let answer = self.ask(&buyer, |buyer| buyer.book_request(&hold, plan.method, &key)).await;
            match answer.status {
                201 => {
                    let again = answer.header("idempotent-replayed") == "true";
                    self.replayed.fetch_add(usize::from(again), Ordering::Relaxed);
                    break answer.body;
                }
                // The hold was forgotten before its payment began. Nothing else: with one key a hold there is never a
                // booking that exists already.
                _ => drop(answer.refused(409, "hold-not-live")),
            }
        };
        let mut cancelled = None;
        if let Some(after) = plan.cancel {
            tokio::time::sleep(after).await; // the buyer changes their mind
            let path = format!("/api/bookings/{}", booking["id"].as_str().expect("an id"));
            let answer = self.ask(&buyer, |buyer| buyer.request(Method::DELETE, &path)).await;
            assert!(matches!(answer.status, 200 | 409), "{}", answer.text);
            cancelled = Some(answer.status);
        }
        Told { plan, buyer, booking, cancelled }
    }

    async fn lane(self: Arc<Self>) -> Vec<Told> {
        let mut told = Vec::new();
        loop {
            let next = self.plans.lock().expect("not poisoned").pop();
            let Some((plan, token)) = next else { return told };
            self.begun.fetch_add(1, Ordering::Relaxed);
            told.push(self.buy(plan, token).await);
        }
    }
}

/// A system whose buyers are under way, and what is killed.
struct Campaign {
    system: System,
    /// A process of its own, which survives; the built-in one dies with the system.
    provider: Option<System>,
    sale: Arc<Sale>,
    base: watch::Sender<String>,
}

impl Campaign {
    async fn open(provider: Option<System>, bookings: usize, chance: &mut StdRng) -> Self {
        let psp = provider.as_ref().map(|provider| provider.url(8089));
        let mut settings =
            vec![("TICKETBLITZ_PAYMENT_DEADLINE", DEADLINE), ("TICKETBLITZ_PROVIDER_TIMEOUT", "2s")];
        settings.extend(psp.as_deref().map(|url| ("TICKETBLITZ_PSP_URL", url)));
        let system = System::start(&settings).await;
        let accounts = Accounts::of(&system).await;
        let organizer = accounts.organizer(&system.url(8080)).await;
        let places = bookings * 2;
        let seats: Vec<String> = (1..=places).map(|n| format!("A{n}")).collect();
        let seats = json!([{"name": "STALLS", "price": 5_000, "seats": seats}]);
        let area = json!([{"name": "FLOOR", "price": 2_500, "capacity": places}]);
        let (base, here) = watch::channel(system.url(8080));
        let plans = accounts.buyers(bookings).await.into_iter().map(|token| (Plan::by(chance), token));
        let sale = Sale {
            seats: organizer.post("/api/events", &event("VISUAL", &seats)).await.expect(201),
            area: organizer.post("/api/events", &event("TATKAL", &area)).await.expect(201),
            base: here,
            plans: Mutex::new(plans.collect()),
            begun: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            replayed: AtomicUsize::new(0),
        };
        Self { system, provider, sale: Arc::new(sale), base }
    }

    /// Kills the system so often while the buyers buy, at moments from the seed: after some of them have begun, and a
    /// little later.
    async fn run(&mut self, bookings: usize, kills: usize, chance: &mut StdRng) -> Vec<Told> {
        let mut lanes = JoinSet::new();
        for _ in 0..LANES {
            lanes.spawn(Arc::clone(&self.sale).lane());
        }
        let share = bookings / kills;
        for kill in 0..kills {
            let at = kill * share + chance.random_range(0..share);
            let later = Duration::from_millis(chance.random_range(0..80));
            let sale = &self.sale;
            let begun = || async { (sale.begun.load(Ordering::Relaxed) >= at).then_some(()) };
            until("enough buyers have begun", begun).await;
            tokio::time::sleep(later).await; // wherever they are by then
            self.system.kill().await;
            self.system.restart().await;
            self.base.send_replace(self.system.url(8080));
        }
        lanes.join_all().await.into_iter().flatten().collect()
    }

    async fn ledger(&self) -> Value {
        self.provider.as_ref().unwrap_or(&self.system).ledger().await
    }

    /// Each booking as it ended, which its buyer finds to be the only one.
    async fn ends(&self, told: Vec<Told>) -> Vec<(Told, String)> {
        let mut ends = Vec::new();
        for told in told {
            let buyer = told.buyer.at(&self.system.url(8080));
            let booking = buyer.settled(&told.booking).await;
            let mine = buyer.get("/api/bookings").await.expect(200);
            assert!(
                matches!(&mine["items"].as_array().expect("a list")[..], [one] if one["id"] == booking["id"])
            );
            let status = booking["status"].as_str().expect("a status").to_owned();
            let tickets = buyer.tickets(&booking).await.len();
            assert_eq!(tickets, if status == "CONFIRMED" { told.plan.seats } else { 0 }, "{booking}");
            let right = match (told.cancelled, status.as_str()) {
                (Some(200), status) => status == "CANCELLED",
                (_, "CONFIRMED") => told.plan.method != "pm_declined",
                (_, status) => matches!(status, "FAILED" | "EXPIRED"),
            };
            assert!(right, "{status} of {told:?}");
            ends.push((told, status));
        }
        ends
    }

    /// Every charge is of a confirmed booking or was given back, and nobody was charged twice.
    async fn money_agrees(&self, ends: &[(Told, String)]) -> (usize, usize) {
        let succeeded = |ledger: &Value| {
            let charges = ledger["charges"].as_array().expect("charges");
            charges.iter().filter(|charge| charge["status"] == "succeeded").count()
        };
        let confirmed = ends.iter().filter(|(_, status)| status == "CONFIRMED").count();
        let ledger = until("charges - refunds = confirmed bookings", || async {
            let ledger = self.ledger().await;
            let refunds = ledger["refunds"].as_array().expect("refunds").len();
            (succeeded(&ledger) - refunds == confirmed).then_some(ledger)
        })
        .await;
        let mut charges = 0;
        for (told, status) in ends {
            let (paid, refunded) = charged(&ledger, &told.booking);
            let right = if status == "CONFIRMED" {
                (paid, refunded) == (1, 0)
            } else {
                paid == refunded && paid <= 1
            };
            assert!(right, "{status} with {paid} charges and {refunded} refunds: {told:?}");
            charges += paid;
        }
        assert_eq!(charges, succeeded(&ledger), "there are charges of nobody's booking");
        (charges, charges - confirmed)
    }

    async fn audited(&self) {
        let offset = self.system.offset.to_string();
        let mut args = vec!["audit", "--port-offset", &offset];
        let url = self.provider.as_ref().map(|provider| provider.url(8089));
        args.extend(url.iter().flat_map(|url| ["--psp-url", url]));
        let audit = self.system.run(&args).await;
        let printed = String::from_utf8_lossy(&audit.stdout).into_owned();
        assert!(audit.status.success(), "{printed}{}", String::from_utf8_lossy(&audit.stderr));
        print!("  audit: {printed}");
    }
}

fn event(mode: &str, sections: &Value) -> Value {
    json!({"name": "Opening Night", "venue": "Hall", "startsAt": "2031-05-01T10:00:00Z", "timeZone": "UTC",
        "currency": "EUR", "bookingMode": mode, "sections": sections})
}

async fn survives(what: &str, provider: Option<System>) {
    let (bookings, kills) = (size(20, 150), size(2, 10));
    let mut chance = chance(what);
    let mut campaign = Campaign::open(provider, bookings, &mut chance).await;
    let told = campaign.run(bookings, kills, &mut chance).await;
    assert_eq!(told.len(), bookings, "every buyer got an answer");
    let ends = campaign.ends(told).await;
    let (charges, refunds) = campaign.money_agrees(&ends).await;
    let mut outcomes = BTreeMap::<&str, usize>::new();
    for (_, status) in &ends {
        *outcomes.entry(status).or_default() += 1;
    }
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    println!(
        "  {bookings} bookings, {kills} times kill -9: {outcomes:?}; {charges} charges, {refunds} refunds; {} requests \
         unanswered, {} bookings answered again under their key",
        count(&campaign.sale.unanswered),
        count(&campaign.sale.replayed),
    );
    campaign.audited().await;
}

#[tokio::test]
async fn with_the_provider_in_the_same_process() {
    survives("kills, the provider too", None).await;
}

#[tokio::test]
async fn with_the_provider_in_a_process_of_its_own() {
    let provider = System::start(&[("TICKETBLITZ_ROLE", "psp")]).await;
    survives("kills, the provider survives", Some(provider)).await;
}
