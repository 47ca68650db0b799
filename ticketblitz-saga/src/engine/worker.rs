//! Which sagas are driven when.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use ticketblitz_core::{Timestamp, sqlite};
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Engine, drive};
use crate::Error;
use crate::rows::Stored;
use crate::sqlite::in_progress;
use crate::timer::sleep_until;

/// A saga's name and key.
type Id = (String, String);

/// Sagas that one search finds at the most; the next one, at once if there may be others, finds the others.
const SEARCHED: usize = 1_000;

/// Sagas that wait to be driven and are kept as they were committed; more than these are read when it is their turn.
const KNOWN: usize = 1_000;

/// What is known of a saga that is to be driven: as it was committed, or nothing, and then it is read.
type Known = Option<Stored>;

#[derive(Default)]
struct Desk {
    /// To be driven, each once.
    queue: VecDeque<Id>,
    queued: HashMap<Id, Known>,
    running: HashSet<Id>,
    /// Moved while they were being driven: to be looked at once more.
    moved: HashSet<Id>,
    /// When the next of those that rest is due.
    next_due: Option<Timestamp>,
}

impl Desk {
    fn add(&mut self, id: Id, known: Known) {
        if self.running.contains(&id) {
            // Whether it was driven to before or after this, nobody knows.
            self.moved.insert(id);
            return;
        }
        let known = known.filter(|_| self.queue.len() < KNOWN);
        match self.queued.entry(id) {
            Entry::Occupied(mut queued) => {
                let version = |known: &Known| known.as_ref().map(|saga| saga.row.version);
                if version(&known) > version(queued.get()) {
                    queued.insert(known);
                }
            }
            Entry::Vacant(queued) => {
                self.queue.push_back(queued.key().clone());
                queued.insert(known);
            }
        }
    }

    fn moved(&mut self, sagas: Vec<Stored>) {
        for saga in sagas {
            self.add((saga.name.clone(), saga.key.clone()), Some(saga));
        }
    }

    fn take(&mut self) -> Option<(Id, Known)> {
        let id = self.queue.pop_front()?;
        let known = self.queued.remove(&id).flatten();
        self.running.insert(id.clone());
        Some((id, known))
    }

    /// It rests, unless it moved meanwhile.
    fn ended(&mut self, id: Id, until: Option<Timestamp>) {
        self.running.remove(&id);
        self.next_due = self.next_due.into_iter().chain(until).min();
        if self.moved.remove(&id) {
            self.add(id, None);
        }
    }
}

pub(super) async fn run(engine: &Engine, shutdown: CancellationToken) {
    let most = engine.options.concurrency.max(1);
    let mut desk = Desk::default();
    let mut driving: JoinSet<Option<Timestamp>> = JoinSet::new();
    let mut driven: HashMap<task::Id, Id> = HashMap::new();
    let mut commits = engine.shared.commits.clone();
    let mut searches = tokio::time::interval(engine.options.search_interval);
    searches.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Later than any moment: what was left behind may be of a clock that was ahead.
    let mut latest = Timestamp::from_micros(i64::MAX);
    while !shutdown.is_cancelled() {
        let free = most.saturating_sub(driving.len());
        let (ids, mut known): (Vec<Id>, Vec<Known>) = std::iter::from_fn(|| desk.take()).take(free).unzip();
        if let Err(error) = drive::make_sure(engine, &mut known).await {
            tracing::warn!(%error, "where sagas stand cannot be looked up");
            known.fill(None);
        }
        for (id, known) in ids.into_iter().zip(known) {
            let task = driving.spawn(one(engine.clone(), id.clone(), known, shutdown.clone()));
            driven.insert(task.id(), id);
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = driving.join_next_with_id() => {
                let (task, until) = match ended {
                    Ok(ended) => ended,
                    // Drives catch the panics of steps; one of its own must not stop the others.
                    Err(error) => {
                        tracing::error!(%error, "the driving of a saga broke off; a search finds it again");
                        (error.id(), None)
                    }
                };
                // A move that it began with must not be taken for one that came after its end.
                desk.moved(engine.shared.moved());
                if let Some(id) = driven.remove(&task) {
                    desk.ended(id, until);
                }
            }
            changed = commits.changed() => match changed {
                Ok(()) => desk.moved(engine.shared.moved()),
                Err(_) => break, // the database is closed
            },
            // What was found last is worked off first.
            () = sleep_until(&*engine.shared.clock, desk.next_due), if desk.queue.len() < most => {
                search(engine, &mut desk).await;
            }
            _ = searches.tick() => {
                let now = engine.shared.clock.now();
                if now < latest {
                    hurry(engine, now).await;
                }
                latest = now;
                search(engine, &mut desk).await;
            }
        }
    }
    while driving.join_next().await.is_some() {}
}

