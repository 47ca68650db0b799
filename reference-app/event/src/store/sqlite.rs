//! The events in SQLite.

mod intents;
mod rows;

use std::sync::Arc;

use async_trait::async_trait;
use platform::read_apart;
use ticketblitz_core::sqlite::{self, Sqlite, SqliteConnection};
use ticketblitz_core::{Envelope, EventId, Timestamp};
use ticketblitz_saga::{inbox, outbox};

use super::{Counted, Error, Filter, Intent, Query, Store, What};
use crate::audit;
use crate::audit::Snapshot;
use crate::domain::{Phase, Record, Spec, State};

const CONSUMER: &str = "event";
const SAMPLES: &str = "sample-events";

/// The events in a SQLite file that was migrated before.
#[derive(Debug, Clone)]
pub(crate) struct SqliteStore {
    db: Sqlite,
}

impl SqliteStore {
    pub(crate) fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

/// What the connection's transaction sees of the events and their counts.
pub(crate) async fn snapshot(conn: &mut SqliteConnection) -> Result<Snapshot, sqlite::Error> {
    let events = sqlite::query_as(
        "SELECT id, phase, max_per_customer, total, taken, \
         EXISTS (SELECT 1 FROM intents WHERE event = events.id) AS changing FROM events ORDER BY id",
    )
    .fetch_all(&mut *conn)
    .await?;
    let counted = sqlite::query_as(
        "SELECT booking, event, quantity FROM counted_bookings WHERE confirmed AND NOT cancelled \
         ORDER BY booking",
    )
    .fetch_all(conn)
    .await?;
    Ok(Snapshot { events, counted })
}

#[async_trait]
impl Store for SqliteStore {
    async fn keep_draft(&self, draft: Record) -> Result<(), Error> {
        self.db.write(move |conn| Box::pin(async move { rows::insert(conn, &draft).await })).await
    }

    async fn keep_samples(&self, samples: Vec<Record>, now: Timestamp) -> Result<(), Error> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let first = sqlite::query(
                        "INSERT INTO milestones (name, at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    )
                    .bind(SAMPLES)
                    .bind(now)
                    .execute(&mut *conn)
                    .await?;
                    if first == 1 {
                        for sample in &samples {
                            rows::insert(conn, sample).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn sample_drafts(&self) -> Result<Vec<Record>, Error> {
        let sql = format!("{} WHERE phase = 'SAMPLE' ORDER BY id", rows::SELECT);
        let drafts = sqlite::query(sql).fetch_all(self.db.readers()).await?;
        rows::records(&drafts)
    }

    async fn publish(&self, id: EventId, created: Envelope) -> Result<(), Error> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let published = sqlite::query(
                        "UPDATE events SET phase = 'PUBLISHED' WHERE id = $1 AND phase IN ('DRAFT', 'SAMPLE')",
                    );
                    if published.bind(id).execute(&mut *conn).await? == 1 {
                        outbox::push(conn, &created).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn discard(&self, id: EventId) -> Result<(), Error> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let discard =
                        sqlite::query("DELETE FROM events WHERE id = $1 AND phase IN ('DRAFT', 'SAMPLE')");
                    discard.bind(id).execute(conn).await?;
                    Ok(())
                })
            })
            .await
    }

    async fn discard_abandoned(&self) -> Result<u64, Error> {
        self.db
            .write(|conn| {
                Box::pin(async move {
                    let discarded =
                        sqlite::query("DELETE FROM events WHERE phase = 'DRAFT'").execute(conn).await?;
                    Ok(discarded)
                })
            })
            .await
    }

    async fn intend(&self, id: EventId, intent: Intent) -> Result<(), Error> {
        self.db.write(move |conn| Box::pin(async move { intents::keep(conn, id, &intent).await })).await
    }

    async fn intent(&self, id: EventId) -> Result<Option<Intent>, Error> {
        intents::of(self.db.readers(), id).await
    }

    async fn intended(&self) -> Result<Vec<EventId>, Error> {
        intents::all(self.db.readers()).await
    }

    async fn forget_intent(&self, id: EventId) -> Result<(), Error> {
        self.db.write(move |conn| Box::pin(async move { intents::forget(conn, id).await })).await
    }

