//! Keys in a SQLite database, the one in which the operations themselves are kept.

mod finish;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ticketblitz_core::sqlite::{self, Sqlite, SqliteConnection};
use ticketblitz_core::{Clock, Timestamp};

pub use finish::Finish;

use super::record::{Record, spans};
use super::{Claim, ClaimRequest, Finished, IdempotencyStore, Lease, RETENTION};
use crate::response::codec;
use crate::{Error, Fingerprint, StoredResponse};

/// Keys past their retention that each new key deletes: more than it adds, so that the table cannot outgrow
/// what is within the retention, and no key pays for a large purge.
const SWEPT_PER_KEY: u32 = 2;

/// What makes each version of the table of the one before. Never changed once released.
const VERSIONS: [&str; 1] = [include_str!("schema.sql")];

/// Makes the table `idempotency_keys` in `db`, or brings that of an earlier version up to date. It counts its versions
/// for itself ([`Sqlite::bring_up`]), so that it goes along with whatever the application uses.
///
/// # Errors
/// [`Error::Backend`] if the table is of a later version than this one, or the database refuses.
pub async fn setup(db: &Sqlite) -> Result<(), Error> {
    Ok(db.bring_up("ticketblitz-idempotency", &VERSIONS).await?)
}

/// Keeps keys in a SQLite database. Call [`setup`] once before.
///
/// A replay reads and commits nothing. A first execution costs two commits, shared with whoever else writes at
/// that moment, or one if the answer goes into the operation's own transaction: see [`Finish`].
#[derive(Debug, Clone)]
pub struct SqliteStore {
    db: Sqlite,
    clock: Arc<dyn Clock>,
    retention: Duration,
}

impl SqliteStore {
    /// The keys in `db`, with the time from `clock`.
    #[must_use]
    pub fn new(db: Sqlite, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock, retention: RETENTION }
    }

    /// Remembers keys for `retention` instead of a day.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Ends every lease that a previous process has left behind, so that a retry runs at once instead of when
    /// the lease expires. Answers how many there were.
    ///
    /// Only for a sole owner of the database, and only before it serves: a lease that is ended while somebody
    /// executes under it lets the operation run twice.
    ///
    /// # Errors
    /// [`Error::Backend`] if the database refuses.
    pub async fn take_over(&self) -> Result<u64, Error> {
        let now = self.clock.now();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let ended = sqlite::query(
                        "UPDATE idempotency_keys SET leased_until = $1 WHERE status IS NULL AND leased_until > $1",
                    )
                    .bind(now)
                    .execute(conn)
                    .await?;
                    Ok(ended)
                })
            })
            .await
    }
}

