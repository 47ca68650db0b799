//! Whether a role can do its work.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use ticketblitz_core::sqlite::{self, Error, Sqlite};
use tokio::sync::{Mutex, MutexGuard};

/// A dependency that takes longer than this to answer is as good as gone.
const PATIENCE: Duration = Duration::from_secs(2);
/// A database is tried at most so often, however often somebody asks: each time is a commit.
const TRIED_EVERY: Duration = Duration::from_secs(1);

type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The dependencies that a role cannot work without, by name.
#[derive(Clone, Default)]
pub struct Health {
    checks: Vec<(&'static str, Check)>,
}

impl Health {
    /// Without dependencies: up as long as it answers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a dependency, and how to find out whether it is there.
    #[must_use]
    pub fn check<F, R>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push((name, Arc::new(move || check().boxed())));
        self
    }

    /// Adds the role's database: it can be read and, by a commit that changes nothing, be written.
    #[must_use]
    pub fn database(self, db: &Sqlite) -> Self {
        let (db, last) = (db.clone(), Arc::new(Mutex::new(None)));
        self.check("database", move || {
            let (db, last) = (db.clone(), Arc::clone(&last));
            async move {
                // Held while it is tried: whoever asks meanwhile gets this answer.
                let mut last: MutexGuard<'_, Option<Tried>> = last.lock().await;
                if let Some(tried) = last.as_ref().filter(|tried| tried.at.elapsed() < TRIED_EVERY) {
                    return tried.result.clone();
                }
                let result = usable(&db).await.map_err(|error| error.to_string());
                *last = Some(Tried { at: Instant::now(), result: result.clone() });
                result
            }
        })
    }

    /// Which of the dependencies are there. Why one is not stands in the log.
    pub async fn readiness(&self) -> BTreeMap<&'static str, bool> {
        let checks = self.checks.iter().map(|(name, check)| async move {
            let result = match tokio::time::timeout(PATIENCE, check()).await {
                Ok(result) => result,
                Err(_) => Err(format!("no answer within {PATIENCE:?}")),
            };
            if let Err(reason) = &result {
                tracing::warn!(check = name, %reason, "a dependency is down");
            }
            (*name, result.is_ok())
        });
        join_all(checks).await.into_iter().collect()
    }
}

/// What came of using a database.
struct Tried {
    at: Instant,
    result: Result<(), String>,
}

async fn usable(db: &Sqlite) -> Result<(), Error> {
    sqlite::query("SELECT count(*) FROM sqlite_master").execute(db.readers()).await?;
    db.write(|conn| {
        Box::pin(async move {
            // Written as it is: a page of the file, and nobody else's work.
            let version: i64 = sqlite::query_scalar("PRAGMA user_version").fetch_one(&mut *conn).await?;
            let same = format!("PRAGMA user_version = {version}");
            sqlite::query(same).execute(conn).await?;
            Ok(())
        })
    })
    .await
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.checks.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions, Executor};

    /// It is tried no more than once in a while: looked at until it is so.
    async fn becomes(health: &Health, up: bool) {
        let looking = async {
            while health.readiness().await["database"] != up {
                tokio::time::sleep(Duration::from_millis(20)).await; // between two looks
            }
        };
        tokio::time::timeout(Duration::from_secs(30), looking).await.expect("in time");
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_written_is_down_until_it_can() {
        let dir = tempfile::tempdir().expect("a directory");
        let db = Sqlite::open(dir.path().join("test.db")).await.expect("opens");
        let health = Health::new().database(&db);
        becomes(&health, true).await;
        let before = *db.commits().borrow();
        for _ in 0..20 {
            health.readiness().await;
        }
        assert!(*db.commits().borrow() <= before + 2, "a look is not a commit each");
        let options = SqliteConnectOptions::new().filename(db.path());
        let mut other = options.connect().await.expect("opens");
        other.execute("BEGIN IMMEDIATE").await.expect("locked");
        becomes(&health, false).await;
        other.execute("ROLLBACK").await.expect("unlocked");
        becomes(&health, true).await;
    }
}
