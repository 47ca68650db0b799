//! One connection that everybody shares, made again when it is lost.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::timeout;

use super::driver::{self, Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use super::scripts::Script;
use super::source::{Line, Source};
use super::wire::Args;
use crate::error::LockError;

/// What became of a command that was not answered as it should.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not sent, or the server refused it: nothing has changed.
    Refused(Arc<dyn std::error::Error + Send + Sync>),
    /// It was sent, and nobody knows.
    Lost(Arc<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    pub(super) fn refused(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Refused(Arc::new(source))
    }

    /// Of an operation that changes something.
    pub(super) fn of_change(self) -> LockError {
        match self {
            Self::Refused(source) => LockError::Backend { source },
            Self::Lost(_) => LockError::OutcomeUnknown { attempt: None },
        }
    }

    /// Of what was only to be done before an operation: whatever became of it, nothing of the operation has happened.
    pub(super) fn before(self) -> Self {
        let (Self::Refused(source) | Self::Lost(source)) = self;
        Self::Refused(source)
    }

    /// Of one that only reads: whatever became of it, nothing has changed.
    pub(super) fn of_read(self) -> LockError {
        let (Self::Refused(source) | Self::Lost(source)) = self;
        LockError::Backend { source }
    }
}

/// Why a server is not used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the Redis server's maxmemory-policy is {0}, so that it may forget seats that are sold: it has to be noeviction"
)]
pub(super) struct WrongPolicy(String);

pub(super) struct Link {
    source: Source,
    line: Mutex<Option<Line>>,
    /// One connects; whoever comes meanwhile waits for that connection.
    connecting: Arc<Turn<()>>,
    connect_timeout: Duration,
    response_timeout: Duration,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Link {
    /// Connects to the server.
    pub(super) async fn open(
        source: Source,
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> Result<Arc<Self>, Failure> {
        let (line, connecting) = (Mutex::new(None), Arc::new(Turn::new(())));
        let link = Arc::new(Self { source, line, connecting, connect_timeout, response_timeout });
        link.line().await?;
        Ok(link)
    }

    /// Runs a script, as its hash; as a whole if the server does not have it (any more).
    pub(super) async fn run(
        self: &Arc<Self>,
        script: &Script,
        keys: &[String],
        args: &Args,
    ) -> Result<Value, Failure> {
        let command = |name: &str, what: &str| {
            let mut command = driver::cmd(name);
            command.arg(what).arg(keys.len()).arg(keys);
            for part in args.iter() {
                command.arg(part);
            }
            command
        };
        // What has many parts takes the server longer: a snapshot may have a hundred thousand.
        let longer = Duration::from_micros(50) * u32::try_from(args.len()).unwrap_or(u32::MAX);
        let patience = self.response_timeout.saturating_add(longer);
        let line = self.line().await?;
        match Self::ask(&line, &command("EVALSHA", &script.hash), patience).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                Self::settle(&line, Self::ask(&line, &command("EVAL", script.code), patience).await)
            }
            answer => Self::settle(&line, answer),
        }
    }

    async fn ask(line: &Line, command: &Cmd, patience: Duration) -> Result<Value, RedisError> {
        let mut connection = line.connection.clone();
        let answer = command.query_async(&mut connection);
        timeout(patience, answer)
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    fn settle(line: &Line, answer: Result<Value, RedisError>) -> Result<Value, Failure> {
        answer.map_err(|error| match error.kind() {
            // The server's own word: short of memory or no longer the master, it refuses a script at its first write.
            ErrorKind::Server(_) | ErrorKind::Extension => {
                if is_no_master(&error) {
                    line.hang_up();
                }
                Failure::refused(error)
            }
            _ => {
                line.hang_up();
                Failure::Lost(Arc::new(error))
            }
        })
    }

    /// The connection, made if there is none; in a bounded time, however many want it.
    async fn line(self: &Arc<Self>) -> Result<Line, Failure> {
        if let Some(line) = self.current() {
            return Ok(line);
        }
        let connecting = async {
            let turn = Arc::clone(&self.connecting).lock_owned().await;
            if let Some(line) = self.current() {
                return Ok(line);
            }
            // A task of its own: whoever begins may go away while others wait for it.
            let made = tokio::spawn(Arc::clone(self).make_line(turn)).await;
            made.unwrap_or_else(|ended| Err(Failure::refused(ended)))
        };
        timeout(self.connect_timeout, connecting).await.unwrap_or_else(|_| Err(too_late()))
    }

    async fn make_line(self: Arc<Self>, _turn: OwnedMutexGuard<()>) -> Result<Line, Failure> {
        let made = timeout(self.connect_timeout, self.connect()).await;
        let line = made.unwrap_or_else(|_| Err(too_late()))?;
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.clone());
        Ok(line)
    }

    fn current(&self) -> Option<Line> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.clone().filter(Line::is_up)
    }

    async fn connect(&self) -> Result<Line, Failure> {
        let line = self.source.line().await?;
        let memory = Self::ask(&line, driver::cmd("INFO").arg("memory"), self.connect_timeout).await;
        let memory: String =
            memory.and_then(|text| Ok(driver::from_redis_value(text)?)).map_err(Failure::refused)?;
        match memory.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")) {
            None | Some("noeviction") => Ok(line),
            Some(policy) => Err(Failure::refused(WrongPolicy(policy.to_owned()))),
        }
    }
}

fn too_late() -> Failure {
    Failure::refused(io::Error::from(io::ErrorKind::TimedOut))
}

/// Whether another server is the master by now: the address may lead there already, this connection never will.
fn is_no_master(error: &RedisError) -> bool {
    let kind = error.kind();
    let told = matches!(kind, ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown));
    // Redis 6 says of a script that it failed, and why in the text.
    told || error.detail().is_some_and(|text| text.contains("-READONLY ") || text.contains("-MASTERDOWN "))
}
