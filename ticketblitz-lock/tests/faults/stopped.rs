//! A process that stands still while its time runs out: a pause of its machine, a debugger, a swap.

use std::time::Duration;

use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::conformance::seats;
use ticketblitz_lock::{SeatState, SeatStore};

use super::backends::{Backend, PATIENCE, all_free, load, taken};
use super::process::{Process, was_holder};
use super::truth::Truth;

const SHORT: Duration = Duration::from_millis(700);

on_each!(a_holder_that_stood_still_is_refused: redis Redis, postgres Postgres);

/// Pitfalls 1 and 11, three times around: one process is stopped beyond its time, another buys what it had, and whatever
/// it does when it goes on is refused, by the store and by the truth.
async fn a_holder_that_stood_still_is_refused(backend: Backend) {
    if was_holder(backend).await {
        return;
    }
    let name = backend.name().await;
    let store = backend.open(&name, 2, None).await;
    let event = load(&*store).await;
    let test =
        format!("stopped::a_holder_that_stood_still_is_refused::{}", format!("{backend:?}").to_lowercase());
    let (mut one, mut other) = (
        Process::start(&test, &name, event, "one", None),
        Process::start(&test, &name, event, "other", None),
    );
    let mut truth = Truth::default();
    for round in 1..=3 {
        let scene = Scene { store: &*store, event, row: ["A", "B", "C"][round - 1], paying: round != 1 };
        scene.plays(&mut one, &mut other, &mut truth, round == 3).await;
        std::mem::swap(&mut one, &mut other);
    }
    assert_eq!(truth.sales.len(), 6);
    one.end().await;
    other.end().await;
}

struct Scene<'a> {
    store: &'a dyn SeatStore,
    event: EventId,
    row: &'a str,
    /// Whether the one that is stopped has begun to pay.
    paying: bool,
}

