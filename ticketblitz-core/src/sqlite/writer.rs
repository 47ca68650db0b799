//! The thread that writes: it runs what waits, each piece behind a savepoint, and commits once for all of it.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Error, SqliteConnection};

/// Work that may wait before callers wait too.
pub(super) const QUEUE: usize = 4_096;
/// Pieces of work in one transaction at the most, so that the first of them is not kept for long.
const BATCH: usize = 256;
/// When so many shared a commit, as many more are on their way, and the next commit waits for them...
const CROWD: usize = 8;
/// ...this long: where processors are what is short, a commit and the waking of a thread cost each of them more.
const GATHER: Duration = Duration::from_millis(1);

/// The number that the next writer gets; none is 0.
static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The number of the writer whose thread this is, 0 if it is none's.
    static WRITER_OF_THREAD: Cell<u64> = const { Cell::new(0) };
}

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
            let result = result.unwrap_or_else(|_| Err(Error::panicked().into()));
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
    number: u64,
    jobs: mpsc::Sender<Message>,
    commits: watch::Receiver<u64>,
    news: watch::Receiver<u64>,
}

/// The other ends of the counts.
struct Counts {
    commits: watch::Sender<u64>,
    news: watch::Sender<u64>,
}

impl Counts {
    fn committed(&self, news: bool) {
        self.commits.send_modify(|count| *count += 1);
        if news {
            self.news.send_modify(|count| *count += 1);
        }
    }
}

enum Message {
    Work(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// On a thread of its own: a commit waits for the disk, and statements that go from thread to thread cost ten
    /// times what they do.
    pub(super) fn spawn(connection: SqliteConnection) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let ((commits_sender, commits), (news_sender, news)) = (watch::channel(0), watch::channel(0));
        let counts = Counts { commits: commits_sender, news: news_sender };
        let runtime = Handle::try_current().map_err(Error::no_runtime)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let thread = std::thread::Builder::new().name("sqlite-writer".to_owned());
        let write = move || {
            // Work may use what needs a runtime around it.
            let _within = runtime.enter();
            WRITER_OF_THREAD.set(number);
            run(connection, queue, &counts);
        };
        thread.spawn(write).map_err(Error::no_writer)?;
        Ok(Self { number, jobs, commits, news })
    }

    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }

    pub(super) async fn submit<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        if self.is_waiting() {
            return Err(Error::within_itself().into());
        }
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Task { work, answer });
        if self.jobs.send(Message::Work(job)).await.is_err() {
            return Err(Error::closed().into());
        }
        answered.await.unwrap_or_else(|_| Err(Error::closed().into()))
    }

    /// Whether it is this writer that asks, whose thread waits until the work is done that it is running.
    fn is_waiting(&self) -> bool {
        WRITER_OF_THREAD.get() == self.number
    }

    pub(super) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.is_waiting() {
            let jobs = self.jobs.clone();
            Handle::current().spawn(async move { jobs.send(Message::Close(closed)).await.is_ok() });
            return;
        }
        if self.jobs.send(Message::Close(closed)).await.is_ok() {
            let _ = done.await;
        }
    }
}

fn run(mut connection: SqliteConnection, mut queue: mpsc::Receiver<Message>, counts: &Counts) {
    let mut closing = None;
    let mut shared = 0;
    while closing.is_none() {
        let Some(first) = queue.blocking_recv() else { break };
        if shared >= CROWD && queue.len() < BATCH {
            #[allow(clippy::disallowed_methods)] // a thread of its own: it blocks no runtime
            std::thread::sleep(GATHER);
        }
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
        shared = jobs.len();
        if !jobs.is_empty() {
            run_batch(&mut connection, jobs, counts);
        }
    }
    // Closing checkpoints the log into the file; there is nobody left to tell if that fails, and it is
    // repeated at the next opening.
    drop(connection);
    if let Some(closed) = closing {
        let _ = closed.send(());
    }
}

fn run_batch(connection: &mut SqliteConnection, jobs: Vec<Box<dyn Job>>, counts: &Counts) {
    let mut outcome = connection.run("BEGIN IMMEDIATE", "cannot begin a transaction");
    let mut replies = Vec::with_capacity(jobs.len());
    for job in jobs {
        if let Err(error) = &outcome {
            job.refuse(error.clone());
            continue;
        }
        let (reply, ran) = run_one(connection, job);
        replies.extend(reply);
        outcome = ran;
    }
    if outcome.is_ok() {
        outcome = connection.run("COMMIT", "cannot commit");
    }
    let news = connection.take_news();
    if outcome.is_err() {
        // After a failed COMMIT the transaction may still be open or be gone already; either is fine now.
        let _ = connection.run("ROLLBACK", "cannot roll back");
        connection.forget_after(0);
    } else {
        connection.committed();
        counts.committed(news);
    }
    for reply in replies {
        reply(outcome.clone());
    }
}

/// Runs one piece behind a savepoint. An error here is the connection's, not the work's: the whole batch fails.
fn run_one(connection: &mut SqliteConnection, job: Box<dyn Job>) -> (Option<Reply>, Result<(), Error>) {
    if let Err(error) = connection.run("SAVEPOINT work", "cannot begin a savepoint") {
        job.refuse(error.clone());
        return (None, Err(error));
    }
    let after = connection.after();
    let (keep, reply) = block_on(job.run(connection));
    let mut ended = Ok(());
    if !keep {
        connection.forget_after(after);
        ended = connection.run("ROLLBACK TO work", "cannot undo to a savepoint");
    }
    (Some(reply), ended.and_then(|()| connection.run("RELEASE work", "cannot end a savepoint")))
}
