//! Whether a role can do its work.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use ticketblitz_core::sqlite::{self, Sqlite};

/// A dependency that takes longer than this to answer is as good as gone.
const PATIENCE: Duration = Duration::from_secs(2);

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

    /// Adds the role's database.
    #[must_use]
    pub fn database(self, db: &Sqlite) -> Self {
        let db = db.clone();
        self.check("database", move || {
            let db = db.clone();
            async move {
                let read = sqlite::query("SELECT count(*) FROM sqlite_master").fetch_one(db.readers()).await;
                read.map(drop).map_err(|error| error.to_string())
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

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.checks.iter().map(|(name, _)| name)).finish()
    }
}
