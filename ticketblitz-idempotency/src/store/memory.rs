//! Keys in this process's memory: gone with it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::{Clock, Timestamp};

use super::record::{Record, spans};
use super::{Claim, ClaimRequest, Finished, IdempotencyStore, Lease, RETENTION};
use crate::{Error, Key, Scope, StoredResponse};

/// Keys past their retention that each claim deletes: more than it adds, so that the map cannot outgrow what
/// is within the retention.
const SWEPT_PER_CLAIM: u32 = 2;

/// Keeps keys in memory, for tests and for operations that need not survive a restart. Clones share the keys.
///
/// ```
/// # use std::sync::Arc;
/// use ticketblitz_core::SystemClock;
/// use ticketblitz_idempotency::{Keys, MemoryStore};
/// let keys = Keys::new(MemoryStore::new(Arc::new(SystemClock)));
/// ```
#[derive(Debug, Clone)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    retention: Duration,
    keys: Arc<Mutex<Table>>,
}

type Name = (Scope, Key);

#[derive(Debug, Default)]
struct Table {
    records: HashMap<Name, Record>,
    /// The same keys by age.
    by_age: BTreeSet<(Timestamp, Name)>,
    last: u64,
}

impl MemoryStore {
    /// An empty store that reads the time from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, retention: RETENTION, keys: Arc::default() }
    }

    /// Remembers keys for `retention` instead of a day.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// A std mutex: held for a few map operations, never across an await.
    fn table(&self) -> MutexGuard<'_, Table> {
        // No operation leaves the table half changed, so a panic elsewhere does not spoil it.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn put(&mut self, name: Name, record: Record) {
        self.by_age.insert((record.kept_until, name.clone()));
        if let Some(old) = self.records.insert(name.clone(), record)
            && self.records[&name].kept_until != old.kept_until
        {
            self.by_age.remove(&(old.kept_until, name));
        }
    }

    fn remove(&mut self, name: &Name) {
        if let Some(old) = self.records.remove(name) {
            self.by_age.remove(&(old.kept_until, name.clone()));
        }
    }

    /// The record that `lease` may write to.
    fn leased(&self, name: &Name, lease: &Lease) -> Option<&Record> {
        self.records.get(name).filter(|r| r.sequence == lease.sequence() && r.response.is_none())
    }

    fn purge(&mut self, now: Timestamp, limit: u32) -> u64 {
        for purged in 0..limit {
            match self.by_age.first() {
                Some((kept_until, name)) if *kept_until <= now => {
                    let name = name.clone();
                    self.remove(&name);
                }
                _ => return purged.into(),
            }
        }
        limit.into()
    }
}

fn name(request: &ClaimRequest) -> Name {
    (request.scope.clone(), request.key.clone())
}

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, Error> {
        let name = name(request);
        let mut table = self.table();
        let now = self.clock.now();
        table.purge(now, SWEPT_PER_CLAIM);
        if let Some(answer) = table.records.get(&name).and_then(|r| r.answer(&request.fingerprint, now)) {
            return Ok(answer);
        }
        table.last += 1;
        let sequence = table.last;
        let (leased_until, kept_until) = spans(now, request.lease, self.retention);
        let fingerprint = request.fingerprint;
        table.put(name, Record { sequence, fingerprint, leased_until, kept_until, response: None });
        Ok(Claim::Execute(Lease::new(request, sequence)))
    }

    async fn renew(&self, lease: &Lease) -> Result<(), Error> {
        let name = name(lease.claim());
        let mut table = self.table();
        let mut record = table.leased(&name, lease).cloned().ok_or(Error::Superseded)?;
        (record.leased_until, record.kept_until) =
            spans(self.clock.now(), lease.claim().lease, self.retention);
        table.put(name, record);
        Ok(())
    }

    async fn finish(&self, lease: &Lease, response: &StoredResponse) -> Result<Finished, Error> {
        let name = name(lease.claim());
        let mut table = self.table();
        let leased = table.leased(&name, lease).is_some();
        let record = table.records.get_mut(&name).ok_or(Error::Superseded)?;
        if !leased {
            return record.clone().late(&lease.claim().fingerprint);
        }
        record.response = Some(response.clone());
        Ok(Finished::Stored)
    }

    async fn release(&self, lease: &Lease) -> Result<(), Error> {
        let name = name(lease.claim());
        let mut table = self.table();
        if table.leased(&name, lease).is_some() {
            table.remove(&name);
        }
        Ok(())
    }

    async fn purge(&self, limit: u32) -> Result<u64, Error> {
        let now = self.clock.now();
        Ok(self.table().purge(now, limit))
    }
}
