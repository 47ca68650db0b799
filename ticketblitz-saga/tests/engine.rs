//! Sagas on a real database: what is done once, undone in order, resumed after a crash.

mod world;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ticketblitz_core::sqlite;
use ticketblitz_core::{Clock, ManualClock, SystemClock, Timestamp};
use ticketblitz_saga::{
    Cancelled, Connection, Delivery, Engine, Error, Failure, Handle, HandleError, Outcome, Reconciled, Retry,
    Run, Saga, Status, StepError, Verdict,
};
use tokio::sync::Notify;
use world::{Log, Running, SOON, World, apply, effect, until};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Order {
    deadline: i64,
    paid: Option<u32>,
}

impl Order {
    fn until(deadline: Timestamp) -> Self {
        Self { deadline: deadline.as_micros(), paid: None }
    }
}

/// reserve (undo: release) -> wait for payment (undo: refund) -> pivot sell -> local confirm.
fn order(world: &World) -> Saga<Order> {
    let (log, db) = (world.log.clone(), world.db.clone());
    let logged = move |what: &'static str| {
        let log = log.clone();
        move |_: &Run<Order>| log.add(what)
    };
    let [reserve, release, refund, sell] = ["reserve", "release", "refund", "sell"].map(&logged);
    let (confirm_db, close_db) = (db.clone(), db);
    Saga::<Order>::named("order")
        .step("reserve", move |run| {
            reserve(&run);
            async move { Ok(run.state) }
        })
        .undo(move |run| {
            release(&run);
            async { Ok(()) }
        })
        .wait("paid", |order: &Order| Timestamp::from_micros(order.deadline))
        .on("paid", |mut order: Order, by: u32| {
            order.paid = Some(by);
            Verdict::Go(order)
        })
        .on("declined", |order: Order, reason: String| Verdict::Abort(order, reason))
        .undo(move |run| {
            refund(&run);
            async { Ok(()) }
        })
        .pivot("sell", move |run| {
            sell(&run);
            async move {
                if run.state.paid == Some(13) {
                    Err(StepError::Abort("refused".into()))
                } else {
                    Ok(run.state)
                }
            }
        })
        .local("confirm", move |_, advance| {
            let db = confirm_db.clone();
            async move { Ok(effect(&db, "confirm", advance).await?) }
        })
        .on_failed(move |_, _, advance| {
            let db = close_db.clone();
            async move { effect(&db, "close", advance).await.map_err(StepError::from) }
        })
        .build()
}

fn in_an_hour() -> Timestamp {
    SystemClock.now() + Duration::from_secs(3_600)
}

async fn started(world: &World) -> (Engine, Handle<Order>, Running) {
    let engine = world.engine().register(order(world)).build().await.expect("builds");
    let handle = engine.handle("order");
    let running = Running::begin(&engine);
    (engine, handle, running)
}

async fn until_waiting(engine: &Engine, key: &str) {
    let waits = async {
        while engine.view("order", key).await.expect("a view").is_none_or(|view| view.node != "paid") {
            tokio::time::sleep(Duration::from_millis(2)).await; // between two looks
        }
    };
    tokio::time::timeout(world::PATIENCE, waits).await.expect("it comes to the wait");
}

/// The engine is told of a move by its commit, and begins with what was written: it must not hear of one that is undone.
#[tokio::test]
async fn what_is_rolled_back_is_not_driven() {
    let world = World::new().await;
    let (engine, handle, _running) = started(&world).await;
    assert!(apply!(world, handle.start("waits", &Order::until(in_an_hour()))));
    until_waiting(&engine, "waits").await;
    let start = handle.start("never", &Order::until(in_an_hour()));
    let signal = handle.signal("waits", "paid", &7);
    let undone: Result<(), Error> = world
        .db
        .write(move |conn| {
            Box::pin(async move {
                assert!(start.apply(conn).await?);
                assert_eq!(signal.apply(conn).await?, Delivery::Accepted);
                sqlite::query("no statement").execute(conn).await?;
                Ok(())
            })
        })
        .await;
    undone.expect_err("it fails and is undone");
    let start = handle.start("never", &Order::until(in_an_hour()));
    let undone: Result<(), Error> = world
        .db
        .write(move |conn| {
            Box::pin(async move {
                conn.execute_batch("SAVEPOINT mine")?;
                assert!(start.apply(conn).await?);
                Ok(conn.execute_batch("ROLLBACK TO mine; RELEASE mine")?)
            })
        })
        .await;
    undone.expect("the rest of the work is kept");
    assert!(apply!(world, handle.start("other", &Order::until(in_an_hour()))));
    until_waiting(&engine, "other").await;
    assert_eq!(apply!(world, handle.signal("other", "paid", &7)), Delivery::Accepted);
    until(&engine, "other", Status::Completed).await;
    assert_eq!(world.log.all(), ["reserve", "reserve", "sell"]);
    assert!(engine.view("order", "never").await.expect("a view").is_none());
    assert_eq!(engine.view("order", "waits").await.expect("a view").expect("a saga").node, "paid");
}

