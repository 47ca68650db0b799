//! What was read, for as long as it is true.
//!
//! A commit of this process makes what was read before it stale by raising a number. Whoever reads takes the number
//! first, so that what a slow read brings back from before a commit is never served after it. Other processes'
//! commits are noticed when the entry expires.
//!
//! What a version says, its layout above all, is read once: after a booking was counted only the state is read anew.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use contract::event::EventStatus;
use platform::Stripes;
use ticketblitz_core::{EventId, Timestamp};

use super::shown::Shown;
use crate::domain::{Record, State};
use crate::store::{Error, Query};

const FRESH: Duration = Duration::from_secs(2);
const STRIPES: usize = 256;
/// Sections and seats of the events in memory.
const CACHED_PLACES: u64 = 2_000_000;
const CACHED_BYTES: u64 = 64 * 1_024 * 1_024;

#[derive(Debug)]
pub(super) struct Cache {
    events: moka::future::Cache<EventId, (u64, Arc<Shown>)>,
    lists: moka::future::Cache<(u64, Query), Arc<Vec<Arc<Shown>>>>,
    /// Each event as it was last read whole. Its state may be old; whether its version is, the state says.
    versions: moka::future::Cache<EventId, Arc<Shown>>,
    /// Events as they are sent, by all that may differ in it.
    answers: moka::future::Cache<(EventId, u64, u32, EventStatus), Bytes>,
    event_changes: Stripes<AtomicU64>,
    list_changes: AtomicU64,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            events: moka::future::Cache::builder()
                .time_to_live(FRESH)
                .max_capacity(CACHED_PLACES)
                .weigher(|_, (_, shown): &(u64, Arc<Shown>)| weight(&shown.record))
                .build(),
            lists: moka::future::Cache::builder()
                .time_to_live(FRESH)
                .max_capacity(CACHED_PLACES)
                .weigher(|_, list: &Arc<Vec<Arc<Shown>>>| {
                    list.iter().map(|shown| weight(&shown.record)).fold(1, u32::saturating_add)
                })
                .build(),
            versions: moka::future::Cache::builder()
                .max_capacity(CACHED_PLACES)
                .weigher(|_, shown: &Arc<Shown>| weight(&shown.record))
                .build(),
            answers: moka::future::Cache::builder()
                .time_to_live(FRESH)
                .max_capacity(CACHED_BYTES)
                .weigher(|_, answer: &Bytes| u32::try_from(answer.len()).unwrap_or(u32::MAX))
                .build(),
            event_changes: Stripes::new(STRIPES),
            list_changes: AtomicU64::default(),
        }
    }
}

impl Cache {
    /// Something about the event was committed.
    pub(super) fn changed(&self, id: EventId) {
        self.event_changes.of(id).fetch_add(1, Ordering::SeqCst);
        self.list_changes.fetch_add(1, Ordering::SeqCst);
    }

    /// The event; where its version is known, only its state is read.
    pub(super) async fn event(
        &self,
        id: EventId,
        state: impl Future<Output = Result<Option<State>, Error>>,
        whole: impl Future<Output = Result<Option<Record>, Error>>,
    ) -> Result<Option<Arc<Shown>>, Error> {
        let change = self.event_changes.of(id).load(Ordering::SeqCst);
        if let Some((of, shown)) = self.events.get(&id).await
            && of == change
        {
            return Ok(Some(shown));
        }
        let mut shown = None;
        if self.versions.contains_key(&id) {
            let Some(state) = state.await? else { return Ok(None) };
            shown = self.known(state).await;
        }
        let shown = match shown {
            Some(shown) => shown,
            None => {
                let Some(record) = whole.await? else { return Ok(None) };
                self.keep(record).await
            }
        };
        self.events.insert(id, (change, Arc::clone(&shown))).await;
        Ok(Some(shown))
    }

    /// The list; where the versions of all its events are known, only their states are read.
    pub(super) async fn list(
        &self,
        query: &Query,
        states: impl Future<Output = Result<Vec<State>, Error>>,
        whole: impl Future<Output = Result<Vec<Record>, Error>>,
    ) -> Result<Arc<Vec<Arc<Shown>>>, Error> {
        let key = (self.list_changes.load(Ordering::SeqCst), query.clone());
        if let Some(list) = self.lists.get(&key).await {
            return Ok(list);
        }
        let list = match self.all_known(states.await?).await {
            Some(list) => list,
            // Read again as of one moment, not one by one.
            None => {
                let mut list = Vec::new();
                for record in whole.await? {
                    list.push(self.keep(record).await);
                }
                list
            }
        };
        let list = Arc::new(list);
        self.lists.insert(key, Arc::clone(&list)).await;
        Ok(list)
    }

