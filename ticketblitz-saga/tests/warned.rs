//! Who is warned of what. Alone in its binary: which events are wanted is remembered by the whole process, and a thread
//! that wants none, of another test, could have that remembered for this one.

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ticketblitz_saga::{Reconciled, Retry, Saga, Status, StepError};
use world::{Running, SOON, World, apply, until};

/// Counts the warnings and errors of the thread that it is the default of.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicU32>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, of: &tracing::Metadata<'_>) -> bool {
        *of.level() <= tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn an_outcome_that_is_not_there_yet_is_waited_for_and_nobody_is_warned() {
    for (waits, warned) in [(true, 0), (false, 2)] {
        let warnings = Warnings::default();
        let _counted = tracing::subscriber::set_default(warnings.clone());
        let step = Saga::<u32>::named("order")
            .step("charge", |_| async { Err::<u32, _>(StepError::Unknown("the reply was lost".into())) });
        // The 4th and the 8th failure in a row are worth a warning.
        let step = step.backoff(SOON).reconcile(move |run| async move {
            match run.failures {
                8.. => Ok(Reconciled::Happened(run.state)),
                _ if waits => Ok(Reconciled::NotYet("it is under way".to_owned())),
                _ => Err(Retry("the books are closed".to_owned())),
            }
        });
        let world = World::new().await;
        let engine = world.engine().register(step.build()).build().await.expect("builds");
        let handle = engine.handle("order");
        let _running = Running::begin(&engine);
        apply!(world, handle.start("1", &0_u32));
        until(&engine, "1", Status::Completed).await;
        assert_eq!(warnings.0.load(Ordering::SeqCst), warned, "waits: {waits}");
    }
}
