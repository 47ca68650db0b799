//! The way to a real provider, with everything that can happen on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Method, Request, StatusCode};
use platform::Transport;
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// What the charges on their way meet.
#[derive(Debug, Clone)]
pub struct Wire {
    provider: Router,
    /// Charges that were sent, whether they arrived or not.
    sent: Arc<AtomicUsize>,
    /// Charges whose answer is being held back.
    held: Arc<AtomicUsize>,
    swallow: Arc<AtomicBool>,
    answers: Arc<Semaphore>,
}

impl Wire {
    pub fn to(provider: Router) -> Self {
        Self {
            provider,
            sent: Arc::default(),
            held: Arc::default(),
            swallow: Arc::default(),
            answers: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    pub fn transport(&self) -> Transport {
        let wire = self.clone();
        Transport::in_process(Router::new().fallback(move |request| wire.clone().carry(request)))
    }

    /// From here no charge gets to the provider, and nobody learns that it did not.
    pub fn swallow_charges(&self) {
        self.swallow.store(true, Ordering::SeqCst);
    }

    /// From here charges are made and their answers held back.
    pub fn hold_answers(&self) {
        self.answers.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// The answers get through again, those held back too.
    pub fn let_answers_through(&self) {
        self.answers.add_permits(1_000);
    }

    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    async fn carry(self, request: Request<Body>) -> Response {
        if request.method() != Method::POST || request.uri().path() != "/v1/charges" {
            return self.forward(request).await;
        }
        self.sent.fetch_add(1, Ordering::SeqCst);
        if self.swallow.load(Ordering::SeqCst) {
            return StatusCode::BAD_GATEWAY.into_response();
        }
        let answer = self.forward(request).await;
        self.held.fetch_add(1, Ordering::SeqCst);
        let _permit = self.answers.acquire().await.expect("never closed");
        self.held.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    async fn forward(&self, request: Request<Body>) -> Response {
        self.provider.clone().oneshot(request).await.expect("a router always answers")
    }
}
