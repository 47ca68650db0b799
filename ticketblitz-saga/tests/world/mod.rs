//! A database, an engine that can be crashed, and a list of what the saga's functions did.
#![allow(dead_code)] // each test file uses a part

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ticketblitz_core::sqlite::{self, Sqlite};
use ticketblitz_core::{Backoff, Clock, SystemClock};
use ticketblitz_saga::{Advance, Advanced, Engine, EngineBuilder, EngineOptions, Error, Status};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Applies a token in a transaction of its own.
#[allow(unused_macros)] // each test file uses a part
macro_rules! apply {
    ($world:expr, $token:expr) => {{
        let token = $token;
        let result: Result<_, ticketblitz_saga::Error> =
            $world.db.write(move |conn| Box::pin(async move { token.apply(conn).await })).await;
        result.expect("applied")
    }};
}
#[allow(unused_imports)] // likewise
pub(crate) use apply;

pub const PATIENCE: Duration = Duration::from_secs(30);
pub const SOON: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(5));

/// What happened, in order; whoever waits is told.
#[derive(Debug, Clone)]
pub struct Log(Arc<Mutex<Vec<String>>>, watch::Sender<usize>);

impl Default for Log {
    fn default() -> Self {
        Self(Arc::default(), watch::channel(0).0)
    }
}

impl Log {
    pub fn add(&self, what: impl Into<String>) {
        self.0.lock().expect("not poisoned").push(what.into());
        self.1.send_modify(|length| *length += 1);
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").clone()
    }

    pub fn count(&self, what: &str) -> usize {
        self.all().iter().filter(|entry| *entry == what).count()
    }

    /// Waits until so many things have happened.
    pub async fn reached(&self, length: usize) {
        let mut changes = self.1.subscribe();
        changes.wait_for(|now| *now >= length).await.expect("there is a sender");
    }
}

pub struct World {
    pub dir: tempfile::TempDir,
    pub db: Sqlite,
    pub log: Log,
}

impl World {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let db = Sqlite::open(dir.path().join("saga.db")).await.expect("opens");
        let table: Result<_, Error> = db
            .write(|conn| {
                Box::pin(async {
                    sqlite::query("CREATE TABLE effect (what TEXT NOT NULL)").execute(conn).await?;
                    Ok(())
                })
            })
            .await;
        table.expect("a table");
        Self { dir, db, log: Log::default() }
    }

    pub fn engine(&self) -> EngineBuilder {
        self.engine_with(Arc::new(SystemClock))
    }

    pub fn engine_with(&self, clock: Arc<dyn Clock>) -> EngineBuilder {
        Engine::new(self.db.clone(), clock)
            .options(EngineOptions::default().search_interval(Duration::from_millis(50)))
    }

    /// How often something was committed.
    pub async fn effects(&self, what: &str) -> i64 {
        let count = sqlite::query_scalar("SELECT count(*) FROM effect WHERE what = $1").bind(what);
        count.fetch_one(self.db.readers()).await.expect("counts")
    }
}

/// A local step: an effect and the saga's move in one commit.
pub async fn effect(db: &Sqlite, what: &'static str, advance: Advance) -> Result<Advanced, Error> {
    db.write(move |conn| {
        Box::pin(async move {
            sqlite::query("INSERT INTO effect (what) VALUES ($1)").bind(what).execute(&mut *conn).await?;
            advance.apply(conn).await
        })
    })
    .await
}

/// An engine that works. Dropped, it stops where it is, as in a crash.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub fn begin(engine: &Engine) -> Self {
        let stop = CancellationToken::new();
        let (engine, token) = (engine.clone(), stop.clone());
        Self { stop, task: tokio::spawn(async move { engine.run(token).await }) }
    }

    pub async fn end(mut self) {
        self.stop.cancel();
        (&mut self.task).await.expect("it drains");
    }

    pub async fn crash(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until the saga has this status.
pub async fn until(engine: &Engine, key: &str, status: Status) {
    let look = async {
        let mut views = Vec::new();
        loop {
            let view = engine.view("order", key).await.expect("a view");
            if view.as_ref().is_some_and(|view| view.status == status) {
                return;
            }
            views.push(view);
            tokio::time::sleep(Duration::from_millis(2)).await; // between two looks
        }
    };
    let found = tokio::time::timeout(PATIENCE, look).await;
    assert!(found.is_ok(), "not {status:?}: {:?}", engine.view("order", key).await);
}
