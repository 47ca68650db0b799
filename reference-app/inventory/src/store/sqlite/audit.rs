//! All that the inventory knows, for an audit.

use contract::inventory::SeatState;
use ticketblitz_core::sqlite::{self, SqliteConnection};

use super::{events, rows};
use crate::audit::{Area, ClaimedSeat, Event, Snapshot};

/// Everything that the connection's transaction sees.
pub(crate) async fn snapshot(conn: &mut SqliteConnection) -> Result<Snapshot, sqlite::Error> {
    let events = sqlite::query_as(
        "SELECT id, mode, max_per_customer, sales_end, closed, fence, \
         (SELECT count(*) FROM seats WHERE event = events.id) AS seats FROM events ORDER BY id",
    )
    .fetch_all(&mut *conn)
    .await?;
    let areas = sqlite::query_as(
        "SELECT event, name, capacity, taken FROM sections WHERE capacity IS NOT NULL ORDER BY event, position",
    )
    .fetch_all(&mut *conn)
    .await?;
    let seats = sqlite::query_as(
        // Taken without a claim, or by one that has ended, is no state that a claim could explain: it shows as sold.
        "SELECT c.event, c.seat, c.booking, c.fence, \
         CASE c.state WHEN 'TAKEN' THEN iif(claims.state = 'PAYING', 'PAYING', 'SOLD') ELSE c.state END AS state, \
         EXISTS (SELECT 1 FROM seats AS s WHERE s.event = c.event AND s.seat = c.seat) AS in_layout \
         FROM claim_seats AS c LEFT JOIN claims ON claims.booking = c.booking",
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(Snapshot { events, areas, seats, claims: rows::all(conn).await? })
}

impl sqlite::FromRow for Event {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        // Not audited, but what sells by it has to be able to read it.
        events::mode(&row.try_get::<String>("mode")?)?;
        Ok(Self {
            id: row.try_get("id")?,
            max_per_customer: row.try_get("max_per_customer")?,
            sales_end: row.try_get("sales_end")?,
            closed: row.try_get("closed")?,
            fence: rows::fence(row.try_get("fence")?)?,
            seats: row.try_get("seats")?,
        })
    }
}

impl sqlite::FromRow for Area {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        Ok(Self {
            event: row.try_get("event")?,
            name: row.try_get("name")?,
            capacity: row.try_get("capacity")?,
            taken: row.try_get("taken")?,
        })
    }
}

impl sqlite::FromRow for ClaimedSeat {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        let state = match row.try_get::<String>("state")?.as_str() {
            "PAYING" => SeatState::Paying,
            "SOLD" => SeatState::Sold,
            "FREE" => SeatState::Available,
            other => return Err(sqlite::Error::decode(format!("{other} is no state of a seat"))),
        };
        Ok(Self {
            event: row.try_get("event")?,
            seat: row.try_get("seat")?,
            booking: row.try_get("booking")?,
            fence: rows::fence(row.try_get("fence")?)?,
            state,
            in_layout: row.try_get("in_layout")?,
        })
    }
}
