//! What was read, for as long as it is true.
//!
//! A commit of this process makes what was read before it stale by raising a number. Whoever reads takes the number
//! first, so that what a slow read brings back from before a commit is never served after it. Other processes'
//! commits are noticed when the entry expires.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ticketblitz_core::EventId;

use crate::domain::Record;
use crate::store::{Error, Query};

const FRESH: Duration = Duration::from_secs(2);
const STRIPES: usize = 256;
/// Sections and seats of the events in memory.
const CACHED_PLACES: u64 = 2_000_000;
const CACHED_BYTES: u64 = 64 * 1_024 * 1_024;

/// A layout as it is sent.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) json: String,
    /// The value of `ETag`, with its quotes.
    pub(crate) tag: String,
}

#[derive(Debug)]
pub(super) struct Cache {
    events: moka::future::Cache<EventId, (u64, Arc<Record>)>,
    lists: moka::future::Cache<(u64, Query), Arc<Vec<Record>>>,
    layouts: moka::future::Cache<(EventId, u64), Arc<Rendered>>,
    event_changes: Vec<AtomicU64>,
    list_changes: AtomicU64,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            events: moka::future::Cache::builder()
                .time_to_live(FRESH)
                .max_capacity(CACHED_PLACES)
                .weigher(|_, (_, record): &(u64, Arc<Record>)| weight(record))
                .build(),
            lists: moka::future::Cache::builder()
                .time_to_live(FRESH)
                .max_capacity(CACHED_PLACES)
                .weigher(|_, list: &Arc<Vec<Record>>| list.iter().map(weight).fold(1, u32::saturating_add))
                .build(),
            layouts: moka::future::Cache::builder()
                .max_capacity(CACHED_BYTES)
                .weigher(|_, layout: &Arc<Rendered>| u32::try_from(layout.json.len()).unwrap_or(u32::MAX))
                .build(),
            event_changes: std::iter::repeat_with(AtomicU64::default).take(STRIPES).collect(),
            list_changes: AtomicU64::default(),
        }
    }
}

impl Cache {
    /// Something about the event was committed.
    pub(super) fn changed(&self, id: EventId) {
        self.event_changes[stripe(id, STRIPES)].fetch_add(1, Ordering::SeqCst);
        self.list_changes.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) async fn event(
        &self,
        id: EventId,
        read: impl Future<Output = Result<Option<Record>, Error>>,
    ) -> Result<Option<Arc<Record>>, Error> {
        let change = self.event_changes[stripe(id, STRIPES)].load(Ordering::SeqCst);
        if let Some((of, record)) = self.events.get(&id).await
            && of == change
        {
            return Ok(Some(record));
        }
        let Some(record) = read.await?.map(Arc::new) else { return Ok(None) };
        self.events.insert(id, (change, Arc::clone(&record))).await;
        Ok(Some(record))
    }

    pub(super) async fn list(
        &self,
        query: &Query,
        read: impl Future<Output = Result<Vec<Record>, Error>>,
    ) -> Result<Arc<Vec<Record>>, Error> {
        let key = (self.list_changes.load(Ordering::SeqCst), query.clone());
        if let Some(list) = self.lists.get(&key).await {
            return Ok(list);
        }
        let list = Arc::new(read.await?);
        self.lists.insert(key, Arc::clone(&list)).await;
        Ok(list)
    }

    /// A version's layout never changes, so it stays as long as there is room.
    pub(super) async fn layout(&self, record: &Record) -> Arc<Rendered> {
        self.layouts
            .get_with((record.id, record.version), async {
                let json = serde_json::to_string(&record.layout()).expect("a layout is JSON");
                let digest = Sha256::digest(&json);
                let tag = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
                Arc::new(Rendered { json, tag: format!("\"{tag}\"") })
            })
            .await
    }
}

fn weight(record: &Record) -> u32 {
    record
        .spec
        .sections
        .iter()
        .map(|section| match &section.places {
            contract::event::Places::Seats(seats) => u32::try_from(seats.len()).unwrap_or(u32::MAX),
            contract::event::Places::Capacity(_) => 1,
        })
        .fold(1, u32::saturating_add)
}

/// The low bits of an id are random.
pub(super) fn stripe(id: EventId, stripes: usize) -> usize {
    let bytes = id.as_uuid().into_bytes();
    usize::from(u16::from_be_bytes([bytes[14], bytes[15]])) % stripes
}
