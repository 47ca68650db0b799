//! The catalog: reads from a cache, and changes that the inventory learns first.

mod cache;
mod changes;
mod shown;

use std::sync::Arc;

use bytes::Bytes;
use contract::InventoryClient;
use contract::event::EventRequest;
use contract::events::{EVENT_CREATED, EventChanged};
use platform::auth::{Caller, Role};
use platform::{Stripes, bus};
use ticketblitz_core::{Clock, Envelope, EventId, Timestamp};
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::domain::{self, Phase, Record};
use crate::error::Error;
use crate::store::{self, Counted, Query, Store};
use cache::Cache;
pub(crate) use shown::Shown;

/// Changes of events that share a stripe wait for each other.
const STRIPES: usize = 32;

#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    inventory: InventoryClient,
    cache: Cache,
    /// Two changes of one event at once would reach inventory and store in two orders.
    changing: Stripes<Mutex<()>>,
    /// A change may have come to the inventory and not to the store.
    half_done: Notify,
}

impl Catalog {
    pub(crate) fn new(store: Arc<dyn Store>, inventory: InventoryClient, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            inventory,
            cache: Cache::default(),
            changing: Stripes::new(STRIPES),
            half_done: Notify::new(),
        }
    }

    pub(crate) async fn get(&self, id: EventId) -> Result<Arc<Shown>, Error> {
        self.cache.event(id, self.store.state(id), self.store.get(id)).await?.ok_or(Error::NotFound)
    }

    pub(crate) async fn list(&self, query: Query) -> Result<Arc<Vec<Arc<Shown>>>, Error> {
        let now = self.clock.now();
        let states = self.store.states(query.clone(), now);
        let whole = self.store.list(query.clone(), now);
        Ok(self.cache.list(&query, states, whole).await?)
    }

    /// The event as it is sent.
    pub(crate) async fn answer(&self, id: EventId) -> Result<Bytes, Error> {
        let shown = self.get(id).await?;
        Ok(self.cache.answer(&shown, self.clock.now()).await)
    }

    pub(crate) async fn create(&self, caller: &Caller, request: &EventRequest) -> Result<Record, Error> {
        let spec = domain::check(request, self.clock.now(), None).map_err(Error::Invalid)?;
        let draft = Record::draft(Some(caller.user), spec, Phase::Draft);
        self.store.keep_draft(draft.clone()).await?;
        match self.inventory.put_event(draft.id, &draft.spec.for_inventory()).await {
            Ok(()) => self.publish(draft).await,
            Err(error) => {
                // Not answered for, so it must not appear later beside the organizer's next try.
                self.store.discard(draft.id).await?;
                Err(error.into())
            }
        }
    }

    /// Shows a draft that the inventory knows.
    async fn publish(&self, draft: Record) -> Result<Record, Error> {
        let published = Record { phase: Phase::Published, ..draft };
        let now = self.clock.now();
        let data = EventChanged { event: published.event(now) };
        let created = message(EVENT_CREATED, published.id, published.version, &data, now);
        self.store.publish(published.id, created).await?;
        self.cache.changed(published.id);
        Ok(published)
    }

    /// Tells the inventory of a sample event, then shows it.
    pub(crate) async fn publish_sample(&self, draft: Record) -> Result<(), Error> {
        self.inventory.put_event(draft.id, &draft.spec.for_inventory()).await?;
        self.publish(draft).await?;
        Ok(())
    }

    /// Counts what happened to a booking.
    pub(crate) async fn count(&self, counted: Counted) -> Result<(), store::Error> {
        self.store.count(counted).await?;
        self.cache.changed(counted.event);
        Ok(())
    }

    /// The event as it is stored, if the caller may change it.
    async fn theirs(&self, caller: &Caller, id: EventId) -> Result<Record, Error> {
        let stored = self.store.get(id).await?.ok_or(Error::NotFound)?;
        if caller.role == Role::Admin || stored.organizer == Some(caller.user) {
            Ok(stored)
        } else {
            Err(Error::NotTheirs)
        }
    }

    async fn alone(&self, id: EventId) -> MutexGuard<'_, ()> {
        self.changing.of(id).lock().await
    }
}

fn message(kind: &str, id: EventId, version: u64, data: &impl serde::Serialize, now: Timestamp) -> Envelope {
    bus::event(kind, id.to_string(), version, data, now)
}
