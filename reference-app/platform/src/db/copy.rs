//! Copies of several databases, all of one moment, beside whoever writes to them.
//!
//! Copied one after the other, the files would be of different moments: a booking without the claim it was made of, an
//! inbox that has what the outbox has not. So every file's write lock is taken, and only for as long as it takes to
//! begin a reading transaction in each: what those see is what a power cut at that instant would have left. The rows
//! are copied afterwards, while everybody writes on.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection};

use super::{refused, sentence};
use crate::service::StartError;

/// How long a reader waits for the owner to open or close the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Writers are kept waiting no longer than this at a time, whatever the lock of one file takes to come by.
const HOLD: Duration = Duration::from_millis(250);
/// Between two tries of a lock.
const TRY_AGAIN: Duration = Duration::from_millis(1);
/// After a try that took too long: those who waited go first. SQLite looks for a lock every 100 ms.
const LET_OTHERS: Duration = Duration::from_millis(300);
/// A file that is locked for longer than this is not merely busy.
const GIVE_UP: Duration = Duration::from_secs(60);

/// A database that is being copied: its writers' lock, and what it holds at the moment of the copy.
struct Source {
    path: PathBuf,
    copy: PathBuf,
    lock: SqliteConnection,
    locked: bool,
    reader: SqliteConnection,
}

/// Copies `{from}/{name}.db` to `{to}/{name}.db` for each of `names`, all as they are at one moment. Answers how long
/// writers could have to wait for it. One copy at a time: two would leave writers no room between them.
///
/// # Errors
/// A sentence that names the file. What was written in `to` until then is no copy.
pub async fn copy_together(from: &Path, names: &[&str], to: &Path) -> Result<Duration, StartError> {
    let mut sources = Vec::with_capacity(names.len());
    for name in names {
        sources.push(Source::open(from, to, name).await?);
    }
    let held = lock(&mut sources).await?;
    for source in &mut sources {
        source.see().await.map_err(|error| sentence(&source.path, &error))?;
    }
    for source in &mut sources {
        source.unlock().await?;
    }
    let held = held.elapsed();
    for source in sources {
        let copy = source.copy.clone();
        source.copy().await.map_err(|error| sentence(&copy, &error))?;
    }
    for name in names {
        check(&to.join(format!("{name}.db"))).await?;
    }
    Ok(held)
}

