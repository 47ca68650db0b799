//! Listening and serving. The caller brings the listener and says when to stop.

mod refusal;
mod room;
mod wire;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::layers::body::BodyPatience;
use crate::service::StartError;
use room::{Place, Room};
use wire::Wire;

/// Connections that wait to be accepted: a crowd comes all at once.
const BACKLOG: i32 = 4_096;
/// The longest head of a request, in bytes.
const MOST_HEAD: usize = 64 * 1_024;
/// Files that are no connections: databases, above all.
const RESERVED_FILES: usize = 512;
/// After an accept that failed for want of a resource, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// Listens on `address`. Must be called within a tokio runtime.
///
/// # Errors
/// A sentence that names the port and what to do.
pub fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for connections of the process before.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    listen().map_err(|error: std::io::Error| {
        let port = address.port();
        StartError(match error.kind() {
            ErrorKind::AddrInUse => {
                format!(
                    "port {port} is in use; stop what listens there, or move every port with --port-offset"
                )
            }
            ErrorKind::PermissionDenied => format!("port {port} may not be used; move it with --port-offset"),
            ErrorKind::AddrNotAvailable => {
                format!("{} is no address of this machine; set --listen", address.ip())
            }
            _ => format!("cannot listen on {address}: {error}"),
        })
    })
}

/// How much of this process its clients may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For the head of a request, from its connection or the answer before it: also how long one may idle.
    pub head: Duration,
    /// For the whole body of a request.
    pub body: Duration,
    /// While a client takes nothing of its answer.
    pub stall: Duration,
    /// Connections of one port.
    pub connections: usize,
    /// Connections of all ports together.
    pub process: Arc<Semaphore>,
}

impl Limits {
    /// At most `connections` a port, within `open_files`, of which the databases need some. One port never takes
    /// all: whoever crowds the gateway leaves the ports by which the system is watched.
    #[must_use]
    pub fn new(connections: usize, open_files: usize) -> Self {
        let process =
            open_files.saturating_sub(RESERVED_FILES).max(open_files / 2).min(Semaphore::MAX_PERMITS);
        let connections = connections.min(process / 4 * 3).max(1);
        let patience = Duration::from_secs(30);
        let process = Arc::new(Semaphore::new(process));
        Self { head: patience, body: patience, stall: patience, connections, process }
    }
}

/// Serves until `shutdown`, then lets requests under way finish for at most `drain`. What takes longer is waited for no
/// more: it runs on for as long as the process does.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    shutdown: CancellationToken,
    drain: Duration,
) {
    let graceful = GracefulShutdown::new();
    let room = Room::new(&limits);
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                match room.enter() {
                    Some(place) => connect(stream, peer, place, &app, &limits, &graceful),
                    None => room.turn_away(stream),
                }
            }
            Err(error) if is_the_clients(error.kind()) => {}
            Err(error) => {
                // Said once, not twenty times a second for as long as it lasts.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "cannot accept connections");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // From here a connection is refused, not left waiting.
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests that are still under way are not waited for: they end with the process");
    }
}

fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    app: &Router,
    limits: &Limits,
    graceful: &GracefulShutdown,
) {
    // Answers are small and wanted at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection without TCP_NODELAY");
    }
    let patience = BodyPatience(limits.body);
    let app = app.clone().map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(PeerAddress(peer));
        request.extensions_mut().insert(patience);
        request.map(axum::body::Body::new)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_header_size(MOST_HEAD)
        // Who has said everything still waits for the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(Wire::new(stream, limits.stall)), TowerToHyperService::new(app));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended badly");
        }
        drop(place);
    });
}

/// The client went away between connecting and being accepted.
fn is_the_clients(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}

/// Lets this process have as many files and sockets as the machine allows it; how many that is.
pub fn raise_open_file_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    // None is no limit.
    getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