    /// The event as it is sent: the key is all that may differ in it.
    pub(super) async fn answer(&self, shown: &Shown, now: Timestamp) -> Bytes {
        let record = &shown.record;
        let key = (record.id, record.version, record.taken, record.status(now));
        let render = async { serde_json::to_vec(&shown.event(now)).expect("an event is JSON").into() };
        self.answers.get_with(key, render).await
    }

    /// The event in this state, if its version was read before.
    async fn known(&self, state: State) -> Option<Arc<Shown>> {
        self.versions.get(&state.id).await?.at(state).map(Arc::new)
    }

    async fn all_known(&self, states: Vec<State>) -> Option<Vec<Arc<Shown>>> {
        let mut list = Vec::with_capacity(states.len());
        for state in states {
            list.push(self.known(state).await?);
        }
        Some(list)
    }

    async fn keep(&self, record: Record) -> Arc<Shown> {
        if let Some(known) = self.known(record.state()).await {
            return known;
        }
        let shown = Arc::new(Shown::new(record));
        self.versions.insert(shown.record.id, Arc::clone(&shown)).await;
        shown
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Phase, check, tests::good};

    fn record() -> Record {
        let now = "2026-06-01T10:00:00Z".parse().expect("a moment");
        Record::draft(None, check(&good(), now, None).expect("good"), Phase::Published)
    }

    async fn not_read<T>() -> Result<T, Error> {
        panic!("it is known already")
    }

    /// What `now` is once the commit is over, however slowly what was before it is read.
    async fn taken(cache: &Cache, now: &Record) -> u32 {
        let (state, whole) = (async { Ok(Some(now.state())) }, async { Ok(Some(now.clone())) });
        cache.event(now.id, state, whole).await.expect("read").expect("known").record.taken
    }

    #[tokio::test]
    async fn what_was_read_before_a_commit_is_not_served_after_it() {
        let (cache, before) = (Cache::default(), record());
        let (id, committed) = (before.id, Record { taken: 1, ..before.clone() });
        // Both ends of a commit fall between what is read and its return.
        let slow = async {
            cache.changed(id);
            Ok(Some(before.clone()))
        };
        cache.event(id, not_read(), slow).await.expect("read");
        assert_eq!(taken(&cache, &committed).await, 1);
        let slow = async {
            cache.changed(id);
            Ok(Some(committed.state()))
        };
        cache.changed(id);
        cache.event(id, slow, not_read()).await.expect("read");
        assert_eq!(taken(&cache, &Record { taken: 2, ..committed }).await, 2);
    }

    #[tokio::test]
    async fn a_list_that_was_read_before_a_commit_is_not_served_after_it() {
        let (cache, before) = (Cache::default(), record());
        let (query, committed) = (Query::default(), Record { taken: 1, ..before.clone() });
        let slow = async {
            cache.changed(before.id);
            Ok(vec![before.clone()])
        };
        cache.list(&query, async { Ok(vec![before.state()]) }, slow).await.expect("read");
        for _ in 0..2 {
            let list =
                cache.list(&query, async { Ok(vec![committed.state()]) }, not_read()).await.expect("read");
            assert_eq!(list[0].record.taken, 1);
        }
    }

    #[tokio::test]
    async fn a_version_that_comes_late_replaces_no_newer_one() {
        let (cache, old) = (Cache::default(), record());
        let spec = crate::domain::Spec { name: "Newer".to_owned(), ..(*old.spec).clone() };
        let new = Record { version: 2, spec: Arc::new(spec), ..old.clone() };
        for record in [&new, &old] {
            cache.keep(record.clone()).await;
        }
        cache.changed(new.id);
        let (state, whole) = (async { Ok(Some(new.state())) }, async { Ok(Some(new.clone())) });
        let shown = cache.event(new.id, state, whole).await.expect("read").expect("known");
        assert_eq!(shown.record.spec.name, "Newer");
    }
}