impl Source {
    async fn open(from: &Path, to: &Path, name: &str) -> Result<Self, StartError> {
        let file = format!("{name}.db");
        let (path, copy) = (from.join(&file), to.join(&file));
        let options = SqliteConnectOptions::new().filename(&path).disable_statement_logging();
        // Of a copy it is known already that its rows fit together.
        let reading = options.clone().foreign_keys(false).busy_timeout(BUSY_TIMEOUT);
        let lock = options.busy_timeout(Duration::ZERO).connect().await;
        let unreadable =
            |error: sqlx::Error| refused(&path, &error).unwrap_or_else(|| sentence(&path, &error));
        let lock = lock.map_err(unreadable)?;
        let mut reader = reading.connect().await.map_err(unreadable)?;
        // Before anything is said of the copy: what cannot be read would look like a copy that cannot be written.
        reader.execute("SELECT count(*) FROM sqlite_master").await.map_err(unreadable)?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy);
        made.map_err(|error| sentence(&copy, &error))?;
        let attached = async {
            let attach = sqlx::query("ATTACH $1 AS copy").bind(copy.to_string_lossy().into_owned());
            attach.execute(&mut reader).await?;
            // One transaction, of a file that is thrown away if it fails.
            reader.execute("PRAGMA copy.journal_mode = OFF; PRAGMA copy.synchronous = OFF").await
        };
        attached.await.map_err(|error| sentence(&copy, &error))?;
        Ok(Self { path, copy, lock, locked: false, reader })
    }

    /// False: somebody is writing. An error once that has gone on for too long since `asked`.
    async fn try_lock(&mut self, asked: Instant) -> Result<bool, StartError> {
        match self.lock.execute("BEGIN IMMEDIATE").await {
            Ok(_) => self.locked = true,
            Err(error) if is_busy(&error) && asked.elapsed() < GIVE_UP => {}
            Err(error) => return Err(sentence(&self.path, &error)),
        }
        Ok(self.locked)
    }

    async fn unlock(&mut self) -> Result<(), StartError> {
        if std::mem::take(&mut self.locked) {
            self.lock.execute("ROLLBACK").await.map_err(|error| sentence(&self.path, &error))?;
        }
        Ok(())
    }

    /// From here the reader sees this moment.
    async fn see(&mut self) -> Result<(), sqlx::Error> {
        self.reader.execute("BEGIN; SELECT count(*) FROM main.sqlite_master").await.map(drop)
    }

    /// What the reader sees, row by row. `VACUUM INTO` would see the moment at which it is called.
    async fn copy(mut self) -> Result<(), sqlx::Error> {
        let (tables, indexes) = self.schema().await?;
        for (name, sql) in &tables {
            self.execute(sql.clone()).await?;
            let name = name.replace('"', "\"\"");
            self.execute(format!("INSERT INTO copy.\"{name}\" SELECT * FROM main.\"{name}\"")).await?;
        }
        // One that had numbered tables once keeps the table of their numbers.
        let numbered = "SELECT count(*) FROM copy.sqlite_master WHERE name = 'sqlite_sequence'";
        if sqlx::query_scalar::<_, i64>(numbered).fetch_one(&mut self.reader).await? > 0 {
            self.execute("DELETE FROM copy.sqlite_sequence".to_owned()).await?;
            let numbers = "INSERT INTO copy.sqlite_sequence SELECT * FROM main.sqlite_sequence";
            self.execute(numbers.to_owned()).await?;
        }
        for sql in indexes {
            self.execute(sql).await?;
        }
        for number in ["user_version", "application_id"] {
            let kept: i64 = sqlx::query_scalar(AssertSqlSafe(format!("PRAGMA main.{number}")))
                .fetch_one(&mut self.reader)
                .await?;
            self.execute(format!("PRAGMA copy.{number} = {kept}")).await?;
        }
        self.execute("COMMIT".to_owned()).await?;
        self.reader.close().await?;
        self.lock.close().await
    }

    /// The statements that make the tables, by name, and the indexes, in the copy.
    async fn schema(&mut self) -> Result<(Vec<(String, String)>, Vec<String>), sqlx::Error> {
        let all = "SELECT name, sql FROM main.sqlite_master \
                   WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid";
        let all: Vec<(String, String)> = sqlx::query_as(all).fetch_all(&mut self.reader).await?;
        let (mut tables, mut indexes) = (Vec::new(), Vec::new());
        for (name, sql) in all {
            // SQLite keeps the statement with exactly these words before the name.
            let copied =
                ["CREATE TABLE ", "CREATE UNIQUE INDEX ", "CREATE INDEX "].iter().find_map(|words| {
                    sql.strip_prefix(words).map(|rest| (*words, format!("{words}copy.{rest}")))
                });
            match copied {
                Some(("CREATE TABLE ", sql)) => tables.push((name, sql)),
                Some((_, sql)) => indexes.push(sql),
                None => return Err(sqlx::Error::Protocol(format!("{name} is neither a table nor an index"))),
            }
        }
        Ok((tables, indexes))
    }

    async fn execute(&mut self, sql: String) -> Result<(), sqlx::Error> {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut self.reader).await.map(drop)
    }
}

/// Takes the write lock of every file, or of none for the moment: nobody waits long for a lock that does not come. Each
/// is taken as it is let go, since waiting for one after the other would add up. Answers when it had the first.
async fn lock(sources: &mut [Source]) -> Result<Instant, StartError> {
    let asked = Instant::now();
    loop {
        let Some((first, others)) = sources.split_first_mut() else { return Ok(asked) };
        while !first.try_lock(asked).await? {
            tokio::time::sleep(TRY_AGAIN).await;
        }
        let began = Instant::now();
        let mut open: Vec<&mut Source> = others.iter_mut().collect();
        while !open.is_empty() && began.elapsed() < HOLD {
            let mut still = Vec::with_capacity(open.len());
            for source in open {
                if !source.try_lock(asked).await? {
                    still.push(source);
                }
            }
            open = still;
            // No sleep: a busy writer lets go for microseconds only, and others wait already.
            tokio::task::yield_now().await;
        }
        if open.is_empty() {
            return Ok(began);
        }
        for source in sources.iter_mut() {
            source.unlock().await?;
        }
        tokio::time::sleep(LET_OTHERS).await;
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

/// A copy is one only if it can be read back.
async fn check(path: &Path) -> Result<(), StartError> {
    let unusable = |error: sqlx::Error| sentence(path, &error);
    let options = SqliteConnectOptions::new().filename(path).disable_statement_logging();
    let mut conn = options.connect().await.map_err(unusable)?;
    let found: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut conn).await.map_err(unusable)?;
    let loose = sqlx::query("PRAGMA foreign_key_check").fetch_optional(&mut conn).await.map_err(unusable)?;
    conn.close().await.map_err(unusable)?;
    match (found.as_str(), loose) {
        ("ok", None) => Ok(()),
        (found, _) => Err(StartError(format!("the copy {} is damaged: {found}", path.display()))),
    }
}
