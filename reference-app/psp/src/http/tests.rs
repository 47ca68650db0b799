//! The late answer, with a wait that suits a test.

use std::time::Instant;

use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use ticketblitz_core::SystemClock;
use tower::ServiceExt;

use super::*;
use crate::store::SqliteStore;

#[tokio::test]
async fn a_slow_charge_is_made_at_once_and_answered_late() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = platform::db::open(dir.path(), "psp", &crate::MIGRATIONS).await.expect("opens");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::new(db));
    let wait = Duration::from_millis(1_500);
    let state = AppState { slow_reply: wait, ..AppState::new(Arc::clone(&store), Arc::new(SystemClock)) };
    let (router, _) = router(state);
    let body = r#"{"reference":"b","amount":1,"currency":"INR","paymentMethod":"pm_slow"}"#;
    let send = || {
        let request = Request::post("/v1/charges")
            .header(CONTENT_TYPE, "application/json")
            .header(IDEMPOTENCY_KEY, "key")
            .body(Body::from(body))
            .expect("a request");
        router.clone().oneshot(request)
    };

    let asked = Instant::now();
    let slow = tokio::spawn(send());
    while store.charges("b").await.expect("read").is_empty() {
        assert!(!slow.is_finished(), "the charge comes before the answer");
        tokio::task::yield_now().await;
    }
    // Whoever asks again meanwhile need not wait for what has happened already.
    let again = send().await.expect("infallible");
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.headers()[&REPLAYED], "true");
    assert!(!slow.is_finished());
    assert_eq!(slow.await.expect("no panic").expect("infallible").status(), StatusCode::CREATED);
    assert!(asked.elapsed() >= wait);
    assert_eq!(store.charges("b").await.expect("read").len(), 1);
}
