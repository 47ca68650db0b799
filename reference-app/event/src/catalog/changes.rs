//! Changes of an event that is sold already: the inventory learns them first.
//!
//! What is about to be done is kept before and gone with the commit that ends it, so that a crash between the inventory's
//! commit and this service's, or an answer that was lost, leaves no event that shows another layout than is sold.

use std::sync::Arc;

use contract::event::EventRequest;
use contract::events::{EVENT_CANCELLED, EVENT_CHANGED, EventCancelled, EventChanged};
use platform::ClientError;
use platform::auth::Caller;
use ticketblitz_core::EventId;

use super::{Catalog, message};
use crate::domain::{self, Phase, Record, Spec};
use crate::error::Error;
use crate::store::Intent;

impl Catalog {
    pub(crate) async fn change(
        &self,
        caller: &Caller,
        id: EventId,
        request: &EventRequest,
    ) -> Result<Record, Error> {
        let _alone = self.alone(id).await;
        self.settle(id).await?;
        let stored = self.theirs(caller, id).await?;
        let now = self.clock.now();
        let spec = domain::check(request, now, Some(stored.spec.starts_at)).map_err(Error::Invalid)?;
        if stored.phase == Phase::Cancelled {
            return Err(Error::Cancelled);
        }
        // Nor can sales that have opened be closed to change what was fixed.
        if stored.spec.sales_opened(now) && !(spec.sales_opened(now) && spec.sells_alike(&stored.spec)) {
            return Err(Error::OnSale);
        }
        let spec = Arc::new(spec);
        self.store.intend(id, Intent::Change(Arc::clone(&spec))).await?;
        let done = self.carry_out(stored, spec).await;
        self.ended(id, done).await
    }

    /// Closes the event in the inventory, then cancels it. Cancelled before: the same answer.
    pub(crate) async fn cancel(&self, caller: &Caller, id: EventId) -> Result<(), Error> {
        let _alone = self.alone(id).await;
        self.settle(id).await?;
        let stored = self.theirs(caller, id).await?;
        if stored.phase == Phase::Cancelled {
            return Ok(());
        }
        self.store.intend(id, Intent::Cancel).await?;
        let done = self.close(&stored).await;
        self.ended(id, done).await
    }

    /// Does what was left half done, of every event that something was.
    ///
    /// # Errors
    /// The first one; what it is about, and what comes after, is tried all the same.
    pub(crate) async fn settle_all(&self) -> Result<(), Error> {
        let mut first = Ok(());
        for id in self.store.intended().await? {
            let _alone = self.alone(id).await;
            first = first.and(self.settle(id).await);
        }
        first
    }

    /// Returns when a change may have been left half done.
    pub(crate) async fn left_half_done(&self) {
        self.half_done.notified().await;
    }

    async fn carry_out(&self, stored: Record, spec: Arc<Spec>) -> Result<Record, Error> {
        let (id, version) = (stored.id, stored.version);
        self.inventory.put_event(id, &spec.for_inventory()).await?;
        let changed = Record { spec, version: version + 1, ..stored };
        let now = self.clock.now();
        let data = EventChanged { event: changed.event(now) };
        let told = message(EVENT_CHANGED, id, changed.version, &data, now);
        let updated = self.store.update(id, version, Arc::clone(&changed.spec), told).await?;
        self.cache.changed(id);
        // Whoever changes or cancels it waits for us, so only another process can have come between.
        if updated { Ok(changed) } else { Err(Error::Cancelled) }
    }

    async fn close(&self, stored: &Record) -> Result<(), Error> {
        let id = stored.id;
        self.inventory.close_event(id).await?;
        let data = EventCancelled { event_id: id };
        let told = message(EVENT_CANCELLED, id, stored.version + 1, &data, self.clock.now());
        self.store.cancel(id, told).await?;
        self.cache.changed(id);
        Ok(())
    }

    /// How a first try ended. What the inventory has not done is as if it had never been asked for; what it has, or may
    /// have, is done here too, soon.
    async fn ended<T>(&self, id: EventId, done: Result<T, Error>) -> Result<T, Error> {
        match &done {
            Ok(_) => {}
            Err(Error::Store(_) | Error::Inventory(ClientError::OutcomeUnknown { .. })) => {
                self.half_done.notify_one();
            }
            Err(_) => {
                if let Err(error) = self.store.forget_intent(id).await {
                    tracing::warn!(event = %id, %error, "a change that was refused is tried again");
                    self.half_done.notify_one();
                }
            }
        }
        done
    }

    /// Does what was left half done of an event. The caller is alone with it.
    async fn settle(&self, id: EventId) -> Result<(), Error> {
        let Some(intent) = self.store.intent(id).await? else { return Ok(()) };
        let stored = self.store.get(id).await?.filter(|stored| stored.phase != Phase::Cancelled);
        let done = match (stored, intent) {
            (Some(stored), Intent::Change(spec)) => self.carry_out(stored, spec).await.map(drop),
            (Some(stored), Intent::Cancel) => self.close(&stored).await,
            (None, _) => return Ok(self.store.forget_intent(id).await?),
        };
        match done {
            // It never came there, and sales have opened since.
            Err(Error::Inventory(ClientError::Problem(problem))) if problem.status().is_client_error() => {
                tracing::warn!(event = %id, %problem, "a change that was cut off came too late");
                Ok(self.store.forget_intent(id).await?)
            }
            Ok(()) => {
                tracing::info!(event = %id, "a change that was left half done is done");
                Ok(())
            }
            failed => failed,
        }
    }
}
