//! Holds that are judged in one statement.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;
use ticketblitz_core::EventId;
use ticketblitz_core::id::Uuid;
use tokio::time::Instant;

use super::PostgresStore;
use super::answer::{blocked_seats, list, seats};
use super::ask::Effect;
use crate::error::{Conflicts, LockError};
use crate::queue::{Failed, Queue, Together};
use crate::types::{Hold, HoldRequest};

/// A request as the statement is told it, with the others of the call.
#[derive(Debug)]
pub(crate) struct Judged {
    attempt: Uuid,
    owner: String,
    limit: Option<i64>,
    seats: Vec<String>,
}

impl Together for PostgresStore {
    /// Holds of different seats do not wait for each other, and who is alone has the best of it.
    const MAKES_HOLDS: bool = false;
    type Asked = Judged;
    /// Its refusal, if it has lost.
    type Told = Option<LockError>;

    fn queue(&self) -> &Queue<Self> {
        &self.queue
    }

    fn patience(&self) -> Duration {
        self.timeout
    }

    fn pack(request: &HoldRequest) -> Judged {
        Judged {
            attempt: request.attempt.as_uuid(),
            owner: request.owner.as_str().to_owned(),
            limit: request.limit.map(i64::from),
            seats: request.want.seats().iter().map(ToString::to_string).collect(),
        }
    }

    async fn send(&self, event: EventId, holds: Vec<Judged>) -> Result<Vec<Option<LockError>>, Failed> {
        let count = holds.len();
        match self.rows(self.query_of(event, holds), Effect::None).await {
            // What cannot be read changed nothing either: each has its own answer.
            Ok(rows) => Ok(read(&rows, count).unwrap_or_else(|_| vec![None; count])),
            // One of them may be why, and is told so by itself.
            Err(error) if is_of_the_server(&error) => Ok(vec![None; count]),
            Err(error) => Err(Failed { error, lost: false }),
        }
    }

    fn read(_request: &HoldRequest, told: Option<LockError>) -> Result<Option<Hold>, LockError> {
        told.map_or(Ok(None), Err)
    }

    async fn by_itself(&self, request: &HoldRequest, began: Instant) -> Result<Hold, LockError> {
        self.hold_alone(request, began).await
    }
}

impl PostgresStore {
    fn query_of(&self, event: EventId, holds: Vec<Judged>) -> super::Query {
        let count = holds.len();
        let (mut attempts, mut owners) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let (mut limits, mut ends) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut seats = Vec::with_capacity(count);
        for hold in holds {
            attempts.push(hold.attempt);
            owners.push(hold.owner);
            limits.push(hold.limit);
            seats.extend(hold.seats);
            // No call has that many.
            ends.push(i32::try_from(seats.len()).unwrap_or(i32::MAX));
        }
        let query = sqlx::query(self.statements.losers()).bind(event.as_uuid()).bind(attempts);
        query.bind(owners).bind(limits).bind(seats).bind(ends).bind(self.told_time())
    }
}

/// Whether the server answered, if only that it would not; and not after all the time there was for it.
fn is_of_the_server(error: &LockError) -> bool {
    match error {
        LockError::Backend { source } => {
            let source = source.downcast_ref::<sqlx::Error>();
            let cancelled = |error: &sqlx::Error| {
                error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("57014"))
            };
            source.is_some_and(|error| error.as_database_error().is_some() && !cancelled(error))
        }
        _ => true,
    }
}

/// The rows are those that have lost.
fn read(rows: &[PgRow], count: usize) -> Result<Vec<Option<LockError>>, sqlx::Error> {
    let mut all = vec![None; count];
    for row in rows {
        let place: i32 = row.try_get("place")?;
        let blocked = seats(&list::<String>(row, "blocked")?)?;
        let conflicts = blocked_seats(
            &blocked,
            &list::<String>(row, "states")?,
            &list(row, "untils")?,
            row.try_get("moment")?,
        )?;
        let told = usize::try_from(place - 1).ok().and_then(|place| all.get_mut(place));
        *told.ok_or(sqlx::Error::RowNotFound)? = Some(LockError::Unavailable(Conflicts::of_seats(conflicts)));
    }
    Ok(all)
}
