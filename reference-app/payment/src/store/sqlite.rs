//! Payments in SQLite. Every write is one closure behind a savepoint, in a commit shared with its neighbours.

mod rows;

use async_trait::async_trait;
use contract::PaymentId;
use ticketblitz_core::sqlite::{self, Sqlite, SqliteConnection};
use ticketblitz_core::{BookingId, MessageId, Timestamp, UserId};
use ticketblitz_saga::{Advance, Advanced, Start, inbox, outbox};

use super::{Store, StoreError};
use crate::domain::{Payment, Permission, Refusal, Status, Voiding};
use crate::events;

/// The inbox's name for this service.
const CONSUMER: &str = "payment";

/// Payments in the service's own database file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    db: Sqlite,
}

impl SqliteStore {
    /// A store over a migrated database.
    #[must_use]
    pub fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

/// Every payment that the connection's transaction sees.
pub(crate) async fn all(conn: &mut SqliteConnection) -> Result<Vec<Payment>, sqlite::Error> {
    rows::all(conn).await
}

async fn load(conn: &mut SqliteConnection, id: PaymentId) -> Result<Payment, StoreError> {
    rows::by_id(conn, id).await?.ok_or(StoreError::NoSuchPayment(id))
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(
        &self,
        message: MessageId,
        mut payment: Payment,
        charge: Start,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    if !inbox::claim(conn, CONSUMER, &message.to_string()).await?
                        || rows::by_booking(&mut *conn, payment.booking).await?.is_some()
                    {
                        return Ok(());
                    }
                    if rows::is_voided(conn, payment.booking).await? {
                        payment.voided = true;
                        payment.fail(Refusal::Voided.reason())?;
                        rows::insert(conn, &payment).await?;
                        outbox::push(conn, &events::failed(&payment, now)).await?;
                    } else {
                        rows::insert(conn, &payment).await?;
                        charge.apply(conn).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn void(
        &self,
        message: MessageId,
        booking: BookingId,
        refund: Start,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    if !inbox::claim(conn, CONSUMER, &message.to_string()).await? {
                        return Ok(());
                    }
                    let Some(mut payment) = rows::by_booking(&mut *conn, booking).await? else {
                        return Ok(rows::mark_voided(conn, booking, now).await?);
                    };
                    let voiding = payment.void();
                    rows::update(conn, &payment).await?;
                    if voiding == Voiding::Refund {
                        refund.apply(conn).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn begin_charge(&self, id: PaymentId, now: Timestamp) -> Result<(Payment, Permission), StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let payment = load(conn, id).await?;
                    let permission = payment.permission(now);
                    if permission == Permission::Charge {
                        rows::mark_sent(conn, id, now).await?;
                    }
                    Ok((payment, permission))
                })
            })
            .await
    }

    async fn in_doubt(&self, id: PaymentId) -> Result<(), StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let mut payment = load(conn, id).await?;
                    if payment.status == Status::Pending {
                        payment.status = Status::Unknown;
                        rows::update(conn, &payment).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn succeed(
        &self,
        id: PaymentId,
        charge: Option<String>,
        refund: Start,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let mut payment = load(conn, id).await?;
                    let voiding = payment.succeed(charge)?;
                    rows::update(conn, &payment).await?;
                    outbox::push(conn, &events::succeeded(&payment, now)).await?;
                    if voiding == Voiding::Refund {
                        refund.apply(conn).await?;
                    }
                    Ok(advance.apply(conn).await?)
                })
            })
            .await
    }

    async fn fail(
        &self,
        id: PaymentId,
        reason: String,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let mut payment = load(conn, id).await?;
                    payment.fail(reason)?;
                    rows::update(conn, &payment).await?;
                    outbox::push(conn, &events::failed(&payment, now)).await?;
                    Ok(advance.apply(conn).await?)
                })
            })
            .await
    }

    async fn refunded(
        &self,
        id: PaymentId,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let mut payment = load(conn, id).await?;
                    payment.refund()?;
                    rows::update(conn, &payment).await?;
                    outbox::push(conn, &events::refunded(&payment, now)).await?;
                    Ok(advance.apply(conn).await?)
                })
            })
            .await
    }

    async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        Ok(rows::by_id(self.db.readers(), id).await?)
    }

    async fn of_booking(&self, booking: BookingId) -> Result<Option<Payment>, StoreError> {
        Ok(rows::by_booking(self.db.readers(), booking).await?)
    }

    async fn list(
        &self,
        user: UserId,
        before: Option<PaymentId>,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError> {
        Ok(rows::newest(self.db.readers(), user, before, limit).await?)
    }

    async fn forget_voided(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.db
            .write(move |conn| Box::pin(async move { Ok(rows::forget_voided(conn, before, limit).await?) }))
            .await
    }
}