impl Scene<'_> {
    /// The stopped one comes to the truth after the sale, or before it.
    async fn plays(&self, stopped: &mut Process, quick: &mut Process, truth: &mut Truth, before: bool) {
        let names = format!("{0}1,{0}2", self.row);
        let wanted = seats(&names.split(',').collect::<Vec<_>>());
        let is_free = |taken: &(String, SeatState)| !taken.0.starts_with(self.row);
        let old = stopped.hold(&names, if self.paying { PATIENCE } else { SHORT }).await;
        if self.paying {
            assert_eq!(stopped.ask(&format!("pay {}", SHORT.as_millis())).await, "done");
            truth.sees(&wanted, old);
        }
        stopped.stop();
        let (late, sale) = (BookingId::new(), BookingId::new());
        for order in ["pay 60000", &format!("sell {late}"), "extend 60000", "release"] {
            stopped.tell(order).await;
        }
        self.lapses(is_free).await;

        let new = quick.hold(&names, PATIENCE).await;
        assert!(new > old, "{new} after {old}");
        assert_eq!(quick.ask("pay 60000").await, "done");
        truth.sees(&wanted, new);
        if before {
            assert!(!truth.sells(&wanted, old, late), "a higher fence has been seen");
        }
        assert_eq!(quick.ask(&format!("sell {sale}")).await, "done");
        assert!(truth.sells(&wanted, new, sale));

        stopped.go_on();
        let pays = stopped.answer().await;
        let sells = stopped.answer().await;
        let answers = [pays.as_str(), &sells, &stopped.answer().await, &stopped.answer().await];
        let sale_refused = if self.paying { "stale_fence" } else { "not_held" };
        assert_eq!(answers, ["not_held", sale_refused, "not_held", "not_held"]);
        assert!(!truth.sells(&wanted, old, late));
        assert!(wanted.iter().all(|seat| truth.sales[seat] == sale));
        let here: Vec<_> =
            taken(self.store, self.event).await.into_iter().filter(|it| !is_free(it)).collect();
        assert_eq!(here, [1, 2].map(|n| (format!("{}{n}", self.row), SeatState::Sold)));
    }

    async fn lapses(&self, is_free: impl Fn(&(String, SeatState)) -> bool) {
        let start = std::time::Instant::now();
        while !taken(self.store, self.event).await.iter().all(&is_free) {
            assert!(start.elapsed() < PATIENCE, "the hold does not lapse");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

on_each!(a_clock_an_hour_off_changes_nothing: redis Redis, postgres Postgres);

/// Pitfall 2, with the server's own time: a buyer whose clock is an hour ahead, one whose clock is an hour behind, and one
/// whose clock is right see the same.
async fn a_clock_an_hour_off_changes_nothing(backend: Backend) {
    if was_holder(backend).await {
        return;
    }
    let name = backend.name().await;
    let store = backend.open(&name, 2, None).await;
    let event = load(&*store).await;
    let test =
        format!("stopped::a_clock_an_hour_off_changes_nothing::{}", format!("{backend:?}").to_lowercase());
    let start = |owner: &str, library: Option<&str>| Process::start(&test, &name, event, owner, library);
    let libraries = skew::Libraries::build();
    let mut ahead = start("ahead", Some(&libraries.ahead));
    let mut behind = start("behind", Some(&libraries.behind));
    let mut right = start("right", None);
    let times = [behind.ask("time").await, right.ask("time").await, ahead.ask("time").await];
    let times = times.map(|time| time.parse::<i64>().unwrap() / 60_000_000);
    assert!(times[0] + 50 < times[1] && times[1] + 50 < times[2], "in minutes: {times:?}");

    let mut fence = Default::default();
    let mut buyers = [ahead, behind, right];
    for _ in 0..3 {
        // Held for a minute, nobody else has it, and a minute is what everybody sees.
        let [holder, others @ ..] = &mut buyers;
        let held = holder.hold("A1,A2", PATIENCE).await;
        assert!(held > fence, "{held} after {fence}");
        let left: u64 = holder.ask("left").await.parse().unwrap();
        assert!((1..=60_000).contains(&left), "{left} ms");
        for other in &mut *others {
            assert_eq!(other.ask("hold A2,A3 60000").await, "unavailable");
        }
        assert_eq!(holder.ask("release").await, "done");
        // Held for a moment, it is free afterwards, for everybody.
        holder.hold("A1,A2", SHORT).await;
        all_free(&*store, event).await;
        fence = others[0].hold("A1,A2", PATIENCE).await;
        assert!(fence > held);
        assert_eq!(holder.ask("pay 60000").await, "not_held");
        assert_eq!(others[0].ask("release").await, "done");
        buyers.rotate_left(1);
    }
    for buyer in buyers {
        buyer.end().await;
    }
}

/// Libraries that set a process's clock off, for as long as this lives.
mod skew {
    use std::process::Command;

    pub struct Libraries {
        directory: String,
        pub ahead: String,
        pub behind: String,
    }

    const SOURCE: &str = r"
        #define _GNU_SOURCE
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>
        int clock_gettime(clockid_t id, struct timespec *time) {
            int failed = syscall(SYS_clock_gettime, id, time);
            if (!failed && id == CLOCK_REALTIME) time->tv_sec += HOURS * 3600;
            return failed;
        }
    ";

    impl Libraries {
        pub fn build() -> Self {
            let directory = std::env::temp_dir().join(format!("skew-{}", ticketblitz_core::EventId::new()));
            std::fs::create_dir(&directory).unwrap();
            let source = directory.join("skew.c");
            std::fs::write(&source, SOURCE).unwrap();
            let build = |name: &str, hours: &str| {
                let library = directory.join(name);
                let mut compiler = Command::new("cc");
                compiler.args(["-shared", "-fPIC", hours, "-o"]).arg(&library).arg(&source);
                let output = compiler.output().expect("a C compiler, named cc");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                library.to_str().unwrap().to_owned()
            };
            let (ahead, behind) = (build("ahead.so", "-DHOURS=1"), build("behind.so", "-DHOURS=-1"));
            Self { directory: directory.to_str().unwrap().to_owned(), ahead, behind }
        }
    }

    impl Drop for Libraries {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.directory).unwrap();
        }
    }
}
