//! The ledger in SQLite.

use async_trait::async_trait;
use serde::Serialize;
use ticketblitz_core::Timestamp;
use ticketblitz_core::sqlite::{self, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::{Charged, Refunded, Store};
use crate::domain::{Charge, ChargeRequest, ChargeStatus, Ledger, Refund, RefundRequest};
use crate::error::StoreError;

/// The ledger in a database that has this crate's migrations.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    db: Sqlite,
}

impl SqliteStore {
    pub fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

impl sqlite::FromRow for Charge {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            reference: row.try_get("reference")?,
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            status: status(&row.try_get::<String>("status")?)?,
            failure_reason: row.try_get("failure_reason")?,
        })
    }
}

impl sqlite::FromRow for Refund {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            charge_id: row.try_get("charge_id")?,
            amount: row.try_get("amount")?,
        })
    }
}

fn status(text: &str) -> Result<ChargeStatus, sqlite::Error> {
    match text {
        "succeeded" => Ok(ChargeStatus::Succeeded),
        "failed" => Ok(ChargeStatus::Failed),
        _ => Err(sqlite::Error::decode(format!("{text} is no status of a charge"))),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn charge(
        &self,
        key: Option<&str>,
        request: &ChargeRequest,
        now: Timestamp,
    ) -> Result<Charged, StoreError> {
        let (key, request) = (Key::new(key, request), request.clone());
        self.db.write(move |conn| Box::pin(async move { charge(conn, key, request, now).await })).await
    }

    async fn refund(
        &self,
        key: Option<&str>,
        request: &RefundRequest,
        now: Timestamp,
    ) -> Result<Refunded, StoreError> {
        let (key, request) = (Key::new(key, request), request.clone());
        self.db.write(move |conn| Box::pin(async move { refund(conn, key, request, now).await })).await
    }

    async fn charges(&self, reference: &str) -> Result<Vec<Charge>, StoreError> {
        let charges = sqlite::query_as(
            "SELECT id, reference, amount, currency, status, failure_reason FROM charges
             WHERE reference = $1 ORDER BY id",
        );
        Ok(charges.bind(reference).fetch_all(self.db.readers()).await?)
    }

    async fn ledger(&self) -> Result<Ledger, StoreError> {
        let mut one_moment = self.db.readers().begin()?;
        Ok(ledger(&mut one_moment).await?)
    }
}

/// Everything that the connection's transaction sees.
pub async fn ledger(conn: &mut SqliteConnection) -> Result<Ledger, sqlite::Error> {
    let charges = sqlite::query_as(
        "SELECT id, reference, amount, currency, status, failure_reason FROM charges ORDER BY id",
    )
    .fetch_all(&mut *conn)
    .await?;
    let refunds = sqlite::query_as("SELECT id, charge_id, amount FROM refunds ORDER BY id");
    Ok(Ledger { charges, refunds: refunds.fetch_all(conn).await? })
}

/// An Idempotency-Key and the request it stands for.
struct Key {
    key: String,
    request: String,
}

impl Key {
    fn new(key: Option<&str>, request: &impl Serialize) -> Option<Self> {
        let request = || serde_json::to_string(request).expect("a request of texts and numbers serializes");
        key.map(|key| Self { key: key.to_owned(), request: request() })
    }

    /// The id of what this key has brought about, if it was used before.
    async fn result(&self, conn: &mut SqliteConnection) -> Result<Option<String>, StoreError> {
        let used: Option<(String, String)> =
            sqlite::query_as("SELECT request, result_id FROM idempotency_keys WHERE key = $1")
                .bind(&self.key)
                .fetch_optional(conn)
                .await?;
        match used {
            Some((request, _)) if request != self.request => Err(StoreError::KeyReused),
            Some((_, result)) => Ok(Some(result)),
            None => Ok(None),
        }
    }

    async fn keep(self, conn: &mut SqliteConnection, result: &str) -> Result<(), StoreError> {
        sqlite::query("INSERT INTO idempotency_keys (key, request, result_id) VALUES ($1, $2, $3)")
            .bind(self.key)
            .bind(self.request)
            .bind(result)
            .execute(conn)
            .await?;
        Ok(())
    }
}

fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::now_v7().simple())
}

