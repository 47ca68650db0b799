//! A wire that breaks when it is told to.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ticketblitz_lock::redis::driver::{Client, ConnectionAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const PASS: u8 = 0;
const CUT: u8 = 1;
const SWALLOW: u8 = 2;

/// Between a store and the server.
pub struct Proxy {
    port: u16,
    /// Where new connections lead.
    server: Arc<Mutex<(String, u16)>>,
    wire: Arc<Wire>,
}

#[derive(Default)]
struct Wire {
    mode: AtomicU8,
    hang_up: Notify,
    open: AtomicUsize,
    accepted: AtomicUsize,
}

impl Proxy {
    pub async fn start() -> Self {
        Self::to(super::server::url()).await
    }

    pub async fn to(url: &str) -> Self {
        let server = Arc::new(Mutex::new(address(url)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, server: Arc::clone(&server), wire: Arc::default() };
        let wire = Arc::clone(&proxy.wire);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                wire.accepted.fetch_add(1, Ordering::SeqCst);
                let (host, port) = server.lock().unwrap().clone();
                let far = TcpStream::connect((host.as_str(), port)).await.unwrap();
                tokio::spawn(carry(near, far, Arc::clone(&wire)));
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Another server is at this address from now on; connections that are open stay where they are.
    pub fn lead_to(&self, url: &str) {
        *self.server.lock().unwrap() = address(url);
    }

    /// How many connections there have been.
    pub fn accepted(&self) -> usize {
        self.wire.accepted.load(Ordering::SeqCst)
    }

    /// The next answer of the server's is not passed on: the connection breaks instead, once.
    pub fn cut_the_next_answer(&self) {
        self.wire.mode.store(CUT, Ordering::SeqCst);
    }

    /// Whether that has happened.
    pub fn has_cut(&self) -> bool {
        self.wire.mode.load(Ordering::SeqCst) == PASS
    }

    /// Ends every connection, and waits until the clients have seen it.
    pub async fn hang_up(&self) {
        self.wire.hang_up.notify_waiters();
        for _ in 0..1_000 {
            if self.wire.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a client holds on to a connection that has ended");
    }

    /// From now on answers are lost and connections stay.
    pub fn swallow_answers(&self, on: bool) {
        self.wire.mode.store(if on { SWALLOW } else { PASS }, Ordering::SeqCst);
    }
}

fn address(url: &str) -> (String, u16) {
    let client = Client::open(url).unwrap();
    let ConnectionAddr::Tcp(host, port) = client.get_connection_info().addr() else { panic!("no TCP") };
    (host.clone(), *port)
}

async fn carry(near: TcpStream, far: TcpStream, wire: Arc<Wire>) {
    wire.open.fetch_add(1, Ordering::SeqCst);
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let mut asking = tokio::spawn(async move { tokio::io::copy(&mut from_near, &mut to_far).await });
    let mut answer = vec![0; 65_536];
    loop {
        let read = tokio::select! {
            read = from_far.read(&mut answer) => read,
            () = wire.hang_up.notified() => {
                // Until the other side has seen it and hung up too.
                to_near.shutdown().await.unwrap();
                (&mut asking).await.unwrap().unwrap();
                break;
            }
        };
        let Ok(length @ 1..) = read else { break };
        // The server has done it: its answer is here.
        if wire.mode.compare_exchange(CUT, PASS, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            break;
        }
        if wire.mode.load(Ordering::SeqCst) == PASS && to_near.write_all(&answer[..length]).await.is_err() {
            break;
        }
    }
    asking.abort();
    wire.open.fetch_sub(1, Ordering::SeqCst);
}
