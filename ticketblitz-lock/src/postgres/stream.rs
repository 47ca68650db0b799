//! The expiry stream as the server tells it.

use sqlx::Row;
use sqlx::postgres::PgRow;
use ticketblitz_core::EventId;

use super::answer::HoldRow;
use super::ask::Effect;
use crate::error::LockError;
use crate::types::{Cursor, Expired, Hold};

/// The number of the last hold seen, which is what a cursor says; none at the beginning.
pub(super) fn number(cursor: &Cursor) -> Result<Option<i64>, LockError> {
    if cursor.as_str().is_empty() {
        return Ok(None);
    }
    let seen: u64 = cursor.as_str().parse().map_err(|_| LockError::invalid("not a cursor of this store"))?;
    // One more is counted on from it; no such number is given out in any time.
    Ok(Some(i64::try_from(seen).unwrap_or(i64::MAX).min(i64::MAX - 1)))
}

pub(super) fn read(rows: &[PgRow], after: &Cursor) -> Result<Expired, LockError> {
    columns(rows, after).map_err(|error| Effect::None.failed(error))
}

fn columns(rows: &[PgRow], after: &Cursor) -> Result<Expired, sqlx::Error> {
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let (start, mut missed): (i64, bool) = (first.try_get("start")?, first.try_get("missed")?);
    let mut holds = Vec::with_capacity(rows.len());
    let mut last = None;
    for row in rows {
        let Some(number) = row.try_get::<Option<i64>, _>("n")? else { continue };
        // Numbers have no gaps but where something has been forgotten, while we were reading.
        missed |= number > last.map_or(start, |last| last + 1);
        last = Some(number);
        holds.push(hold(row)?);
    }
    let next = match last {
        Some(number) => Cursor::from_text(number.to_string()),
        None if missed => Cursor::from_text((start - 1).to_string()),
        None => after.clone(),
    };
    Ok(Expired::new(holds, next, missed))
}

/// The hold as it was when it lapsed: nothing is left of its time.
fn hold(row: &PgRow) -> Result<Hold, sqlx::Error> {
    let event = EventId::from_uuid(row.try_get("event")?);
    let until: i64 = row.try_get("until")?;
    Ok(HoldRow::read(row, until)?.into_hold(event))
}
