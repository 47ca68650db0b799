//! Claims as rows.

use ticketblitz_core::sqlite::{self, SqliteConnection};
use ticketblitz_core::{BookingId, EventId, SeatId, Timestamp};
use ticketblitz_lock::{Fence, HoldId, HoldRef, Want};

use crate::store::{Claim, ClaimState, Error};

const COLUMNS: &str = "booking, hold, event, owner, seats, section, quantity, amount, currency, fence, state, \
                       deadline, until";

pub(super) async fn claim_on(conn: &mut SqliteConnection, hold: HoldId) -> Result<Option<Claim>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM claims WHERE hold = $1");
    let row = sqlite::query(sql).bind(hold).fetch_optional(conn).await?;
    Ok(row.as_ref().map(claim).transpose()?)
}

pub(super) async fn claim_of(
    conn: &mut SqliteConnection,
    booking: BookingId,
) -> Result<Option<Claim>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM claims WHERE booking = $1");
    let row = sqlite::query(sql).bind(booking).fetch_optional(conn).await?;
    Ok(row.as_ref().map(claim).transpose()?)
}

pub(super) async fn all(conn: &mut SqliteConnection) -> Result<Vec<Claim>, sqlite::Error> {
    let sql = format!("SELECT {COLUMNS} FROM claims ORDER BY booking");
    sqlite::query(sql).fetch_all(conn).await?.iter().map(claim).collect()
}

/// Payments that lapsed by `now`, oldest first: of all events, in bounded batches.
pub(super) async fn lapsed(
    conn: &mut SqliteConnection,
    now: Timestamp,
    most: u32,
) -> Result<Vec<Claim>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM claims WHERE state = 'PAYING' AND until <= $1 ORDER BY until LIMIT $2"
    );
    let rows = sqlite::query(sql).bind(now).bind(most).fetch_all(conn).await?;
    Ok(rows.iter().map(claim).collect::<Result<_, _>>()?)
}

/// Payments that lapsed by `now` and still have one of these seats.
pub(super) async fn lapsed_with_seats(
    conn: &mut SqliteConnection,
    event: EventId,
    seats: &[SeatId],
    now: Timestamp,
) -> Result<Vec<Claim>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT c.booking AS taker FROM json_each($2) CROSS JOIN claim_seats AS c \
             ON c.event = $1 AND c.seat = json_each.value AND c.state = 'TAKEN') \
         CROSS JOIN claims ON booking = taker WHERE state = 'PAYING' AND until <= $3"
    );
    let rows = sqlite::query(sql).bind(event).bind(json(seats)).bind(now).fetch_all(conn).await?;
    let mut claims = rows.iter().map(claim).collect::<Result<Vec<_>, _>>()?;
    // One for each of its seats.
    claims.sort_by_key(|claim| claim.booking);
    claims.dedup_by_key(|claim| claim.booking);
    Ok(claims)
}

/// Payments for places of this area that lapsed by `now`, oldest first, in bounded batches.
pub(super) async fn lapsed_in_area(
    conn: &mut SqliteConnection,
    event: EventId,
    section: &str,
    now: Timestamp,
    most: u32,
) -> Result<Vec<Claim>, Error> {
    // By this index: an area that is sold out has many claims, and few of all payments have lapsed.
    let sql = format!(
        "SELECT {COLUMNS} FROM claims INDEXED BY claims_in_payment \
         WHERE event = $1 AND section = $2 AND state = 'PAYING' AND until <= $3 ORDER BY until LIMIT $4"
    );
    let rows = sqlite::query(sql).bind(event).bind(section).bind(now).bind(most).fetch_all(conn).await?;
    Ok(rows.iter().map(claim).collect::<Result<_, _>>()?)
}

/// All that counts for an event: live payments and sales.
pub(super) async fn counting(
    conn: &mut SqliteConnection,
    event: EventId,
    now: Timestamp,
) -> Result<Vec<Claim>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM claims WHERE event = $1 \
         AND (state = 'SOLD' OR (state = 'PAYING' AND until > $2))"
    );
    let rows = sqlite::query(sql).bind(event).bind(now).fetch_all(conn).await?;
    Ok(rows.iter().map(claim).collect::<Result<_, _>>()?)
}

pub(super) async fn insert(conn: &mut SqliteConnection, claim: &Claim, now: Timestamp) -> Result<(), Error> {
    let (seats, section) = match &claim.want {
        Want::Seats(seats) => (Some(json(seats)), None),
        Want::Area { section, .. } => (None, Some(section.as_str())),
    };
    sqlite::query(
        "INSERT INTO claims (booking, hold, event, owner, seats, section, quantity, amount, currency, fence, \
         state, deadline, until, created_at, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
    )
    .bind(claim.booking)
    .bind(claim.hold.hold)
    .bind(claim.hold.event)
    .bind(claim.owner)
    .bind(seats)
    .bind(section)
    .bind(claim.want.units())
    .bind(claim.amount)
    .bind(claim.currency)
    .bind(number(claim.fence))
    .bind(claim.state.as_str())
    .bind(claim.deadline)
    .bind(claim.until)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn set_state(
    conn: &mut SqliteConnection,
    claim: &mut Claim,
    state: ClaimState,
    now: Timestamp,
) -> Result<(), Error> {
    sqlite::query("UPDATE claims SET state = $2, changed_at = $3 WHERE booking = $1")
        .bind(claim.booking)
        .bind(state.as_str())
        .bind(now)
        .execute(conn)
        .await?;
    claim.state = state;
    Ok(())
}

/// Seats for `json_each`.
pub(super) fn json(seats: &[SeatId]) -> String {
    serde_json::to_string(seats).expect("a list of texts is JSON")
}

/// A fence as SQLite keeps it: its sixteen digits fit.
pub(super) fn number(fence: Fence) -> i64 {
    i64::try_from(fence.as_u64()).unwrap_or(i64::MAX)
}

pub(super) fn fence(number: i64) -> Result<Fence, sqlite::Error> {
    let fence = u64::try_from(number);
    fence.map(Fence::new).map_err(|_| sqlite::Error::decode(format!("{number} is no fence")))
}

fn claim(row: &sqlite::Row) -> Result<Claim, sqlite::Error> {
    let want = match row.try_get::<Option<String>>("seats")? {
        Some(seats) => Want::Seats(serde_json::from_str(&seats).map_err(sqlite::Error::decode)?),
        None => Want::Area { section: row.try_get("section")?, quantity: row.try_get("quantity")? },
    };
    let state = &row.try_get::<String>("state")?;
    let state = ClaimState::parse(state)
        .ok_or_else(|| sqlite::Error::decode(format!("{state} is no state of a claim")))?;
    Ok(Claim {
        booking: row.try_get("booking")?,
        hold: HoldRef { event: row.try_get("event")?, hold: row.try_get("hold")? },
        owner: row.try_get("owner")?,
        want,
        amount: row.try_get("amount")?,
        currency: row.try_get("currency")?,
        fence: fence(row.try_get("fence")?)?,
        state,
        deadline: row.try_get("deadline")?,
        until: row.try_get("until")?,
    })
}