async fn charge(
    conn: &mut SqliteConnection,
    key: Option<Key>,
    request: ChargeRequest,
    now: Timestamp,
) -> Result<Charged, StoreError> {
    if let Some(key) = &key
        && let Some(id) = key.result(&mut *conn).await?
    {
        let charge = find_charge(conn, &id).await?.ok_or(StoreError::UnknownCharge)?;
        return Ok(Charged::Replayed(charge));
    }
    let method = request.payment_method;
    let first_attempt = method.loses_first_reply() && lose_reply(&mut *conn, &request).await?;
    if !method.records(first_attempt) {
        return Ok(Charged::Lost);
    }
    let (status, failure_reason) = method.result();
    let charge = Charge {
        id: new_id("ch"),
        reference: request.reference,
        amount: request.amount,
        currency: request.currency,
        status,
        failure_reason: failure_reason.map(str::to_owned),
    };
    insert_charge(&mut *conn, &charge, now).await?;
    if let Some(key) = key {
        key.keep(conn, &charge.id).await?;
    }
    Ok(Charged::Made { charge, reply: method.reply(first_attempt) })
}

/// Notes that a reply is lost; false if it was the second that would be.
async fn lose_reply(conn: &mut SqliteConnection, request: &ChargeRequest) -> Result<bool, StoreError> {
    let noted = sqlite::query(
        "INSERT INTO lost_replies (reference, payment_method) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(&request.reference)
    .bind(request.payment_method.as_str())
    .execute(conn)
    .await?;
    Ok(noted == 1)
}

async fn insert_charge(
    conn: &mut SqliteConnection,
    charge: &Charge,
    now: Timestamp,
) -> Result<(), StoreError> {
    let status = match charge.status {
        ChargeStatus::Succeeded => "succeeded",
        ChargeStatus::Failed => "failed",
    };
    sqlite::query(
        "INSERT INTO charges (id, reference, amount, currency, status, failure_reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&charge.id)
    .bind(&charge.reference)
    .bind(charge.amount)
    .bind(&charge.currency)
    .bind(status)
    .bind(charge.failure_reason.as_deref())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

async fn find_charge(conn: &mut SqliteConnection, id: &str) -> Result<Option<Charge>, StoreError> {
    let charge = sqlite::query_as(
        "SELECT id, reference, amount, currency, status, failure_reason FROM charges WHERE id = $1",
    );
    Ok(charge.bind(id).fetch_optional(conn).await?)
}

async fn refund(
    conn: &mut SqliteConnection,
    key: Option<Key>,
    request: RefundRequest,
    now: Timestamp,
) -> Result<Refunded, StoreError> {
    if let Some(key) = &key
        && let Some(id) = key.result(&mut *conn).await?
    {
        let refund = sqlite::query_as("SELECT id, charge_id, amount FROM refunds WHERE id = $1");
        return Ok(Refunded::Replayed(refund.bind(id).fetch_one(conn).await?));
    }
    let charge = find_charge(&mut *conn, &request.charge_id).await?.ok_or(StoreError::UnknownCharge)?;
    if charge.status == ChargeStatus::Failed {
        return Err(StoreError::NotCharged);
    }
    let refund = Refund { id: new_id("re"), charge_id: charge.id, amount: charge.amount };
    let made = sqlite::query(
        "INSERT INTO refunds (id, charge_id, amount, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (charge_id) DO NOTHING",
    )
    .bind(&refund.id)
    .bind(&refund.charge_id)
    .bind(refund.amount)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if made == 0 {
        return Err(StoreError::AlreadyRefunded);
    }
    if let Some(key) = key {
        key.keep(conn, &refund.id).await?;
    }
    Ok(Refunded::Made(refund))
}