    async fn update(
        &self,
        id: EventId,
        version: u64,
        spec: Arc<Spec>,
        changed: Envelope,
    ) -> Result<bool, Error> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let updated = rows::update(conn, id, version, &spec).await?;
                    intents::forget(conn, id).await?;
                    if updated {
                        outbox::push(conn, &changed).await?;
                    }
                    Ok(updated)
                })
            })
            .await
    }

    async fn cancel(&self, id: EventId, cancelled: Envelope) -> Result<bool, Error> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let done = sqlite::query(
                        "UPDATE events SET phase = 'CANCELLED', version = version + 1 \
                         WHERE id = $1 AND phase = 'PUBLISHED'",
                    );
                    let first = done.bind(id).execute(&mut *conn).await? == 1;
                    intents::forget(conn, id).await?;
                    if first {
                        outbox::push(conn, &cancelled).await?;
                    }
                    Ok(first)
                })
            })
            .await
    }

    async fn get(&self, id: EventId) -> Result<Option<Record>, Error> {
        let db = self.db.clone();
        // A layout may have a hundred thousand seats.
        read_apart(async move {
            let row = one(rows::SELECT, id).fetch_optional(db.readers()).await?;
            Ok(row.as_ref().map(rows::record).transpose()?)
        })
        .await
    }

    async fn list(&self, query: Query, now: Timestamp) -> Result<Vec<Record>, Error> {
        let db = self.db.clone();
        read_apart(
            async move { rows::records(&some(rows::SELECT, &query, now).fetch_all(db.readers()).await?) },
        )
        .await
    }

    async fn state(&self, id: EventId) -> Result<Option<State>, Error> {
        let row = one(rows::SELECT_STATE, id).fetch_optional(self.db.readers()).await?;
        Ok(row.as_ref().map(rows::state).transpose()?)
    }

    async fn states(&self, query: Query, now: Timestamp) -> Result<Vec<State>, Error> {
        let rows = some(rows::SELECT_STATE, &query, now).fetch_all(self.db.readers()).await?;
        Ok(rows.iter().map(rows::state).collect::<Result<_, _>>()?)
    }

    async fn count(&self, counted: Counted) -> Result<(), Error> {
        self.db.write(move |conn| Box::pin(async move { count(conn, counted).await })).await
    }
}

fn one(select: &str, id: EventId) -> sqlite::Query {
    sqlite::query(format!("{select} WHERE id = $1 AND phase IN ('PUBLISHED', 'CANCELLED')")).bind(id)
}

fn some(select: &str, query: &Query, now: Timestamp) -> sqlite::Query {
    let filter = match query.filter {
        None => "phase IN ('PUBLISHED', 'CANCELLED')",
        Some(Filter::Upcoming) => "phase = 'PUBLISHED' AND starts_at > $1",
        Some(Filter::Available) => {
            "phase = 'PUBLISHED' AND coalesce(sales_start, $1) <= $1 \
             AND coalesce(sales_end, starts_at) > $1 AND taken < total"
        }
    };
    let after = if query.after.is_some() { "(starts_at, id) > ($4, $5)" } else { "true" };
    let sql = format!(
        "{select} WHERE {filter} AND {after} \
         AND ($2 IS NULL OR instr(name_folded, $2) > 0) \
         AND ($3 IS NULL OR instr(venue_folded, $3) > 0) \
         ORDER BY starts_at, id LIMIT $6"
    );
    sqlite::query(sql)
        .bind(now)
        .bind(query.name.as_deref().map(rows::folded))
        .bind(query.venue.as_deref().map(rows::folded))
        .bind(query.after.map(|(starts_at, _)| starts_at))
        .bind(query.after.map(|(_, id)| id))
        .bind(query.limit)
}

async fn count(conn: &mut SqliteConnection, counted: Counted) -> Result<(), Error> {
    if !inbox::claim(conn, CONSUMER, &counted.message.to_string()).await? {
        return Ok(());
    }
    let before: Option<(u32, bool, bool)> =
        sqlite::query_as("SELECT quantity, confirmed, cancelled FROM counted_bookings WHERE booking = $1")
            .bind(counted.booking)
            .fetch_optional(&mut *conn)
            .await?;
    // What the first message said stays, so that no more is given back than was taken.
    let (quantity, confirmed, cancelled) = before.unwrap_or((counted.quantity, false, false));
    let (now_confirmed, now_cancelled) = match counted.what {
        What::Confirmed => (true, cancelled),
        What::Cancelled => (confirmed, true),
    };
    sqlite::query(
        "INSERT INTO counted_bookings (booking, event, quantity, confirmed, cancelled) \
         VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (booking) DO UPDATE SET confirmed = excluded.confirmed, cancelled = excluded.cancelled",
    )
    .bind(counted.booking)
    .bind(counted.event)
    .bind(quantity)
    .bind(now_confirmed)
    .bind(now_cancelled)
    .execute(&mut *conn)
    .await?;
    // A booking takes its places while it is confirmed and not cancelled; this is by how much that changed.
    let takes = |confirmed: bool, cancelled: bool| i64::from(confirmed && !cancelled);
    let change = takes(now_confirmed, now_cancelled) - takes(confirmed, cancelled);
    if change != 0 {
        sqlite::query("UPDATE events SET taken = taken + $2 WHERE id = $1")
            .bind(counted.event)
            .bind(change * i64::from(quantity))
            .execute(conn)
            .await?;
    }
    Ok(())
}

fn phase_text(phase: Phase) -> &'static str {
    match phase {
        Phase::Draft => "DRAFT",
        Phase::Sample => "SAMPLE",
        Phase::Published => "PUBLISHED",
        Phase::Cancelled => "CANCELLED",
    }
}

impl sqlite::FromRow for audit::Event {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            phase: rows::phase(&row.try_get::<String>("phase")?)?,
            max_per_customer: row.try_get("max_per_customer")?,
            changing: row.try_get("changing")?,
            total: row.try_get("total")?,
            taken: row.try_get("taken")?,
        })
    }
}

impl sqlite::FromRow for audit::Counted {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        Ok(Self {
            booking: row.try_get("booking")?,
            event: row.try_get("event")?,
            quantity: row.try_get("quantity")?,
        })
    }
}
