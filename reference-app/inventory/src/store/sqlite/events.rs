//! Events and their layouts.

use contract::event::{BookingMode, Places, Section};
use contract::inventory::InventoryEvent;
use ticketblitz_core::sqlite::{self, SqliteConnection};
use ticketblitz_core::{EventId, SeatId, Timestamp};
use ticketblitz_lock::{Area, EventSnapshot, EventTag, Taken, TakenState};

use super::rows;
use crate::store::{ClaimState, Error, Refusal};

pub(super) async fn put(
    conn: &mut SqliteConnection,
    id: EventId,
    event: &InventoryEvent,
    now: Timestamp,
) -> Result<bool, Error> {
    let stored = read(conn, id).await?;
    let same_layout = stored.as_ref().is_some_and(|(stored, _)| {
        stored.sections == event.sections
            && stored.booking_mode == event.booking_mode
            && stored.currency == event.currency
    });
    let opens_later = event.sales_start.is_some_and(|start| now < start);
    if let Some((stored, _)) = &stored
        && (!same_layout || opens_later)
        && (stored.sales_start.is_none_or(|start| start <= now) || was_claimed(conn, id).await?)
    {
        return Err(Refusal::OnSale.into());
    }
    sqlite::query(
        "INSERT INTO events (id, tag, mode, currency, max_per_customer, sales_start, sales_end) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (id) DO UPDATE SET mode = excluded.mode, currency = excluded.currency, \
         max_per_customer = excluded.max_per_customer, sales_start = excluded.sales_start, \
         sales_end = excluded.sales_end",
    )
    .bind(id)
    .bind(EventTag::of(id).as_u32())
    .bind(mode_text(event.booking_mode))
    .bind(event.currency)
    .bind(event.max_seats_per_customer)
    .bind(event.sales_start)
    .bind(event.sales_end)
    .execute(&mut *conn)
    .await?;
    if !same_layout {
        write_layout(conn, id, &event.sections).await?;
    }
    Ok(!same_layout)
}

async fn was_claimed(conn: &mut SqliteConnection, id: EventId) -> Result<bool, Error> {
    let claimed = sqlite::query_scalar("SELECT EXISTS (SELECT 1 FROM claims WHERE event = $1)").bind(id);
    Ok(claimed.fetch_one(conn).await?)
}

async fn write_layout(conn: &mut SqliteConnection, id: EventId, sections: &[Section]) -> Result<(), Error> {
    sqlite::query("DELETE FROM seats WHERE event = $1").bind(id).execute(&mut *conn).await?;
    sqlite::query("DELETE FROM sections WHERE event = $1").bind(id).execute(&mut *conn).await?;
    for (position, section) in (0_i64..).zip(sections) {
        let (capacity, seats) = match &section.places {
            Places::Capacity(capacity) => (Some(*capacity), None),
            Places::Seats(seats) => (None, Some(seats)),
        };
        sqlite::query(
            "INSERT INTO sections (event, position, name, price, capacity) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(position)
        .bind(section.name.as_str())
        .bind(section.price)
        .bind(capacity)
        .execute(&mut *conn)
        .await?;
        if let Some(seats) = seats {
            sqlite::query(
                "INSERT INTO seats (event, seat, section, position) SELECT $1, value, $2, key FROM json_each($3)",
            )
            .bind(id)
            .bind(position)
            .bind(rows::json(seats))
            .execute(&mut *conn)
            .await?;
        }
    }
    Ok(())
}

pub(super) async fn close(conn: &mut SqliteConnection, id: EventId) -> Result<(), Error> {
    sqlite::query("UPDATE events SET closed = 1 WHERE id = $1").bind(id).execute(conn).await?;
    Ok(())
}

pub(super) async fn read(
    conn: &mut SqliteConnection,
    id: EventId,
) -> Result<Option<(InventoryEvent, bool)>, Error> {
    let row = sqlite::query(
        "SELECT mode, currency, max_per_customer, sales_start, sales_end, closed FROM events WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let event = InventoryEvent {
        booking_mode: mode(&row.try_get::<String>("mode")?)?,
        currency: row.try_get("currency")?,
        max_seats_per_customer: row.try_get("max_per_customer")?,
        sales_start: row.try_get("sales_start")?,
        sales_end: row.try_get("sales_end")?,
        sections: sections(conn, id).await?,
    };
    Ok(Some((event, row.try_get("closed")?)))
}

async fn sections(conn: &mut SqliteConnection, id: EventId) -> Result<Vec<Section>, Error> {
    let mut sections: Vec<Section> =
        sqlite::query("SELECT name, price, capacity FROM sections WHERE event = $1 ORDER BY position")
            .bind(id)
            .fetch_all(&mut *conn)
            .await?
            .iter()
            .map(|row| {
                let capacity: Option<u32> = row.try_get("capacity")?;
                let places = capacity.map_or(Places::Seats(Vec::new()), Places::Capacity);
                Ok(Section { name: row.try_get("name")?, price: row.try_get("price")?, places })
            })
            .collect::<Result<_, sqlite::Error>>()?;
    let seats: Vec<(u32, SeatId)> =
        sqlite::query_as("SELECT section, seat FROM seats WHERE event = $1 ORDER BY section, position")
            .bind(id)
            .fetch_all(conn)
            .await?;
    for (section, seat) in seats {
        let section = usize::try_from(section).ok().and_then(|at| sections.get_mut(at));
        if let Some(Section { places: Places::Seats(seats), .. }) = section {
            seats.push(seat);
        }
    }
    Ok(sections)
}

pub(super) async fn snapshot(
    conn: &mut SqliteConnection,
    event: EventId,
    now: Timestamp,
) -> Result<Option<EventSnapshot>, Error> {
    let floor: Option<i64> = sqlite::query_scalar("SELECT fence FROM events WHERE id = $1")
        .bind(event)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(floor) = floor else { return Ok(None) };
    let areas: Vec<(String, u32)> = sqlite::query_as(
        "SELECT name, capacity FROM sections WHERE event = $1 AND capacity IS NOT NULL ORDER BY position",
    )
    .bind(event)
    .fetch_all(&mut *conn)
    .await?;
    let mut snapshot = EventSnapshot::new(event).with_fence_floor(rows::fence(floor)?);
    snapshot.areas = areas.into_iter().map(|(section, capacity)| Area::new(section, capacity)).collect();
    for claim in rows::counting(conn, event, now).await? {
        let state = match claim.state {
            ClaimState::Sold => TakenState::Sold,
            _ => TakenState::Paying { until: claim.until },
        };
        let taken = Taken::new(claim.owner, claim.want, state, claim.fence);
        snapshot.taken.push(taken.with_hold(claim.hold.hold).with_booking(claim.booking));
    }
    Ok(Some(snapshot))
}

fn mode_text(mode: BookingMode) -> &'static str {
    match mode {
        BookingMode::Visual => "VISUAL",
        BookingMode::Tatkal => "TATKAL",
    }
}

pub(super) fn mode(text: &str) -> Result<BookingMode, sqlite::Error> {
    match text {
        "VISUAL" => Ok(BookingMode::Visual),
        "TATKAL" => Ok(BookingMode::Tatkal),
        _ => Err(sqlite::Error::decode(format!("{text} is no booking mode"))),
    }
}
