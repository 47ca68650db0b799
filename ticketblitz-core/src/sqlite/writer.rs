//! The task that writes: it runs what waits, each piece behind a savepoint, and commits once for all of it.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::{Connection, Executor, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};

use super::Error;

/// Work that may wait before callers wait too.
const QUEUE: usize = 4_096;
/// Pieces of work in one transaction at the most, so that the first of them is not kept for long.
const BATCH: usize = 256;

/// Tells a caller how the commit went.
type Reply = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Work of any type with its caller's answer.
trait Job: Send {
    /// Runs the work; says whether to keep what it did, and how to tell the caller once that is committed.
    fn run(self: Box<Self>, connection: &mut SqliteConnection) -> BoxFuture<'_, (bool, Reply)>;
    /// Tells the caller that the work was not run.
    fn refuse(self: Box<Self>, error: Error);
}

struct Task<F, T, E> {
    work: F,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Task<F, T, E>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn run(self: Box<Self>, connection: &mut SqliteConnection) -> BoxFuture<'_, (bool, Reply)> {
        let Self { work, answer } = *self;
        Box::pin(async move {
            // A panic must not take the writer along with everybody else's work.
            let result = AssertUnwindSafe(async { work(connection).await }).catch_unwind().await;
            let result = result.unwrap_or_else(|_| Err(failed("the work panicked").into()));
            let keep = result.is_ok();
            let reply: Reply = Box::new(move |committed| {
                let result = result.and_then(|value| committed.map(|()| value).map_err(E::from));
                // The caller may have gone; the work stands all the same.
                let _ = answer.send(result);
            });
            (keep, reply)
        })
    }

    fn refuse(self: Box<Self>, error: Error) {
        let _ = self.answer.send(Err(error.into()));
    }
}

#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Message>,
    commits: watch::Receiver<u64>,
}

enum Message {
    Work(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    pub(super) fn spawn(connection: SqliteConnection) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (count, commits) = watch::channel(0);
        tokio::spawn(run(connection, queue, count));
        Self { jobs, commits }
    }

    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    pub(super) async fn submit<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Task { work, answer });
        if self.jobs.send(Message::Work(job)).await.is_err() {
            return Err(Error::closed().into());
        }
        answered.await.unwrap_or_else(|_| Err(Error::closed().into()))
    }

    pub(super) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.jobs.send(Message::Close(closed)).await.is_ok() {
            let _ = done.await;
        }
    }
}

fn failed(what: &str) -> Error {
    sqlx::Error::Protocol(what.to_owned()).into()
}

async fn run(
    mut connection: SqliteConnection,
    mut queue: mpsc::Receiver<Message>,
    commits: watch::Sender<u64>,
) {
    let mut closing = None;
    while closing.is_none() {
        let Some(first) = queue.recv().await else { break };
        let mut next = Some(first);
        let mut jobs = Vec::new();
        while let Some(message) = next {
            match message {
                Message::Work(job) => jobs.push(job),
                Message::Close(closed) => {
                    closing = Some(closed);
                    break;
                }
            }
            next = if jobs.len() < BATCH { queue.try_recv().ok() } else { None };
        }
        if !jobs.is_empty() {
            run_batch(&mut connection, jobs, &commits).await;
        }
    }
    // Closing checkpoints the log into the file; there is nobody left to tell if that fails, and it is
    // repeated at the next opening.
    let _ = connection.close().await;
    if let Some(closed) = closing {
        let _ = closed.send(());
    }
}

async fn run_batch(connection: &mut SqliteConnection, jobs: Vec<Box<dyn Job>>, commits: &watch::Sender<u64>) {
    let begun = connection.execute("BEGIN IMMEDIATE").await;
    let mut outcome = begun.map(drop).map_err(|e| Error::new("cannot begin a transaction", e));
    let mut replies = Vec::with_capacity(jobs.len());
    for job in jobs {
        if let Err(error) = &outcome {
            job.refuse(error.clone());
            continue;
        }
        let (reply, ran) = run_one(connection, job).await;
        replies.extend(reply);
        outcome = ran;
    }
    if outcome.is_ok() {
        let committed = connection.execute("COMMIT").await;
        outcome = committed.map(drop).map_err(|e| Error::new("cannot commit", e));
    }
    if outcome.is_err() {
        // After a failed COMMIT the transaction may still be open or be gone already; either is fine now.
        let _ = connection.execute("ROLLBACK").await;
    } else {
        commits.send_modify(|count| *count += 1);
    }
    for reply in replies {
        reply(outcome.clone());
    }
}

/// Runs one piece behind a savepoint. An error here is the connection's, not the work's: the whole batch fails.
async fn run_one(connection: &mut SqliteConnection, job: Box<dyn Job>) -> (Option<Reply>, Result<(), Error>) {
    if let Err(error) = connection.execute("SAVEPOINT work").await {
        let error = Error::new("cannot begin a savepoint", error);
        job.refuse(error.clone());
        return (None, Err(error));
    }
    let (keep, reply) = job.run(connection).await;
    let end = if keep { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" };
    let ended = connection.execute(end).await.map(drop).map_err(|e| Error::new("cannot end a savepoint", e));
    (Some(reply), ended)
}
