//! A clock that is set back an hour: what failed before is tried again soon, deadlines stay what they are.

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::{Clock, Envelope, ManualClock, Timestamp};
use ticketblitz_saga::{
    BusOptions, Consumer, Error, HandleError, Handler, InProcessBus, Saga, Status, StepError, Verdict,
    outbox, sqlite,
};
use tokio_util::sync::CancellationToken;
use world::{Log, Running, World, until};

const HOUR: Duration = Duration::from_secs(3_600);

fn clock() -> ManualClock {
    ManualClock::at("2026-11-25T06:00:00Z".parse().expect("a time"))
}

fn saga(log: &Log) -> Saga<Timestamp> {
    let log = log.clone();
    Saga::<Timestamp>::named("order")
        .version(1)
        .step("step", move |run| {
            let log = log.clone();
            async move {
                log.add(format!("try {}", run.failures));
                if run.failures == 0 { Err(StepError::Retry("busy".to_owned())) } else { Ok(run.state) }
            }
        })
        .wait("paid", |deadline: &Timestamp| *deadline)
        .on("paid", |state, _: ()| Verdict::Go(state))
        .build()
}

#[tokio::test]
async fn a_saga_that_failed_is_tried_again_and_its_deadline_stands() {
    for restarted in [false, true] {
        let world = World::new().await;
        let clock = clock();
        let deadline = clock.now() + Duration::from_secs(600);
        let engine = world
            .engine_with(Arc::new(clock.clone()))
            .register(saga(&world.log))
            .build()
            .await
            .expect("an engine");
        let mut running = Running::begin(&engine);
        let begin = engine.handle::<Timestamp>("order").start("one", &deadline);
        let begun: Result<bool, Error> =
            world.db.write(move |conn| Box::pin(async move { begin.apply(conn).await })).await;
        begun.expect("begun");
        world.log.reached(1).await;
        let failed = async {
            while engine.view("order", "one").await.expect("a view").is_none_or(|view| view.failures == 0) {
                tokio::time::sleep(Duration::from_millis(2)).await; // between two looks
            }
        };
        tokio::time::timeout(world::PATIENCE, failed).await.expect("the failure is kept");
        clock.set(clock.now() - HOUR);
        if restarted {
            running.crash().await;
            running = Running::begin(&engine);
        }
        let again = tokio::time::timeout(world::PATIENCE, world.log.reached(2)).await;
        assert!(again.is_ok(), "it waits for the clock to catch up, restarted: {restarted}");
        clock.set(deadline - Duration::from_micros(1));
        let waiting = async {
            while engine.view("order", "one").await.expect("a view").is_none_or(|view| view.node != "paid") {
                tokio::time::sleep(Duration::from_millis(2)).await; // between two looks
            }
        };
        tokio::time::timeout(world::PATIENCE, waiting).await.expect("it waits");
        clock.set(deadline);
        until(&engine, "one", Status::Failed).await;
        running.end().await;
    }
}

/// Refuses the first message once.
#[derive(Default)]
struct Busy {
    handled: AtomicU32,
    log: Log,
}

#[async_trait]
impl Handler for Busy {
    async fn handle(&self, _: &Envelope) -> Result<(), HandleError> {
        let before = self.handled.fetch_add(1, Ordering::SeqCst);
        self.log.add("handled");
        if before == 0 { Err(HandleError::Retry("busy".to_owned())) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_message_that_failed_is_delivered_again() {
    let world = World::new().await;
    sqlite::setup(&world.db).await.expect("tables");
    let (clock, busy) = (clock(), Arc::<Busy>::default());
    let bus = InProcessBus::new(Arc::new(clock.clone()))
        .options(BusOptions::default().flush_interval(Duration::from_millis(5)))
        .outbox("test", world.db.clone())
        .consumer(Consumer::new("busy", ["told"], Arc::clone(&busy) as Arc<dyn Handler>))
        .build()
        .expect("a bus");
    let stop = CancellationToken::new();
    let running = tokio::spawn(bus.run(stop.clone()));
    let message = Envelope::new("told", "a", clock.now(), serde_json::Value::Null);
    let pushed: Result<(), Error> =
        world.db.write(move |conn| Box::pin(async move { outbox::push(conn, &message).await })).await;
    pushed.expect("pushed");
    busy.log.reached(1).await;
    clock.set(clock.now() - HOUR);
    let again = tokio::time::timeout(world::PATIENCE, busy.log.reached(2)).await;
    assert!(again.is_ok(), "it waits for the clock to catch up");
    stop.cancel();
    running.await.expect("it drains");
}
