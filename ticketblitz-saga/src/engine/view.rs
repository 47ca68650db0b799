//! What an operator sees of sagas, and can do to them.

use serde::Serialize;
use ticketblitz_core::Timestamp;
use ticketblitz_core::sqlite::query;

use super::Engine;
use crate::rows::{Stored, sealed::Rows as _};
use crate::run::Failure;
use crate::state::{Input, Phase, Wake};
use crate::{Error, sqlite};

/// Where a saga is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// Going forward.
    Running,
    /// Being undone.
    Compensating,
    /// Every node was done.
    Completed,
    /// Everything was undone.
    Failed,
}

/// A saga as an operator sees it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct View {
    /// The definition's name.
    pub name: String,
    /// The definition's version.
    pub version: u32,
    /// The saga's key.
    pub key: String,
    /// Where it is on its way.
    pub status: Status,
    /// The node it stands at: the one to be done, or to be undone.
    pub node: String,
    /// Failures in a row of what it is trying.
    pub failures: u32,
    /// It does nothing until it is [resumed](Engine::resume).
    pub parked: bool,
    /// Nodes whose undo was given up and is still owed.
    pub owed: Vec<String>,
    /// Why it is being, or was, undone.
    pub failure: Option<Failure>,
    /// The last error.
    pub error: Option<String>,
    /// When it acts next, if time makes it: the deadline of a wait, the next try.
    pub wake_at: Option<Timestamp>,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// Its data.
    pub state: serde_json::Value,
}

/// Which sagas to list: the first hundred of all, unless it says otherwise.
///
/// ```
/// use ticketblitz_saga::Filter;
/// let parked = Filter::default().name("booking").parked();
/// # assert!(parked.parked && parked.name.as_deref() == Some("booking"));
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Filter {
    /// Of this name only.
    pub name: Option<String>,
    /// Parked ones only.
    pub parked: bool,
    /// Those in progress only.
    pub live: bool,
    /// Those that follow this (name, key), for the next page.
    pub after: Option<(String, String)>,
    /// So many at most; 100 if this is 0.
    pub limit: u32,
}

impl Filter {
    /// Those of this [`name`](Self::name) only.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// [`parked`](Self::parked) ones only.
    #[must_use]
    pub const fn parked(mut self) -> Self {
        self.parked = true;
        self
    }

    /// Those in progress only, as [`live`](Self::live) says.
    #[must_use]
    pub const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// Those that follow this one, the last of the page before, as [`after`](Self::after) says.
    #[must_use]
    pub fn after(mut self, last: &View) -> Self {
        self.after = Some((last.name.clone(), last.key.clone()));
        self
    }

    /// So many at most, as [`limit`](Self::limit) says.
    #[must_use]
    pub const fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }
}

impl Engine {
    /// The saga `key`, if there is one. Cancel safe: it reads.
    ///
    /// # Errors
    /// The database failed.
    pub async fn view(&self, name: &str, key: &str) -> Result<Option<View>, Error> {
        let mut reader = self.db.readers().acquire()?;
        reader.load(name, key).await?.map(|stored| self.seen(stored)).transpose()
    }

    /// Sagas in the order of (name, key). Cancel safe: it reads.
    ///
    /// # Errors
    /// The database failed.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<View>, Error> {
        let (name, key) = filter.after.clone().unwrap_or_default();
        let rows = query(concat!(
            "SELECT * FROM saga_instance
             WHERE ($1 IS NULL OR name = $1) AND (parked OR NOT $2) AND (",
            sqlite::in_progress!(),
            " OR NOT $3) AND (name, key) > ($4, $5) ORDER BY name, key LIMIT $6"
        ))
        .bind(&filter.name)
        .bind(filter.parked)
        .bind(filter.live)
        .bind(name)
        .bind(key)
        .bind(if filter.limit == 0 { 100 } else { filter.limit })
        .fetch_all(self.db.readers())
        .await?;
        rows.iter().map(|row| self.seen(sqlite::read(row)?)).collect()
    }

    /// Has a parked saga try again what it gave up. False: it is not parked. The reason is kept in `saga_audit`.
    ///
    /// Cancel safe as [`Sqlite::write`](ticketblitz_core::sqlite::Sqlite::write) is.
    ///
    /// # Errors
    /// The saga moved meanwhile, or the database failed.
    pub async fn resume(&self, name: &str, key: &str, reason: &str) -> Result<bool, Error> {
        let (name, key, reason) = (name.to_owned(), key.to_owned(), reason.to_owned());
        let shared = self.shared.clone();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let Some(from) = conn.load(&name, &key).await? else { return Ok(false) };
                    if from.row.wake != Wake::Parked {
                        return Ok(false);
                    }
                    let definition = shared.definition(&name, from.definition)?;
                    let now = shared.clock.now();
                    let to = from.moved(definition, from.row.after(&definition.shape, Input::Resume), now)?;
                    if !conn.update(&to, from.row.version).await? {
                        return Err(Error::conflict(&name, &key));
                    }
                    let audit =
                        "INSERT INTO saga_audit (at, name, key, action, reason) VALUES ($1, $2, $3, $4, $5)";
                    let audit = query(audit).bind(now).bind(&name).bind(&key).bind("resume").bind(reason);
                    audit.execute(&mut *conn).await?;
                    shared.hint(conn, to);
                    Ok(true)
                })
            })
            .await
    }

    fn seen(&self, stored: Stored) -> Result<View, Error> {
        let row = stored.row;
        let definition = self.shared.definition(&stored.name, stored.definition).ok();
        let node_name = |&node: &usize| {
            let node = definition.and_then(|definition| definition.shape.nodes.get(node));
            node.map_or_else(|| String::from("?"), |node| node.name.clone())
        };
        let parked = row.wake == Wake::Parked;
        // A parked saga has moved what it owes back to the list of what it will try next.
        let owed = if parked && row.phase == Phase::Undoing { &row.undos } else { &row.owed };
        Ok(View {
            status: match row.phase {
                Phase::Running => Status::Running,
                Phase::Undoing | Phase::Closing => Status::Compensating,
                Phase::Completed => Status::Completed,
                Phase::Failed => Status::Failed,
            },
            owed: owed.iter().map(node_name).collect(),
            name: stored.name,
            version: stored.definition,
            key: stored.key,
            node: stored.node_name,
            failures: row.failures,
            parked,
            failure: row.failure,
            error: row.error,
            wake_at: stored.wake_at,
            started_at: stored.started_at,
            updated_at: stored.updated_at,
            state: serde_json::from_str(&row.state).map_err(|e| Error::data("a saga's data", e))?,
        })
    }
}
