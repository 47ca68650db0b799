//! Stands between the store and the server, counts what is asked, and loses answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[derive(Clone)]
pub struct Proxy {
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    statements: AtomicU32,
    cutting: AtomicBool,
    frozen: AtomicBool,
    thawed: Notify,
}

impl Proxy {
    pub async fn before(url: &str) -> Self {
        let (before, rest) = url.rsplit_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{before}@{}/{database}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let (server, ours) = (server.to_owned(), Arc::clone(&shared));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                // What is small is not to wait for more.
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                tokio::spawn(relay(client, server, Arc::clone(&ours)));
            }
        });
        Self { url, shared }
    }

    /// How many statements were sent since this was last asked.
    pub fn statements(&self) -> u32 {
        self.shared.statements.swap(0, Ordering::SeqCst)
    }

    /// The next statement is executed, and its connection is cut in place of an answer.
    pub fn cut_next(&self) {
        self.shared.cutting.store(true, Ordering::SeqCst);
    }

    /// No answer comes through until it thaws.
    pub fn freeze(&self) {
        self.shared.frozen.store(true, Ordering::SeqCst);
    }

    pub fn thaw(&self) {
        self.shared.frozen.store(false, Ordering::SeqCst);
        self.shared.thawed.notify_waiters();
    }
}

async fn relay(client: TcpStream, server: TcpStream, shared: Arc<Shared>) {
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let cut = Arc::new(AtomicBool::new(false));
    let requests = tokio::spawn(requests(from_client, to_server, Arc::clone(&shared), Arc::clone(&cut)));
    answers(from_server, to_client, &shared, &cut).await;
    requests.abort();
}

/// Messages are a letter, a length and the rest; only the first of a connection has no letter.
async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: Arc<Shared>,
    cut: Arc<AtomicBool>,
) -> Option<()> {
    let mut message = message(&mut from, false).await?;
    loop {
        // Execute, or a query that is not prepared.
        if matches!(message[0], b'E' | b'Q') && message.len() > 4 {
            shared.statements.fetch_add(1, Ordering::SeqCst);
            if shared.cutting.swap(false, Ordering::SeqCst) {
                cut.store(true, Ordering::SeqCst);
            }
        }
        to.write_all(&message).await.ok()?;
        message = self::message(&mut from, true).await?;
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    cut: &AtomicBool,
) -> Option<()> {
    loop {
        let message = message(&mut from, true).await?;
        if cut.load(Ordering::SeqCst) {
            // ReadyForQuery: it is done and committed.
            if message[0] == b'Z' {
                return None;
            }
            continue;
        }
        loop {
            let thawed = shared.thawed.notified();
            if !shared.frozen.load(Ordering::SeqCst) {
                break;
            }
            thawed.await;
        }
        to.write_all(&message).await.ok()?;
    }
}

async fn message(from: &mut OwnedReadHalf, with_letter: bool) -> Option<Vec<u8>> {
    let header = 4 + usize::from(with_letter);
    let mut message = vec![0; header];
    from.read_exact(&mut message).await.ok()?;
    let length = u32::from_be_bytes(message[header - 4..].try_into().unwrap()) as usize;
    message.resize(header - 4 + length, 0);
    from.read_exact(&mut message[header..]).await.ok()?;
    Some(message)
}
