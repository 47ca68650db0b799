//! A request for a hold as the statement takes it.

use std::fmt::Write;

use sqlx::SqlStr;

use super::Query;
use super::ask::micros;
use crate::types::{HoldId, HoldRequest, Want};

pub(super) fn query(statement: SqlStr, request: &HoldRequest, now: Option<i64>) -> Query {
    let wants = Wants::of(request.candidates());
    sqlx::query(statement)
        .bind(request.event.as_uuid())
        .bind(HoldId::in_event(request.event).as_uuid())
        .bind(request.attempt.as_uuid())
        .bind(request.owner.as_str().to_owned())
        .bind(micros(request.ttl))
        .bind(micros(request.ceiling))
        .bind(request.limit.map(i64::from))
        .bind(wants.seats)
        .bind(wants.ends)
        .bind(wants.sections)
        .bind(wants.quantities)
        .bind(all_of(request))
        .bind(request.channels.clone())
        .bind(request.replacing.map(|hold| hold.hold.as_uuid()))
        .bind(now)
}

/// What is wanted in arrays: the seats of all, where each one's end, and the sections and units of those in areas.
#[derive(Default)]
pub(super) struct Wants {
    pub(super) seats: Vec<String>,
    pub(super) ends: Vec<i32>,
    pub(super) sections: Vec<Option<String>>,
    pub(super) quantities: Vec<Option<i64>>,
}

impl Wants {
    fn of<'a>(wants: impl Iterator<Item = &'a Want>) -> Self {
        let mut all = Self::default();
        for want in wants {
            let (section, quantity) = match want {
                Want::Seats(seats) => {
                    all.seats.extend(seats.iter().map(ToString::to_string));
                    (None, None)
                }
                Want::Area { section, quantity } => (Some(section.clone()), Some(i64::from(*quantity))),
            };
            // No request has more seats than a hold may have.
            all.ends.push(i32::try_from(all.seats.len()).unwrap_or(i32::MAX));
            all.sections.push(section);
            all.quantities.push(quantity);
        }
        all
    }
}

/// All candidates in one text, for a repeat to be compared with; none if there is but one, which the hold itself has.
fn all_of(request: &HoldRequest) -> Option<String> {
    if request.alternatives.is_empty() {
        return None;
    }
    let mut text = String::new();
    for want in request.candidates() {
        // To write into a string cannot fail. The section's length keeps its end apart from what follows.
        match want {
            Want::Seats(seats) => {
                for seat in seats {
                    let _ = write!(text, "{seat} ");
                }
                text.push('|');
            }
            Want::Area { section, quantity } => {
                let _ = write!(text, "{quantity} of {} {section}|", section.len());
            }
        }
    }
    Some(text)
}