async fn one(engine: Engine, id: Id, known: Known, stop: CancellationToken) -> Option<Timestamp> {
    match drive::drive(&engine, (&id.0, &id.1), known, &stop).await {
        Ok(until) => until,
        Err(error) => {
            tracing::warn!(saga = id.0, key = id.1, %error, "a saga could not be driven; a search finds it again");
            None
        }
    }
}

/// After the clock was set back: what failed before that would be tried again only when it has caught up. Deadlines
/// stay what they are.
async fn hurry(engine: &Engine, now: Timestamp) {
    if let Err(error) = hurry_failed(engine, now).await {
        tracing::warn!(%error, "what failed before the clock was set back is tried again late");
    }
}

async fn hurry_failed(engine: &Engine, now: Timestamp) -> Result<(), Error> {
    let any = concat!(
        "SELECT EXISTS (SELECT 1 FROM saga_instance WHERE ",
        in_progress!(),
        " AND wake_at > $1 AND failures > 0 AND updated_at > $1)"
    );
    if !sqlite::query_scalar(any).bind(now).fetch_one(engine.db.readers()).await? {
        return Ok(()); // so it is but for once in a blue moon: nothing to commit
    }
    engine
        .db
        .write(move |conn| {
            Box::pin(async move {
                let hurry = concat!(
                    "UPDATE saga_instance SET wake_at = $1 WHERE ",
                    in_progress!(),
                    " AND wake_at > $1 AND failures > 0 AND updated_at > $1"
                );
                Ok(sqlite::query(hurry).bind(now).execute(conn).await.map(drop)?)
            })
        })
        .await
}

/// Finds who is due, and when the next one will be.
async fn search(engine: &Engine, desk: &mut Desk) {
    match due(engine).await {
        Ok((ids, next)) => {
            let (found, before) = (ids.len(), desk.queue.len());
            // Those that are being driven were due when that began.
            let resting: Vec<Id> = ids.into_iter().filter(|id| !desk.running.contains(id)).collect();
            resting.into_iter().for_each(|id| desk.add(id, None));
            // Where a full page held nothing new, the regular search goes on.
            let more = found == SEARCHED && desk.queue.len() > before;
            desk.next_due = if more { Some(Timestamp::EPOCH) } else { next };
        }
        Err(error) => {
            // The regular search tries again.
            desk.next_due = None;
            tracing::warn!(%error, "cannot search for sagas that are due");
        }
    }
}

async fn due(engine: &Engine) -> Result<(Vec<Id>, Option<Timestamp>), Error> {
    let now = engine.shared.clock.now();
    let due = concat!(
        "SELECT name, key FROM saga_instance WHERE ",
        in_progress!(),
        " AND wake_at <= $1 ORDER BY wake_at LIMIT $2"
    );
    let due = sqlite::query_as(due)
        .bind(now)
        .bind(i64::try_from(SEARCHED).unwrap_or(i64::MAX))
        .fetch_all(engine.db.readers())
        .await?;
    let next = concat!("SELECT min(wake_at) FROM saga_instance WHERE ", in_progress!(), " AND wake_at > $1");
    let next = sqlite::query_scalar(next).bind(now).fetch_one(engine.db.readers()).await?;
    Ok((due, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Row, Shape};

    fn at_version(version: u64) -> Stored {
        let row = Row::begin(&Shape::default(), String::new());
        Stored {
            name: "order".to_owned(),
            key: "1".to_owned(),
            definition: 1,
            node_name: String::new(),
            row: Row { version, ..row },
            wake_at: None,
            started_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
        }
    }

    fn known(desk: &mut Desk) -> Option<Option<u64>> {
        desk.take().map(|(_, known)| known.map(|saga| saga.row.version))
    }

    #[test]
    fn a_saga_is_driven_from_its_last_move_and_read_where_that_is_not_sure() {
        let mut desk = Desk::default();
        desk.moved(vec![at_version(2), at_version(3), at_version(1)]);
        let id = ("order".to_owned(), "1".to_owned());
        desk.add(id.clone(), None);
        assert_eq!(known(&mut desk), Some(Some(3)));
        assert_eq!(known(&mut desk), None, "once");
        // Moved while it is driven: perhaps that was driven already.
        desk.moved(vec![at_version(4)]);
        assert_eq!(known(&mut desk), None, "it is being driven");
        desk.ended(id.clone(), None);
        assert_eq!(known(&mut desk), Some(None));
        desk.ended(id, None);
        assert_eq!(known(&mut desk), None);
    }
}
