//! A Redis that comes back knowing less than it did, or nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::redis::driver;
use ticketblitz_lock::{EventSnapshot, Fence, Hold, LockError, SeatState, SeatStore, Taken, TakenState};

use super::backends::{Backend, PATIENCE, request, taken};
use super::own::Own;
use super::truth::{Fences, Truth};

const TTL: Duration = Duration::from_secs(600);

/// On a connection of its own, as a server that was killed has none any more; again while one that has just started, or is
/// just ending, hangs up. What is asked here may be done twice.
pub async fn ask<T: driver::FromRedisValue>(url: &str, command: &[&str]) -> T {
    let client = driver::Client::open(url).unwrap();
    let start = Instant::now();
    loop {
        let answer = async {
            let mut connection = client.get_multiplexed_async_connection().await?;
            driver::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await
        };
        match answer.await {
            Err(error) if error.is_io_error() && start.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            answer => return answer.unwrap(),
        }
    }
}

async fn waits_for(url: &str, section: &str, line: &str) {
    let start = Instant::now();
    loop {
        let state: String = ask(url, &["INFO", section]).await;
        if state.lines().any(|known| known == line) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{line}: {state}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How much of what was ever written a server has.
async fn written(url: &str, name: &str) -> u64 {
    let state: String = ask(url, &["INFO", "replication"]).await;
    let value = state.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap_or_else(|| panic!("no {name} in {state}")).parse().unwrap()
}

/// The store beside a database of sales, over one event.
struct Sales {
    store: Arc<dyn SeatStore>,
    event: EventId,
    fences: Fences,
    truth: Truth,
    sold: Vec<Taken>,
    /// The highest fence that the truth has seen.
    floor: Fence,
}

impl Sales {
    async fn at(url: &str, floor: Fence) -> Self {
        let store = Backend::Redis.at(url).await;
        let (fences, truth) = (Fences::default(), Truth::default());
        let sales = Self { store, event: EventId::new(), fences, truth, sold: Vec::new(), floor };
        sales.load().await;
        sales
    }

    /// What the truth knows.
    async fn load(&self) {
        let snapshot = EventSnapshot::new(self.event).with_fence_floor(self.floor);
        let snapshot = self.sold.iter().cloned().fold(snapshot, EventSnapshot::with_taken);
        let start = Instant::now();
        // A connection that has ended is found out by its use.
        while let Err(error) = self.store.load(&snapshot).await {
            assert!(
                matches!(error, LockError::Backend { .. } | LockError::OutcomeUnknown { .. }),
                "{error:?}"
            );
            assert!(start.elapsed() < PATIENCE, "{error:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn held(&mut self, owner: &str, names: &[&str]) -> Hold {
        let hold = self.store.hold(&request(self.event, owner, names, TTL)).await.unwrap();
        self.fences.given(&hold);
        hold
    }

    async fn paying(&mut self, owner: &str, names: &[&str], grace: Duration) -> Hold {
        let hold = self.held(owner, names).await;
        self.truth.sees(hold.seats(), hold.fence);
        self.floor = self.floor.max(hold.fence);
        self.store.begin_commit(hold.reference(), &hold.owner, grace).await.unwrap()
    }

    async fn buys(&mut self, owner: &str, names: &[&str]) -> Hold {
        let (hold, booking) = (self.paying(owner, names, TTL).await, BookingId::new());
        self.store.sold(hold.reference(), hold.fence, booking).await.unwrap();
        assert!(self.truth.sells(hold.seats(), hold.fence, booking));
        let sale = Taken::new(&hold.owner, hold.want.clone(), TakenState::Sold, hold.fence);
        self.sold.push(sale.with_hold(hold.id).with_booking(booking));
        hold
    }

    async fn sells(&self, hold: &Hold) -> Result<(), LockError> {
        self.store.sold(hold.reference(), hold.fence, BookingId::new()).await
    }

    /// All that the truth has sold is sold here, and nobody else gets it.
    async fn sold_stays_sold(&self) {
        let there = taken(&*self.store, self.event).await;
        assert!(!self.truth.sales.is_empty());
        for seat in self.truth.sales.keys() {
            let name = seat.to_string();
            assert!(there.contains(&(name.clone(), SeatState::Sold)), "{name}: {there:?}");
            let late = self.store.hold(&request(self.event, "late", &[&name], TTL)).await;
            assert!(matches!(late, Err(LockError::Unavailable(_))), "{late:?}");
        }
    }
}

/// How a server loses what it knew, and whether all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Flush,
    Scripts,
    Restart,
}

impl Loss {
    fn happens_to(self, server: &Own) -> impl Future<Output = ()> {
        let url = server.url.clone();
        if self == Self::Restart {
            tokio::task::block_in_place(|| {
                server.crash("KILL");
                server.start_again();
            });
        }
        async move {
            match self {
                Self::Flush => ask(&url, &["FLUSHALL"]).await,
                Self::Scripts => ask(&url, &["SCRIPT", "FLUSH"]).await,
                Self::Restart => waits_for(&url, "persistence", "loading:0").await,
            }
        }
    }
}

/// Pitfalls 10 and 13: whatever is lost, and however often, each seat's fences rise, what is sold stays so, and who held
/// what is forgotten buys nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgot_goes_on_above() {
    let server = Own::start("redis");
    // The truth's clock was ahead once: it is not the time alone that makes the fences.
    let now: (u64, u64) = ask(&server.url, &["TIME"]).await;
    let ahead = Fence::new((now.0 + 86_400) * 1_000_000);
    for floor in [Fence::default(), ahead] {
        let mut sales = Sales::at(&server.url, floor).await;
        let losses = [Loss::Flush, Loss::Scripts, Loss::Restart, Loss::Scripts, Loss::Flush, Loss::Restart];
        for (round, loss) in losses.into_iter().enumerate() {
            sales.buys("carol", &[&format!("B{}", round + 1)]).await;
            // By the time alone it is above what the truth never saw; above a clock that was ahead, by what the truth saw.
            let old = sales.held("alice", &["A1", "A2"]).await;
            let paying = sales.paying("bob", &["A3"], TTL).await;
            let unseen = if floor == ahead { None } else { Some(sales.held("eve", &["A4"]).await) };
            loss.happens_to(&server).await;
            sales.load().await;
            if loss == Loss::Scripts {
                for hold in [&old, &paying] {
                    assert_eq!(sales.store.get(hold.reference()).await.unwrap().fence, hold.fence);
                }
                sales.store.abort_commit(paying.reference()).await.unwrap();
                for hold in [&old].into_iter().chain(&unseen) {
                    sales.store.release(hold.reference(), &hold.owner).await.unwrap();
                }
            }
            for hold in [&old, &paying] {
                let refused = sales.sells(hold).await;
                assert!(matches!(refused, Err(LockError::NotHeld)), "{loss:?}: {refused:?}");
            }
            sales.sold_stays_sold().await;
            let new = sales.paying("dora", &["A1", "A2", "A3", "A4"], TTL).await;
            assert!(!sales.truth.sells(old.seats(), old.fence, BookingId::new()), "{loss:?}");
            assert!(matches!(sales.sells(&old).await, Err(LockError::NotHeld)), "{loss:?}");
            sales.store.abort_commit(new.reference()).await.unwrap();
        }
        assert!(sales.fences.highest() > floor);
    }
}

/// Pitfall 11: a replica that was cut off is promoted in the place of a master that went on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_replica_sells_nothing_twice() {
    let (master, replica) = (Own::start("redis"), Own::start("redis"));
    let port = master.url.rsplit(':').next().unwrap();
    let () = ask(&replica.url, &["REPLICAOF", "127.0.0.1", port]).await;
    waits_for(&replica.url, "replication", "master_link_status:up").await;

    let mut sales = Sales::at(&master.url, Fence::default()).await;
    let before = sales.buys("before", &["B1"]).await;
    let kept = sales.held("kept", &["A1"]).await;
    let short = Duration::from_millis(400);
    let slow = sales.paying("slow", &["A2"], short).await;
    let stale = sales.held("stale", &["A3", "A4"]).await;
    let all = written(&master.url, "master_repl_offset:").await;
    let start = Instant::now();
    while written(&replica.url, "slave_repl_offset:").await < all {
        assert!(start.elapsed() < PATIENCE, "the replica does not follow");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    // From here on it misses what the master answers.
    let () = ask(&replica.url, &["REPLICAOF", "127.0.0.1", "1"]).await;
    waits_for(&replica.url, "replication", "master_link_status:down").await;
    sales.store.release(stale.reference(), &stale.owner).await.unwrap();
    let bought = sales.buys("quick", &["A3", "B2"]).await;
    let unpaid = sales.paying("unpaid", &["A7"], TTL).await;
    // The highest fence of all, which the truth has not seen.
    let unknown = sales.held("unknown", &["A5", "A6"]).await;
    tokio::task::block_in_place(|| master.crash("KILL"));
    let () = ask(&replica.url, &["REPLICAOF", "NO", "ONE"]).await;
    waits_for(&replica.url, "replication", "role:master").await;
    sales.store = Backend::Redis.at(&replica.url).await;
    sales.load().await;

    // Whom it never knew it does not know.
    for hold in [&unknown, &unpaid] {
        assert!(matches!(sales.sells(hold).await, Err(LockError::NotHeld)));
        assert!(matches!(sales.store.get(hold.reference()).await, Err(LockError::NotHeld)));
    }
    // Whom it knew still has what it had, at the fence that it had.
    assert_eq!(sales.store.get(kept.reference()).await.unwrap().fence, kept.fence);
    // A payment that lapsed meanwhile meets the higher fence of who came after it.
    let start = Instant::now();
    while taken(&*sales.store, sales.event).await.iter().any(|(name, _)| name == "A2") {
        assert!(start.elapsed() < PATIENCE, "the payment does not lapse");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sales.buys("after", &["A2"]).await;
    let late = sales.sells(&slow).await;
    assert!(matches!(late, Err(LockError::StaleFence { seen }) if seen > slow.fence), "{late:?}");
    // A hold that it takes for live, though the master had released it: the truth, which has seen the higher fence of who
    // bought the seat since, refuses that sale. Once it has ended, the seat is the buyer's here too.
    assert!(bought.fence > stale.fence);
    assert!(!sales.truth.sells(stale.seats(), stale.fence, BookingId::new()));
    sales.store.abort_commit(stale.reference()).await.unwrap();
    sales.load().await;
    assert!(matches!(sales.sells(&stale).await, Err(LockError::NotHeld)));
    sales.sold_stays_sold().await;
    // All that is free again is given out above all fences that were ever given for it.
    sales.held("new", &["A4", "A5", "A6", "A7"]).await;
    sales.store.release(kept.reference(), &kept.owner).await.unwrap();
    sales.buys("new", &["A1"]).await;
    assert!(sales.truth.sales.contains_key(&before.seats()[0]));
    sales.sold_stays_sold().await;
}