/// Moves come while the saga is driven and while it rests: none of its steps is done twice for that.
#[tokio::test]
async fn a_move_is_driven_once_however_many_there_are() {
    let world = World::new().await;
    let (engine, handle, _running) = started(&world).await;
    for n in 0..200 {
        assert!(apply!(world, handle.start(n.to_string(), &Order::until(in_an_hour()))));
        // Early until the saga has come to the wait, and then it moves at once.
        let paid = async {
            while apply!(world, handle.signal(n.to_string(), "paid", &7)) == Delivery::Early {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(world::PATIENCE, paid).await.expect("it comes to the wait");
    }
    for n in 0..200 {
        until(&engine, &n.to_string(), Status::Completed).await;
    }
    assert_eq!((world.log.count("reserve"), world.log.count("sell")), (200, 200));
}

#[tokio::test]
async fn a_saga_runs_to_its_end() {
    let world = World::new().await;
    let (engine, handle, running) = started(&world).await;
    assert!(apply!(world, handle.start("1", &Order::until(in_an_hour()))));
    assert!(!apply!(world, handle.start("1", &Order::until(in_an_hour()))), "one saga a key");
    until_waiting(&engine, "1").await;
    assert_eq!(apply!(world, handle.signal("1", "paid", &7)), Delivery::Accepted);
    until(&engine, "1", Status::Completed).await;
    assert_eq!(world.log.all(), ["reserve", "sell"]);
    assert_eq!((world.effects("confirm").await, world.effects("close").await), (1, 0));
    assert_eq!(apply!(world, handle.signal("1", "paid", &7)), Delivery::Late(Outcome::Completed));
    assert_eq!(apply!(world, handle.signal("2", "paid", &7)), Delivery::Unknown);
    running.end().await;
}

#[tokio::test]
async fn a_definite_no_undoes_what_came_before_and_not_itself() {
    let world = World::new().await;
    let (engine, handle, _running) = started(&world).await;
    for (key, signal) in [
        ("declined", handle.signal("declined", "declined", &"no money")),
        ("refused", handle.signal("refused", "paid", &13)),
    ] {
        apply!(world, handle.start(key, &Order::until(in_an_hour())));
        until_waiting(&engine, key).await;
        assert_eq!(apply!(world, signal), Delivery::Accepted);
        until(&engine, key, Status::Failed).await;
    }
    let declined = ["reserve", "release"];
    // The pivot refused: it is not undone itself, the payment is.
    let refused = ["reserve", "sell", "refund", "release"];
    assert_eq!(world.log.all(), [&declined[..], &refused[..]].concat());
    assert_eq!(world.effects("close").await, 2);
    let view = engine.view("order", "declined").await.expect("a view").expect("a saga");
    assert_eq!(view.failure, Some(Failure::Aborted("no money".into())));
    assert_eq!(apply!(world, handle.signal("declined", "paid", &7)), Delivery::Late(Outcome::Failed));
}

#[tokio::test]
async fn a_deadline_undoes_what_may_have_happened() {
    let world = World::new().await;
    let clock = ManualClock::at("2026-01-01T00:00:00Z".parse().expect("a time"));
    let engine =
        world.engine_with(Arc::new(clock.clone())).register(order(&world)).build().await.expect("builds");
    let handle = engine.handle("order");
    let _running = Running::begin(&engine);
    apply!(world, handle.start("1", &Order::until(clock.now() + Duration::from_secs(600))));
    until_waiting(&engine, "1").await;
    clock.advance(Duration::from_secs(599));
    assert_eq!(engine.view("order", "1").await.expect("a view").expect("a saga").status, Status::Running);
    clock.advance(Duration::from_secs(1));
    until(&engine, "1", Status::Failed).await;
    assert_eq!(world.log.all(), ["reserve", "refund", "release"]);
}

#[tokio::test]
async fn of_payment_deadline_and_cancellation_one_wins() {
    let world = World::new().await;
    let (engine, handle, _running) = started(&world).await;
    let mut winners = [0_u32; 3];
    for n in 0..200 {
        let key = n.to_string();
        let deadline = SystemClock.now() + Duration::from_millis(n % 7);
        apply!(world, handle.start(&key, &Order::until(deadline)));
        let (signal, cancel) = (handle.signal(&key, "paid", &7), handle.cancel(&key, "no longer wanted"));
        let paying = async { apply!(world, signal) };
        let cancelling = async { if n % 2 == 0 { Some(apply!(world, cancel)) } else { None } };
        let (paid, cancelled) = tokio::join!(paying, cancelling);
        let completes = paid == Delivery::Accepted;
        until(&engine, &key, if completes { Status::Completed } else { Status::Failed }).await;
        winners
            [usize::from(!completes) + usize::from(!completes && cancelled == Some(Cancelled::Accepted))] +=
            1;
    }
    assert_eq!(i64::from(winners[0]), world.effects("confirm").await, "{winners:?}");
    assert_eq!(i64::from(winners[1] + winners[2]), world.effects("close").await, "{winners:?}");
}

#[tokio::test]
async fn after_a_crash_at_any_point_each_commit_was_made_once() {
    // reserve, wait, sell: crash once before each thing that the log can show, and once more after the end.
    for crash_at in 0..=3 {
        let world = World::new().await;
        let engine = world.engine().register(order(&world)).build().await.expect("builds");
        let handle = engine.handle("order");
        apply!(world, handle.start("1", &Order::until(in_an_hour())));
        let running = Running::begin(&engine);
        if crash_at >= 1 {
            world.log.reached(1).await;
        }
        if crash_at >= 2 {
            until_waiting(&engine, "1").await;
            apply!(world, handle.signal("1", "paid", &7));
            world.log.reached(2).await;
        }
        if crash_at == 3 {
            until(&engine, "1", Status::Completed).await;
        }
        running.crash().await;
        let again = world.engine().register(order(&world)).build().await.expect("builds");
        let handle = again.handle::<Order>("order");
        let _running = Running::begin(&again);
        if crash_at < 2 {
            until_waiting(&again, "1").await;
            apply!(world, handle.signal("1", "paid", &7));
        }
        until(&again, "1", Status::Completed).await;
        assert_eq!(world.effects("confirm").await, 1, "crashed at {crash_at}");
        assert!((1..=2).contains(&world.log.count("reserve")), "at least once: {:?}", world.log.all());
    }
}

#[tokio::test]
async fn two_engines_on_one_file_commit_once() {
    let world = World::new().await;
    let (engine, handle, _one) = started(&world).await;
    let other = world.engine().register(order(&world)).build().await.expect("builds");
    let _two = Running::begin(&other);
    for n in 0..50 {
        let key = n.to_string();
        apply!(world, handle.start(&key, &Order::until(in_an_hour())));
        until_waiting(&engine, &key).await;
        apply!(world, handle.signal(&key, "paid", &7));
        until(&engine, &key, Status::Completed).await;
    }
    assert_eq!(world.effects("confirm").await, 50);
}

#[tokio::test]
async fn a_saga_whose_definition_is_gone_stops_the_start() {
    let world = World::new().await;
    let (engine, handle, running) = started(&world).await;
    apply!(world, handle.start("1", &Order::until(in_an_hour())));
    until_waiting(&engine, "1").await;
    running.end().await;
    let other =
        Saga::<Order>::named("order").version(2).step("else", async |run: Run<Order>| Ok(run.state)).build();
    let refused = world.engine().register(other.clone()).build().await.expect_err("version 1 is in progress");
    assert!(refused.to_string().contains("order version 1"), "{refused}");
    world.engine().register(other).register(order(&world)).build().await.expect("both versions are there");
}

#[tokio::test]
async fn what_is_rolled_back_was_never_said() {
    let world = World::new().await;
    let (engine, handle, _running) = started(&world).await;
    apply!(world, handle.start("1", &Order::until(in_an_hour())));
    until_waiting(&engine, "1").await;
    let (signal, start) = (handle.signal("1", "paid", &7), handle.start("2", &Order::default()));
    let rolled_back: Result<(), Error> = world
        .db
        .write(move |conn| {
            Box::pin(async move {
                assert_eq!(signal.apply(conn).await?, Delivery::Accepted);
                assert!(start.apply(conn).await?);
                fails(conn).await
            })
        })
        .await;
    rolled_back.expect_err("fails");
    let view = engine.view("order", "1").await.expect("a view").expect("a saga");
    assert_eq!(
        (view.node.as_str(), engine.view("order", "2").await.expect("a view").is_none()),
        ("paid", true)
    );
    assert_eq!(apply!(world, handle.signal("1", "paid", &7)), Delivery::Accepted);
}

async fn fails<C: Connection>(_: &mut C) -> Result<(), Error> {
    Err(ticketblitz_core::sqlite::Error::decode("on purpose").into())
}

/// One step that does as it is told, with an undo and, if `look_up` is given, a reconcile.
fn doubtful(log: &Log, answers: &'static [Result<(), &'static str>], look_up: Option<bool>) -> Saga<Order> {
    let (tries, undo_log, log) = (Arc::new(AtomicU32::new(0)), log.clone(), log.clone());
    let step = Saga::<Order>::named("order").step("charge", move |run| {
        let at = tries.fetch_add(1, Ordering::SeqCst) as usize;
        log.add("charge");
        async move {
            match answers.get(at).copied().unwrap_or(Ok(())) {
                Ok(()) => Ok(run.state),
                Err("panic") => panic!("on purpose"),
                Err("retry") => Err(StepError::Retry("busy".into())),
                Err(_) => Err(StepError::Unknown("the reply was lost".into())),
            }
        }
    });
    let step = step.backoff(SOON).undo(move |_| {
        undo_log.add("refund");
        async { Ok(()) }
    });
    match look_up {
        None => step.build(),
        Some(happened) => step
            .reconcile(move |run| async move {
                Ok(if happened { Reconciled::Happened(run.state) } else { Reconciled::DidNotHappen })
            })
            .build(),
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_looked_up_or_undone() {
    for (answers, look_up, status, log) in [
        (&[Err("lost")][..], None, Status::Failed, &["charge", "refund"][..]),
        (&[Err("lost")], Some(true), Status::Completed, &["charge"]),
        (&[Err("lost")], Some(false), Status::Failed, &["charge"]),
        (&[Err("retry"), Err("panic"), Ok(())], None, Status::Completed, &["charge", "charge", "charge"]),
    ] {
        let world = World::new().await;
        let engine =
            world.engine().register(doubtful(&world.log, answers, look_up)).build().await.expect("builds");
        let handle = engine.handle("order");
        let _running = Running::begin(&engine);
        apply!(world, handle.start("1", &Order::default()));
        until(&engine, "1", status).await;
        assert_eq!(world.log.all(), log);
    }
}

#[tokio::test]
async fn a_cancellation_waits_for_the_step_that_runs_and_undoes_it() {
    let world = World::new().await;
    let go_on = Arc::new(Notify::new());
    let (log, undo_log, gate) = (world.log.clone(), world.log.clone(), Arc::clone(&go_on));
    let saga = Saga::<Order>::named("order")
        .step("charge", move |run| {
            log.add("charge");
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok(run.state)
            }
        })
        .undo(move |_| {
            undo_log.add("refund");
            async { Ok(()) }
        })
        .step("never", async |_: Run<Order>| -> Result<Order, StepError> { panic!("it was cancelled") })
        .build();
    let engine = world.engine().register(saga).build().await.expect("builds");
    let handle = engine.handle::<Order>("order");
    let _running = Running::begin(&engine);
    apply!(world, handle.start("1", &Order::default()));
    world.log.reached(1).await;
    assert_eq!(apply!(world, handle.cancel("1", "changed my mind")), Cancelled::Accepted);
    go_on.notify_one();
    until(&engine, "1", Status::Failed).await;
    assert_eq!(world.log.all(), ["charge", "refund"]);
    assert_eq!(apply!(world, handle.cancel("1", "again")), Cancelled::Finished);
}

#[tokio::test]
async fn an_undo_that_fails_is_owed_and_the_others_run() {
    let world = World::new().await;
    let broken = Arc::new(AtomicU32::new(1));
    let (log, flag) = (world.log.clone(), Arc::clone(&broken));
    let saga = Saga::<Order>::named("order")
        .step("first", async |run: Run<Order>| Ok(run.state))
        .undo(move |_| {
            log.add("undo first");
            async { Ok(()) }
        })
        .step("second", async |run: Run<Order>| Ok(run.state))
        .backoff(SOON)
        .undo(move |_| {
            let broken = flag.load(Ordering::SeqCst) == 1;
            async move { if broken { Err(Retry("down".into())) } else { Ok(()) } }
        })
        .step("third", async |_: Run<Order>| Err(StepError::Abort("no".into())))
        .build();
    let engine = world.engine().register(saga).build().await.expect("builds");
    let handle = engine.handle::<Order>("order");
    let _running = Running::begin(&engine);
    apply!(world, handle.start("1", &Order::default()));
    let parked = async {
        loop {
            let view = engine.view("order", "1").await.expect("a view").expect("a saga");
            if view.parked {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks
        }
    };
    let view = tokio::time::timeout(world::PATIENCE, parked).await.expect("it parks");
    assert_eq!((view.owed, world.log.all()), (vec!["second".to_owned()], vec!["undo first".to_owned()]));
    broken.store(0, Ordering::SeqCst);
    assert!(engine.resume("order", "1", "the bank is back").await.expect("resumed"));
    until(&engine, "1", Status::Failed).await;
    assert_eq!(world.log.count("undo first"), 1);
}

#[tokio::test]
async fn a_step_costs_one_commit() {
    let world = World::new().await;
    let step = async |run: Run<Order>| Ok::<_, StepError>(run.state);
    let saga = Saga::<Order>::named("order").step("one", step).step("two", step).step("three", step).build();
    let engine = world.engine().register(saga).build().await.expect("builds");
    let handle = engine.handle::<Order>("order");
    let _running = Running::begin(&engine);
    let commits = world.db.commits();
    let before = *commits.borrow();
    apply!(world, handle.start("1", &Order::default()));
    until(&engine, "1", Status::Completed).await;
    // A reader may see the last commit a moment before it is counted.
    world.db.close().await;
    assert_eq!(*commits.borrow() - before, 4, "the start and three steps");
}

/// Neither `Clone` nor `Sync`: a saga's data need be neither.
#[derive(Debug, Serialize, Deserialize)]
struct Count(Cell<u32>);

#[tokio::test]
async fn a_local_step_starts_another_saga_with_its_own_commit() {
    let world = World::new().await;
    let (db, held) = (world.db.clone(), Arc::new(()));
    let definitions_live = Arc::downgrade(&held);
    let first = Saga::<Count>::named("first")
        .local("hand on", move |run: Run<Count>, advance| {
            let (db, _held) = (db.clone(), Arc::clone(&held));
            async move {
                run.state.0.set(run.state.0.get() + 1);
                let next = advance.handle::<Count>("order").start(run.key, &run.state);
                let advanced: Result<_, Error> = db
                    .write(move |conn| {
                        Box::pin(async move {
                            assert!(next.apply(conn).await?);
                            advance.apply(conn).await
                        })
                    })
                    .await;
                Ok(advanced?)
            }
        })
        .build();
    let second = Saga::<Count>::named("order").step("last", async |run: Run<Count>| Ok(run.state)).build();
    let engine = world.engine().register(first).register(second).build().await.expect("builds");
    let running = Running::begin(&engine);
    assert!(apply!(world, engine.handle::<Count>("first").start("k", &Count(Cell::new(1)))));
    until(&engine, "k", Status::Completed).await;
    let view = engine.view("order", "k").await.expect("read").expect("there is one");
    assert_eq!(view.state, serde_json::json!(2));
    running.end().await;
    drop(engine);
    assert_eq!(definitions_live.strong_count(), 0, "nothing keeps the engine");
}

#[test]
fn what_is_answered_is_an_error_like_any_other() {
    let errors: [Box<dyn std::error::Error + Send + Sync>; 3] = [
        Box::new(Retry::because("the provider is away")),
        Box::new(StepError::Unknown("no answer".to_owned())),
        Box::new(HandleError::Poison("no booking".to_owned())),
    ];
    let texts = errors.map(|error| error.to_string());
    assert_eq!(texts, ["the provider is away", "no answer", "no booking"]);
}

#[tokio::test]
async fn a_local_step_shares_its_commit_with_the_step_before_it() {
    let world = World::new().await;
    let saga = order(&world);
    let engine = world.engine().register(saga).build().await.expect("builds");
    let handle = engine.handle::<Order>("order");
    let _running = Running::begin(&engine);
    let commits = world.db.commits();
    let before = *commits.borrow();
    apply!(world, handle.start("1", &Order::until(in_an_hour())));
    until_waiting(&engine, "1").await;
    apply!(world, handle.signal("1", "paid", &7));
    until(&engine, "1", Status::Completed).await;
    world.db.close().await;
    assert_eq!(*commits.borrow() - before, 4, "start, reserve, the signal, and sell with confirm");
}

#[tokio::test]
async fn a_local_step_that_fails_does_not_lose_the_answer_of_the_step_before_it() {
    let world = World::new().await;
    let (log, db, tries) = (world.log.clone(), world.db.clone(), Arc::new(AtomicU32::new(0)));
    let saga = Saga::<Order>::named("order")
        .step("charge", move |run| {
            log.add("charge");
            async move { Ok(Order { paid: Some(7), ..run.state }) }
        })
        .local("record", move |run, advance| {
            let (db, tries) = (db.clone(), Arc::clone(&tries));
            async move {
                assert_eq!(run.state.paid, Some(7), "it sees what the step answered");
                match tries.fetch_add(1, Ordering::SeqCst) {
                    0 => Err(StepError::Retry("the disk is full".into())),
                    1 => panic!("on the second try"),
                    _ => Ok(effect(&db, "record", advance).await?),
                }
            }
        })
        .backoff(SOON)
        .build();
    let engine = world.engine().register(saga).build().await.expect("builds");
    let handle = engine.handle::<Order>("order");
    let _running = Running::begin(&engine);
    apply!(world, handle.start("1", &Order::default()));
    until(&engine, "1", Status::Completed).await;
    assert_eq!((world.log.all(), world.effects("record").await), (vec!["charge".to_owned()], 1));
}

#[tokio::test]
async fn a_cancellation_beats_the_local_step_that_would_take_the_step_before_it_along() {
    let world = World::new().await;
    let (log, undo_log, local_log) = (world.log.clone(), world.log.clone(), world.log.clone());
    let (db, go_on) = (world.db.clone(), Arc::new(Notify::new()));
    let gate = Arc::clone(&go_on);
    let saga = Saga::<Order>::named("order")
        .step("charge", move |run| {
            log.add("charge");
            async move { Ok(run.state) }
        })
        .undo(move |_| {
            undo_log.add("refund");
            async { Ok(()) }
        })
        .local("record", move |_, advance| {
            local_log.add("record");
            let (db, gate) = (db.clone(), Arc::clone(&gate));
            async move {
                gate.notified().await;
                Ok(effect(&db, "record", advance).await?)
            }
        })
        .build();
    let engine = world.engine().register(saga).build().await.expect("builds");
    let handle = engine.handle::<Order>("order");
    let _running = Running::begin(&engine);
    apply!(world, handle.start("1", &Order::default()));
    world.log.reached(2).await;
    assert_eq!(apply!(world, handle.cancel("1", "changed my mind")), Cancelled::Accepted);
    go_on.notify_one();
    until(&engine, "1", Status::Failed).await;
    assert_eq!(world.log.all(), ["charge", "record", "refund"]);
    assert_eq!(world.effects("record").await, 0);
}
