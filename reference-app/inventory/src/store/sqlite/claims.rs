//! What decides: payments, sales and their ends, each within its caller's transaction.

use ticketblitz_core::sqlite::{self, SqliteConnection};
use ticketblitz_core::{BookingId, Currency, EventId, Timestamp, UserId};
use ticketblitz_lock::Want;

use super::rows;
use crate::store::{Begin, Claim, ClaimState, Error, Refusal, Sale};

/// Lapsed payments that one transaction frees at the most.
const LAPSED_AT_ONCE: u32 = 256;

pub(super) async fn begin(conn: &mut SqliteConnection, begin: Begin) -> Result<Claim, Error> {
    if let Some(first) = rows::claim_on(conn, begin.hold.hold).await? {
        return Ok(first);
    }
    if voided(conn, begin.booking).await? || rows::claim_of(conn, begin.booking).await?.is_some() {
        return Err(Refusal::NotLive.into());
    }
    let (currency, limit) = sale_terms(conn, begin.hold.event, begin.now).await?;
    check_limit(conn, &begin, limit).await?;
    let amount = price(conn, begin.hold.event, &begin.want).await?;
    let claim = Claim {
        booking: begin.booking,
        hold: begin.hold,
        owner: begin.owner,
        want: begin.want,
        amount,
        currency,
        fence: begin.fence,
        state: ClaimState::Paying,
        deadline: begin.deadline,
        until: begin.until,
    };
    take(conn, &claim, begin.now).await?;
    rows::insert(conn, &claim, begin.now).await?;
    sqlite::query("UPDATE events SET fence = max(fence, $2) WHERE id = $1")
        .bind(claim.hold.event)
        .bind(rows::number(claim.fence))
        .execute(conn)
        .await?;
    Ok(claim)
}

pub(super) async fn sell(
    conn: &mut SqliteConnection,
    booking: BookingId,
    now: Timestamp,
) -> Result<Sale, Error> {
    let Some(mut claim) = rows::claim_of(conn, booking).await? else {
        void(conn, booking, now).await?;
        return Ok(Sale { sold: false, claim: None });
    };
    let sold = match claim.state {
        ClaimState::Sold => return Ok(Sale { sold: true, claim: Some(claim) }),
        ClaimState::Paying | ClaimState::Lapsed => {
            !closed(conn, claim.hold.event).await?
                && within_limit(conn, &claim, now).await?
                && settle(conn, &claim).await?
        }
        ClaimState::Released | ClaimState::Reopened => return Ok(Sale { sold: false, claim: Some(claim) }),
    };
    if sold {
        rows::set_state(conn, &mut claim, ClaimState::Sold, now).await?;
    } else {
        // A refusal is final: the money goes back because of it.
        free(conn, &mut claim, ClaimState::Released, now).await?;
    }
    Ok(Sale { sold, claim: Some(claim) })
}

pub(super) async fn release(
    conn: &mut SqliteConnection,
    booking: BookingId,
    now: Timestamp,
) -> Result<Option<Claim>, Error> {
    let Some(mut claim) = rows::claim_of(conn, booking).await? else {
        void(conn, booking, now).await?;
        return Ok(None);
    };
    if matches!(claim.state, ClaimState::Paying | ClaimState::Lapsed) {
        free(conn, &mut claim, ClaimState::Released, now).await?;
    }
    Ok(Some(claim))
}

pub(super) async fn reopen(
    conn: &mut SqliteConnection,
    booking: BookingId,
    now: Timestamp,
) -> Result<Option<Claim>, Error> {
    let Some(mut claim) = rows::claim_of(conn, booking).await? else { return Ok(None) };
    if claim.state == ClaimState::Sold {
        free(conn, &mut claim, ClaimState::Reopened, now).await?;
    }
    Ok(Some(claim))
}

pub(super) async fn lapse(conn: &mut SqliteConnection, now: Timestamp) -> Result<Vec<Claim>, Error> {
    let lapsed = rows::lapsed(conn, now, LAPSED_AT_ONCE).await?;
    free_lapsed(conn, lapsed, now).await
}

async fn free_lapsed(
    conn: &mut SqliteConnection,
    mut lapsed: Vec<Claim>,
    now: Timestamp,
) -> Result<Vec<Claim>, Error> {
    for claim in &mut lapsed {
        free(conn, claim, ClaimState::Lapsed, now).await?;
    }
    Ok(lapsed)
}

async fn voided(conn: &mut SqliteConnection, booking: BookingId) -> Result<bool, Error> {
    let voided = sqlite::query_scalar("SELECT EXISTS (SELECT 1 FROM voided_bookings WHERE booking = $1)");
    Ok(voided.bind(booking).fetch_one(conn).await?)
}

