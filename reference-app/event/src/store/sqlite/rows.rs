//! Events as rows.

use std::sync::Arc;

use contract::event::{BookingMode, Section};
use ticketblitz_core::EventId;
use ticketblitz_core::sqlite::{self, SqliteConnection};

use super::phase_text;
use crate::domain::{Phase, Record, Spec, State, places};
use crate::store::Error;

/// What [`record`] reads, for a `WHERE` to follow.
pub(super) const SELECT: &str = "SELECT id, organizer, name, venue, starts_at, time_zone, currency, mode, \
                                 max_per_customer, sales_start, sales_end, waiting_room, sections, taken, phase, \
                                 version FROM events JOIN layouts ON event = id";

/// What [`state`] reads: nothing of the layout.
pub(super) const SELECT_STATE: &str = "SELECT id, taken, phase, version FROM events";

pub(super) async fn insert(conn: &mut SqliteConnection, record: &Record) -> Result<(), Error> {
    let spec = &record.spec;
    sqlite::query(
        "INSERT INTO events (id, organizer, name, venue, name_folded, venue_folded, starts_at, time_zone, currency, \
         mode, max_per_customer, sales_start, sales_end, waiting_room, total, taken, phase, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(record.id)
    .bind(record.organizer)
    .bind(spec.name.as_str())
    .bind(spec.venue.as_str())
    .bind(folded(&spec.name))
    .bind(folded(&spec.venue))
    .bind(spec.starts_at)
    .bind(spec.time_zone.as_str())
    .bind(spec.currency)
    .bind(mode_text(spec.mode))
    .bind(spec.max_per_customer)
    .bind(spec.sales_start)
    .bind(spec.sales_end)
    .bind(spec.waiting_room)
    .bind(places(&spec.sections))
    .bind(record.taken)
    .bind(phase_text(record.phase))
    .bind(number(record.version))
    .execute(&mut *conn)
    .await?;
    sqlite::query("INSERT INTO layouts (event, sections) VALUES ($1, $2)")
        .bind(record.id)
        .bind(json(&spec.sections))
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn update(
    conn: &mut SqliteConnection,
    id: EventId,
    version: u64,
    spec: &Spec,
) -> Result<bool, Error> {
    let updated = sqlite::query(
        "UPDATE events SET name = $3, venue = $4, name_folded = $5, venue_folded = $6, starts_at = $7, \
         time_zone = $8, currency = $9, mode = $10, max_per_customer = $11, sales_start = $12, sales_end = $13, \
         waiting_room = $14, total = $15, version = version + 1 \
         WHERE id = $1 AND version = $2 AND phase = 'PUBLISHED'",
    )
    .bind(id)
    .bind(number(version))
    .bind(spec.name.as_str())
    .bind(spec.venue.as_str())
    .bind(folded(&spec.name))
    .bind(folded(&spec.venue))
    .bind(spec.starts_at)
    .bind(spec.time_zone.as_str())
    .bind(spec.currency)
    .bind(mode_text(spec.mode))
    .bind(spec.max_per_customer)
    .bind(spec.sales_start)
    .bind(spec.sales_end)
    .bind(spec.waiting_room)
    .bind(places(&spec.sections))
    .execute(&mut *conn)
    .await?;
    if updated == 1 {
        sqlite::query("UPDATE layouts SET sections = $2 WHERE event = $1")
            .bind(id)
            .bind(json(&spec.sections))
            .execute(conn)
            .await?;
    }
    Ok(updated == 1)
}

pub(super) fn records(rows: &[sqlite::Row]) -> Result<Vec<Record>, Error> {
    Ok(rows.iter().map(record).collect::<Result<_, _>>()?)
}

pub(super) fn record(row: &sqlite::Row) -> Result<Record, sqlite::Error> {
    let sections: Vec<Section> =
        serde_json::from_str(&row.try_get::<String>("sections")?).map_err(sqlite::Error::decode)?;
    let spec = Spec {
        name: row.try_get("name")?,
        venue: row.try_get("venue")?,
        starts_at: row.try_get("starts_at")?,
        time_zone: row.try_get("time_zone")?,
        currency: row.try_get("currency")?,
        mode: mode(&row.try_get::<String>("mode")?)?,
        max_per_customer: row.try_get("max_per_customer")?,
        sales_start: row.try_get("sales_start")?,
        sales_end: row.try_get("sales_end")?,
        waiting_room: row.try_get("waiting_room")?,
        sections,
    };
    let State { id, taken, phase, version } = state(row)?;
    Ok(Record { id, organizer: row.try_get("organizer")?, spec: Arc::new(spec), taken, phase, version })
}

pub(super) fn state(row: &sqlite::Row) -> Result<State, sqlite::Error> {
    let version: i64 = row.try_get("version")?;
    Ok(State {
        id: row.try_get("id")?,
        taken: row.try_get("taken")?,
        phase: phase(&row.try_get::<String>("phase")?)?,
        version: u64::try_from(version).unwrap_or_default(),
    })
}

/// A text as it is searched.
pub(super) fn folded(text: &str) -> String {
    text.to_lowercase()
}

fn json(sections: &[Section]) -> String {
    serde_json::to_string(sections).expect("a layout is JSON")
}

fn number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

fn mode_text(mode: BookingMode) -> &'static str {
    match mode {
        BookingMode::Visual => "VISUAL",
        BookingMode::Tatkal => "TATKAL",
    }
}

fn mode(text: &str) -> Result<BookingMode, sqlite::Error> {
    match text {
        "VISUAL" => Ok(BookingMode::Visual),
        "TATKAL" => Ok(BookingMode::Tatkal),
        _ => Err(sqlite::Error::decode(format!("{text} is no booking mode"))),
    }
}

pub(super) fn phase(text: &str) -> Result<Phase, sqlite::Error> {
    match text {
        "DRAFT" => Ok(Phase::Draft),
        "SAMPLE" => Ok(Phase::Sample),
        "PUBLISHED" => Ok(Phase::Published),
        "CANCELLED" => Ok(Phase::Cancelled),
        _ => Err(sqlite::Error::decode(format!("{text} is no phase of an event"))),
    }
}
