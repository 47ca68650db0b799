//! The answer stored in the operation's own transaction.

use ticketblitz_core::sqlite::SqliteConnection;

use super::{codec, on_leased};
use crate::progress::Progress;
use crate::{Error, Lease, StoredResponse};

/// An answer that waits for a transaction: one commit then carries the business rows and the answer, so that
/// no crash comes between them.
///
/// ```no_run
/// # use ticketblitz_core::sqlite::{self, Sqlite};
/// # use ticketblitz_idempotency::{Error, StoredResponse};
/// # use ticketblitz_idempotency::sqlite::Finish;
/// # async fn pay(db: Sqlite, lease: ticketblitz_idempotency::Lease) -> Result<(), Error> {
/// let finish = Finish::new(lease, StoredResponse::new(201, "paid"));
/// db.write(move |conn| {
///     Box::pin(async move {
///         sqlite::query("INSERT INTO payments DEFAULT VALUES").execute(&mut *conn).await?;
///         finish.apply(conn).await
///     })
/// })
/// .await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Finish {
    /// `None` for a request without a key, whose answer nobody will ask for again.
    lease: Option<Lease>,
    response: StoredResponse,
    progress: Progress,
}

impl Finish {
    /// `response` as the answer of what was executed under `lease`.
    #[must_use]
    pub fn new(lease: Lease, response: StoredResponse) -> Self {
        Self { lease: Some(lease), response, progress: Progress::default() }
    }

    #[cfg(feature = "axum")]
    pub(crate) fn watched(lease: Option<Lease>, response: StoredResponse, progress: Progress) -> Self {
        Self { lease, response, progress }
    }

    /// Stores the answer in the transaction that `conn` is in, which must be in the store's own database.
    /// Nothing is stored, and the key stays leased, if that transaction is rolled back.
    ///
    /// # Errors
    /// [`Error::Superseded`] if the lease has been lost or finished: the transaction must not be committed,
    /// because another execution has done or will do the same. [`Error::Backend`] if the database refuses.
    pub async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), Error> {
        let applied = self.write(conn).await?;
        self.progress.note(applied);
        if applied { Ok(()) } else { Err(Error::Superseded) }
    }

    /// Says whether the lease was still good.
    pub(super) async fn write(&self, conn: &mut SqliteConnection) -> Result<bool, Error> {
        let Some(lease) = &self.lease else { return Ok(true) };
        let StoredResponse { status, headers, body } = &self.response;
        let statement = "UPDATE idempotency_keys SET status = $4, headers = $5, body = $6";
        on_leased(conn, statement, lease, |query| {
            query.bind(*status).bind(codec::encode(headers)).bind(body.clone())
        })
        .await
    }
}

impl From<Finish> for StoredResponse {
    fn from(finish: Finish) -> Self {
        finish.response
    }
}
