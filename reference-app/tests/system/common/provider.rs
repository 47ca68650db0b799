//! A payment provider in the test's own process: it survives the system, and can hold a charge up on either side.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use serde_json::Value;
use ticketblitz_core::SystemClock;
use tokio::sync::{Notify, watch};

use super::Buyer;

/// On which side of the charge it is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldUp {
    Never,
    /// The request has arrived, nothing is charged.
    Before,
    /// It is charged, the answer has not left.
    After,
}

#[derive(Clone)]
struct Gate {
    at: watch::Receiver<HoldUp>,
    reached: Arc<Notify>,
}

pub struct Provider {
    address: SocketAddr,
    at: watch::Sender<HoldUp>,
    reached: Arc<Notify>,
    _dir: tempfile::TempDir,
}

impl Provider {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let config = psp::Config { data_dir: dir.path().to_owned() };
        let service = psp::start(config, psp::Deps { clock: Arc::new(SystemClock) }).await.expect("starts");
        let (at, gate) = watch::channel(HoldUp::Never);
        let reached = Arc::new(Notify::new());
        let gate = Gate { at: gate, reached: Arc::clone(&reached) };
        let app: Router = service.router.layer(from_fn_with_state(gate, hold_up));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum_serve(listener, app).await });
        Self { address, at, reached, _dir: dir }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn hold_up(&self, at: HoldUp) {
        self.at.send_replace(at);
    }

    /// Waits until a charge is being held up.
    pub async fn reached(&self) {
        tokio::time::timeout(super::PATIENCE, self.reached.notified()).await.expect("a charge comes");
    }

    pub async fn ledger(&self) -> Value {
        Buyer::nobody(&self.url()).get("/v1/ledger").await.expect(200)
    }
}

async fn hold_up(State(gate): State<Gate>, request: Request<Body>, next: Next) -> Response {
    let charges = request.method() == axum::http::Method::POST && request.uri().path() == "/v1/charges";
    let mut at = gate.at.clone();
    if charges && *at.borrow() == HoldUp::Before {
        gate.reached.notify_one();
        let _ = at.wait_for(|at| *at != HoldUp::Before).await;
    }
    let response = next.run(request).await;
    if charges && *at.borrow() == HoldUp::After {
        gate.reached.notify_one();
        let _ = at.wait_for(|at| *at != HoldUp::After).await;
    }
    response
}

async fn axum_serve(listener: tokio::net::TcpListener, app: Router) {
    let stop = tokio_util::sync::CancellationToken::new();
    let limits = platform::server::Limits::new(1_000, 2_000);
    platform::server::serve(listener, app, limits, stop, std::time::Duration::from_secs(1)).await;
}