async fn void(conn: &mut SqliteConnection, booking: BookingId, now: Timestamp) -> Result<(), Error> {
    sqlite::query("INSERT INTO voided_bookings (booking, voided_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(booking)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn forget_voided(
    conn: &mut SqliteConnection,
    before: Timestamp,
    limit: u32,
) -> Result<u64, Error> {
    let forget = sqlite::query(
        "DELETE FROM voided_bookings WHERE booking IN \
         (SELECT booking FROM voided_bookings WHERE voided_at < $1 ORDER BY voided_at LIMIT $2)",
    );
    Ok(forget.bind(before).bind(limit).execute(conn).await?)
}

/// Currency and customer's limit of an event that is on sale.
async fn sale_terms(
    conn: &mut SqliteConnection,
    event: EventId,
    now: Timestamp,
) -> Result<(Currency, u32), Error> {
    let row = sqlite::query(
        "SELECT currency, max_per_customer, \
         closed = 0 AND coalesce(sales_start, $2) <= $2 AND $2 < sales_end AS on_sale \
         FROM events WHERE id = $1",
    )
    .bind(event)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    let row = row.ok_or(Refusal::NotLive)?;
    if !row.try_get::<bool>("on_sale")? {
        return Err(Refusal::SalesClosed.into());
    }
    Ok((row.try_get("currency")?, row.try_get("max_per_customer")?))
}

async fn closed(conn: &mut SqliteConnection, event: EventId) -> Result<bool, Error> {
    let closed = sqlite::query_scalar("SELECT closed FROM events WHERE id = $1").bind(event);
    Ok(closed.fetch_one(conn).await?)
}

/// Places of the event that the customer has bought or is paying for.
async fn taken(
    conn: &mut SqliteConnection,
    event: EventId,
    owner: UserId,
    now: Timestamp,
) -> Result<u32, sqlite::Error> {
    let taken = sqlite::query_scalar(
        "SELECT coalesce(sum(quantity), 0) FROM claims \
         WHERE event = $1 AND owner = $2 AND (state = 'SOLD' OR (state = 'PAYING' AND until > $3))",
    );
    taken.bind(event).bind(owner).bind(now).fetch_one(conn).await
}

/// A payment that has lapsed did not count: its customer may have used up the limit since.
async fn within_limit(conn: &mut SqliteConnection, claim: &Claim, now: Timestamp) -> Result<bool, Error> {
    if claim.state == ClaimState::Paying && claim.until > now {
        return Ok(true);
    }
    let limit = sqlite::query_scalar("SELECT max_per_customer FROM events WHERE id = $1");
    let limit: u32 = limit.bind(claim.hold.event).fetch_one(&mut *conn).await?;
    let taken = taken(conn, claim.hold.event, claim.owner, now).await?;
    Ok(taken.saturating_add(claim.want.units()) <= limit)
}

async fn check_limit(conn: &mut SqliteConnection, begin: &Begin, limit: u32) -> Result<(), Error> {
    let taken = taken(conn, begin.hold.event, begin.owner, begin.now).await?;
    if taken.saturating_add(begin.want.units()) > limit {
        return Err(Refusal::OverLimit { limit, taken }.into());
    }
    Ok(())
}

/// What these places cost. A hold on places that the event does not have (its layout was changed before the
/// sale) is not live.
async fn price(conn: &mut SqliteConnection, event: EventId, want: &Want) -> Result<i64, Error> {
    let priced: Option<i64> = match want {
        Want::Seats(seats) => {
            let (known, sum): (u32, Option<i64>) = sqlite::query_as(
                // CROSS: the few seats that are wanted first, never a scan of the event's.
                "SELECT count(*), sum(price) FROM json_each($2) \
                 CROSS JOIN seats ON seats.event = $1 AND seats.seat = json_each.value \
                 JOIN sections ON sections.event = $1 AND sections.position = seats.section",
            )
            .bind(event)
            .bind(rows::json(seats))
            .fetch_one(conn)
            .await?;
            sum.filter(|_| known == want.units())
        }
        Want::Area { section, quantity } => {
            let price: Option<i64> = sqlite::query_scalar(
                "SELECT price FROM sections WHERE event = $1 AND name = $2 AND capacity IS NOT NULL",
            )
            .bind(event)
            .bind(section.as_str())
            .fetch_optional(conn)
            .await?;
            price.and_then(|price| price.checked_mul(i64::from(*quantity)))
        }
    };
    Ok(priced.ok_or(Refusal::NotLive)?)
}

/// Takes the places for a claim that has none yet: all of them or a refusal, which undoes the transaction. What
/// lapsed payments still have of them is freed first, however many wait for the sweeper.
async fn take(conn: &mut SqliteConnection, claim: &Claim, now: Timestamp) -> Result<(), Error> {
    let taken = match &claim.want {
        Want::Seats(seats) => {
            let lapsed = rows::lapsed_with_seats(conn, claim.hold.event, seats, now).await?;
            free_lapsed(conn, lapsed, now).await?;
            let done = sqlite::query(
                "INSERT INTO claim_seats (event, seat, booking, fence, state) \
                 SELECT $1, value, $2, $3, 'TAKEN' FROM json_each($4) WHERE true \
                 ON CONFLICT (event, seat) DO UPDATE \
                 SET booking = excluded.booking, fence = excluded.fence, state = excluded.state \
                 WHERE claim_seats.state = 'FREE' AND claim_seats.fence < excluded.fence",
            )
            .bind(claim.hold.event)
            .bind(claim.booking)
            .bind(rows::number(claim.fence))
            .bind(rows::json(seats))
            .execute(conn)
            .await?;
            done == u64::from(claim.want.units())
        }
        Want::Area { section, quantity } => {
            let event = claim.hold.event;
            let mut taken = take_area(conn, event, section, *quantity).await?;
            while !taken {
                let lapsed = rows::lapsed_in_area(conn, event, section, now, LAPSED_AT_ONCE).await?;
                if lapsed.is_empty() {
                    break;
                }
                free_lapsed(conn, lapsed, now).await?;
                taken = take_area(conn, event, section, *quantity).await?;
            }
            taken
        }
    };
    if taken { Ok(()) } else { Err(Refusal::Taken.into()) }
}

async fn take_area(
    conn: &mut SqliteConnection,
    event: EventId,
    section: &str,
    quantity: u32,
) -> Result<bool, Error> {
    let done = sqlite::query(
        "UPDATE sections SET taken = taken + $3 WHERE event = $1 AND name = $2 AND taken + $3 <= capacity",
    )
    .bind(event)
    .bind(section)
    .bind(quantity)
    .execute(conn)
    .await?;
    Ok(done == 1)
}

/// Makes the places of a claim in payment, or lapsed, sold; changes nothing if somebody has taken one of them.
async fn settle(conn: &mut SqliteConnection, claim: &Claim) -> Result<bool, Error> {
    let seats = match &claim.want {
        Want::Area { section, quantity } => {
            // A lapsed claim no longer counts in its area: it has to find room again.
            return match claim.state {
                ClaimState::Lapsed => take_area(conn, claim.hold.event, section, *quantity).await,
                _ => Ok(true),
            };
        }
        Want::Seats(seats) => rows::json(seats),
    };
    let (ours, free): (u32, u32) = sqlite::query_as(
        "SELECT count(*), coalesce(sum(c.state = 'FREE'), 0) FROM json_each($2) CROSS JOIN claim_seats AS c \
         ON c.event = $1 AND c.seat = json_each.value AND c.booking = $3",
    )
    .bind(claim.hold.event)
    .bind(seats.as_str())
    .bind(claim.booking)
    .fetch_one(&mut *conn)
    .await?;
    if ours != claim.want.units() {
        return Ok(false);
    }
    if free > 0 {
        // A lapsed claim's. What is taken stays so, and no page of its is written.
        set_seats(conn, claim, &seats, "TAKEN").await?;
    }
    Ok(true)
}

/// Gives back what a claim has, and ends it in `state`.
async fn free(
    conn: &mut SqliteConnection,
    claim: &mut Claim,
    state: ClaimState,
    now: Timestamp,
) -> Result<(), Error> {
    match &claim.want {
        // Only the rows that are its own: a lapsed claim's may be somebody else's by now.
        Want::Seats(seats) => set_seats(conn, claim, &rows::json(seats), "FREE").await?,
        Want::Area { section, quantity } if claim.state != ClaimState::Lapsed => {
            sqlite::query("UPDATE sections SET taken = taken - $3 WHERE event = $1 AND name = $2")
                .bind(claim.hold.event)
                .bind(section.as_str())
                .bind(quantity)
                .execute(&mut *conn)
                .await?;
        }
        Want::Area { .. } => {}
    }
    rows::set_state(conn, claim, state, now).await
}

async fn set_seats(
    conn: &mut SqliteConnection,
    claim: &Claim,
    seats: &str,
    state: &'static str,
) -> Result<(), Error> {
    sqlite::query(
        "UPDATE claim_seats SET state = $4 \
         WHERE event = $1 AND seat IN (SELECT value FROM json_each($2)) AND booking = $3",
    )
    .bind(claim.hold.event)
    .bind(seats)
    .bind(claim.booking)
    .bind(state)
    .execute(conn)
    .await?;
    Ok(())
}