type Row = (i64, Vec<u8>, Timestamp, Timestamp, Option<u16>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Why a row is not what this crate wrote.
#[derive(Debug, thiserror::Error)]
#[error("the row of an idempotency key is damaged")]
struct Damaged;

async fn find(executor: impl sqlite::Executor, request: &ClaimRequest) -> Result<Option<Record>, Error> {
    let row: Option<Row> = sqlite::query_as(
        "SELECT sequence, fingerprint, leased_until, kept_until, status, headers, body
         FROM idempotency_keys WHERE scope = $1 AND key = $2",
    )
    .bind(request.scope.as_str())
    .bind(request.key.as_str())
    .fetch_optional(executor)
    .await?;
    row.map(|row| record(row).ok_or_else(|| Error::backend(Damaged))).transpose()
}

fn record((sequence, fingerprint, leased_until, kept_until, status, headers, body): Row) -> Option<Record> {
    let response = match (status, headers, body) {
        (Some(status), Some(headers), Some(body)) => {
            Some(StoredResponse { status, headers: codec::decode(&headers)?, body })
        }
        (None, ..) => None,
        _ => return None,
    };
    Some(Record {
        sequence: u64::try_from(sequence).ok()?,
        fingerprint: Fingerprint::from_bytes(fingerprint.try_into().ok()?),
        leased_until,
        kept_until,
        response,
    })
}

async fn insert(
    conn: &mut SqliteConnection,
    request: &ClaimRequest,
    now: Timestamp,
    retention: Duration,
) -> Result<Claim, Error> {
    let (leased_until, kept_until) = spans(now, request.lease, retention);
    // OR REPLACE: an abandoned row goes and a new one with a higher sequence comes.
    sqlite::query(
        "INSERT OR REPLACE INTO idempotency_keys (scope, key, fingerprint, leased_until, kept_until)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(request.scope.as_str())
    .bind(request.key.as_str())
    .bind(request.fingerprint.as_bytes().as_slice())
    .bind(leased_until)
    .bind(kept_until)
    .execute(&mut *conn)
    .await?;
    // RETURNING would keep it in a table of its own meanwhile.
    let sequence: i64 = sqlite::query_scalar("SELECT last_insert_rowid()").fetch_one(conn).await?;
    Ok(Claim::Execute(Lease::new(request, u64::try_from(sequence).map_err(Error::backend)?)))
}

async fn sweep(conn: &mut SqliteConnection, now: Timestamp, limit: u32) -> Result<u64, Error> {
    // Mostly there is none, and this costs a fraction of the other.
    let any = "SELECT EXISTS (SELECT 1 FROM idempotency_keys WHERE kept_until <= $1)";
    if !sqlite::query_scalar(any).bind(now).fetch_one(&mut *conn).await? {
        return Ok(0);
    }
    let swept = sqlite::query(
        "DELETE FROM idempotency_keys WHERE sequence IN
         (SELECT sequence FROM idempotency_keys WHERE kept_until <= $1 ORDER BY kept_until LIMIT $2)",
    )
    .bind(now)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(swept)
}

/// Runs a statement on the row that `lease` may still write to; `$1` to `$3` name it. Says whether there is one.
async fn on_leased(
    conn: &mut SqliteConnection,
    statement: &str,
    lease: &Lease,
    bind: impl FnOnce(sqlite::Query) -> sqlite::Query + Send,
) -> Result<bool, Error> {
    let sequence = i64::try_from(lease.sequence()).map_err(Error::backend)?;
    let named = format!("{statement} WHERE sequence = $1 AND scope = $2 AND key = $3 AND status IS NULL");
    let query = sqlite::query(named)
        .bind(sequence)
        .bind(lease.claim().scope.as_str())
        .bind(lease.claim().key.as_str());
    Ok(bind(query).execute(conn).await? > 0)
}

#[async_trait]
impl IdempotencyStore for SqliteStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, Error> {
        // Most claims that do not execute are settled by what is committed, without waiting for a commit.
        let known = find(self.db.readers(), request).await?;
        if let Some(answer) = known.and_then(|r| r.answer(&request.fingerprint, self.clock.now())) {
            return Ok(answer);
        }
        let (request, clock, retention) = (request.clone(), Arc::clone(&self.clock), self.retention);
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let now = clock.now();
                    let known = find(&mut *conn, &request).await?;
                    if let Some(answer) = known.and_then(|r| r.answer(&request.fingerprint, now)) {
                        return Ok(answer);
                    }
                    sweep(&mut *conn, now, SWEPT_PER_KEY).await?;
                    insert(conn, &request, now, retention).await
                })
            })
            .await
    }

    async fn renew(&self, lease: &Lease) -> Result<(), Error> {
        let (lease, clock, retention) = (lease.clone(), Arc::clone(&self.clock), self.retention);
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let (leased_until, kept_until) = spans(clock.now(), lease.claim().lease, retention);
                    let statement = "UPDATE idempotency_keys SET leased_until = $4, kept_until = $5";
                    let renewed =
                        on_leased(conn, statement, &lease, |query| query.bind(leased_until).bind(kept_until));
                    if renewed.await? { Ok(()) } else { Err(Error::Superseded) }
                })
            })
            .await
    }

    async fn finish(&self, lease: &Lease, response: &StoredResponse) -> Result<Finished, Error> {
        let lease = lease.clone();
        let finish = Finish::new(lease.clone(), response.clone());
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    if finish.write(&mut *conn).await? {
                        return Ok(Finished::Stored);
                    }
                    let claim = lease.claim();
                    let stands = find(conn, claim).await?.ok_or(Error::Superseded)?;
                    stands.late(&claim.fingerprint)
                })
            })
            .await
    }

    async fn release(&self, lease: &Lease) -> Result<(), Error> {
        let lease = lease.clone();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    on_leased(conn, "DELETE FROM idempotency_keys", &lease, |query| query).await.map(drop)
                })
            })
            .await
    }

    async fn purge(&self, limit: u32) -> Result<u64, Error> {
        let now = self.clock.now();
        self.db.write(move |conn| Box::pin(sweep(conn, now, limit))).await
    }
}
