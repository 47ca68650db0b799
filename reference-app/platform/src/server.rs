//! Listening and serving. The caller brings the listener and says when to stop.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::service::StartError;

/// Connections that wait to be accepted: a crowd comes all at once.
const BACKLOG: i32 = 4_096;
/// For the head of a request, from its connection or the request before it: also how long one may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
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

/// Serves until `shutdown`, then lets requests under way finish for at most `drain`.
pub async fn serve(listener: TcpListener, app: Router, shutdown: CancellationToken, drain: Duration) {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => connect(stream, peer, &app, &graceful),
            Err(error) if is_the_clients(error.kind()) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // From here a connection is refused, not left waiting.
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests that were still under way are cut off");
    }
}

fn connect(stream: TcpStream, peer: SocketAddr, app: &Router, graceful: &GracefulShutdown) {
    // Answers are small and wanted at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection without TCP_NODELAY");
    }
    let app = app.clone().map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(PeerAddress(peer));
        request.map(axum::body::Body::new)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended badly");
        }
    });
}

/// The client went away between connecting and being accepted.
fn is_the_clients(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}

/// Lets this process have as many files and sockets as the machine allows it.
pub fn raise_open_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_port_in_use_is_a_sentence() {
        let first = bind("127.0.0.1:0".parse().expect("an address")).expect("listens");
        let address = first.local_addr().expect("an address");
        let error = bind(address).expect_err("in use").to_string();
        assert!(error.contains(&address.port().to_string()) && error.contains("--port-offset"), "{error}");
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_after_the_stop() {
        let (begun, go_on) = (
            std::sync::Arc::new(tokio::sync::Notify::new()),
            std::sync::Arc::new(tokio::sync::Notify::new()),
        );
        let handler = {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move || {
                begun.notify_one();
                go_on.notified().await;
                "done"
            }
        };
        let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("listens");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let app = Router::new().route("/", get(handler));
        let server = tokio::spawn(serve(listener, app, stop.clone(), Duration::from_secs(30)));
        let mut client = TcpStream::connect(address).await.expect("connects");
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        begun.notified().await;
        stop.cancel();
        go_on.notify_one();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer, then the end");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
        server.await.expect("it ended");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
