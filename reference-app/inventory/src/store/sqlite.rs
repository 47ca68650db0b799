//! The inventory in SQLite.

pub(crate) mod audit;
mod claims;
mod events;
mod rows;

use async_trait::async_trait;
use contract::inventory::InventoryEvent;
use platform::read_apart;
use ticketblitz_core::sqlite::{self, Sqlite};
use ticketblitz_core::{BookingId, EventId, Timestamp};
use ticketblitz_lock::{EventSnapshot, EventTag, HoldId};

use super::{Begin, Claim, Error, Sale, Store};

/// The inventory in a SQLite file that was migrated before.
#[derive(Debug, Clone)]
pub(crate) struct SqliteStore {
    db: Sqlite,
}

impl SqliteStore {
    pub(crate) fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn put_event(&self, id: EventId, event: InventoryEvent, now: Timestamp) -> Result<bool, Error> {
        self.db.write(move |conn| Box::pin(async move { events::put(conn, id, &event, now).await })).await
    }

    async fn close_event(&self, id: EventId) -> Result<(), Error> {
        self.db.write(move |conn| Box::pin(async move { events::close(conn, id).await })).await
    }

    async fn event(&self, id: EventId) -> Result<Option<(InventoryEvent, bool)>, Error> {
        let db = self.db.clone();
        read_apart(async move {
            let mut read = db.readers().begin()?;
            events::read(&mut read, id).await
        })
        .await
    }

    async fn events_tagged(&self, tag: EventTag) -> Result<Vec<EventId>, Error> {
        let tagged = sqlite::query_scalar("SELECT id FROM events WHERE tag = $1").bind(tag.as_u32());
        Ok(tagged.fetch_all(self.db.readers()).await?)
    }

    async fn open_events(&self, now: Timestamp) -> Result<Vec<EventId>, Error> {
        let open =
            sqlite::query_scalar("SELECT id FROM events WHERE closed = 0 AND sales_end > $1").bind(now);
        Ok(open.fetch_all(self.db.readers()).await?)
    }

    async fn begin_payment(&self, begin: Begin) -> Result<Claim, Error> {
        self.db.write(move |conn| Box::pin(async move { claims::begin(conn, begin).await })).await
    }

    async fn claim_on(&self, hold: HoldId) -> Result<Option<Claim>, Error> {
        let mut read = self.db.readers().acquire()?;
        rows::claim_on(&mut read, hold).await
    }

    async fn claim_of(&self, booking: BookingId) -> Result<Option<Claim>, Error> {
        let mut read = self.db.readers().acquire()?;
        rows::claim_of(&mut read, booking).await
    }

    async fn sell(&self, booking: BookingId, now: Timestamp) -> Result<Sale, Error> {
        self.db.write(move |conn| Box::pin(async move { claims::sell(conn, booking, now).await })).await
    }

    async fn release(&self, booking: BookingId, now: Timestamp) -> Result<Option<Claim>, Error> {
        self.db.write(move |conn| Box::pin(async move { claims::release(conn, booking, now).await })).await
    }

    async fn reopen(&self, booking: BookingId, now: Timestamp) -> Result<Option<Claim>, Error> {
        self.db.write(move |conn| Box::pin(async move { claims::reopen(conn, booking, now).await })).await
    }

    async fn snapshot(&self, event: EventId, now: Timestamp) -> Result<Option<EventSnapshot>, Error> {
        let db = self.db.clone();
        read_apart(async move {
            // One transaction, so that fence, areas and claims are of one moment.
            let mut read = db.readers().begin()?;
            events::snapshot(&mut read, event, now).await
        })
        .await
    }

    async fn lapse(&self, now: Timestamp) -> Result<Vec<Claim>, Error> {
        let due = sqlite::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM claims WHERE state = 'PAYING' AND until <= $1)",
        );
        let due: bool = due.bind(now).fetch_one(self.db.readers()).await?;
        if !due {
            return Ok(Vec::new()); // the sweeper looks every second: most of the time there is nothing to write
        }
        self.db.write(move |conn| Box::pin(async move { claims::lapse(conn, now).await })).await
    }

    async fn forget_voided(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        self.db.write(move |conn| Box::pin(claims::forget_voided(conn, before, limit))).await
    }
}
