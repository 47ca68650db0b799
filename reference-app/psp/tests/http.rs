//! The provider as a merchant meets it: called in the same process, and over a socket.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response, StatusCode};
use platform::auth::{AuthContext, Jwks, KeySource, ServiceTokens, TokenVerifier};
use platform::layers::{AppLayers, standard};
use platform::server::Limits;
use platform::{Transport, TransportError, server};
use serde_json::{Value, json};
use tempfile::TempDir;
use ticketblitz_core::SystemClock;
use tokio_util::sync::CancellationToken;

const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn keys(&self) -> Result<Jwks, String> {
        Err("nobody shows a token here".into())
    }
}

async fn provider(dir: &Path) -> Router {
    let clock = Arc::new(SystemClock);
    let deps = psp::Deps { clock: clock.clone() };
    let service = psp::start(psp::Config { data_dir: dir.to_owned() }, deps).await.expect("starts");
    let verifier = TokenVerifier::new(Arc::new(NoKeys), clock);
    let auth = AuthContext { verifier, services: ServiceTokens::new(b"secret") };
    standard(service.router, AppLayers { role: "psp", auth, health: service.health, internal: false })
}

async fn in_process() -> (TempDir, Transport) {
    let dir = tempfile::tempdir().expect("a directory");
    let router = provider(dir.path()).await;
    (dir, Transport::in_process(router))
}

/// Served until the token, which the guard cancels, is cancelled.
async fn over_a_socket() -> (TempDir, Transport, tokio_util::sync::DropGuard) {
    let dir = tempfile::tempdir().expect("a directory");
    let router = provider(dir.path()).await;
    let listener = server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let address = listener.local_addr().expect("bound");
    let shutdown = CancellationToken::new();
    tokio::spawn(server::serve(listener, router, Limits::new(1_000, 2_000), shutdown.clone(), TIMEOUT));
    let transport = Transport::http(&format!("http://{address}"), TIMEOUT).expect("an address");
    (dir, transport, shutdown.drop_guard())
}

async fn post(
    to: &Transport,
    path: &str,
    key: Option<&str>,
    body: &Value,
) -> Result<Response<Bytes>, TransportError> {
    let mut request = Request::post(path).header(CONTENT_TYPE, "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    to.send(request.body(Body::from(body.to_string())).expect("a request")).await
}

async fn get(to: &Transport, path: &str) -> (StatusCode, Value) {
    let answer = to.send(Request::get(path).body(Body::empty()).expect("a request")).await.expect("answered");
    (answer.status(), json_of(&answer))
}

fn json_of(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).expect("JSON")
}

fn charge(reference: &str, method: &str) -> Value {
    json!({"reference": reference, "amount": 10_000, "currency": "INR", "paymentMethod": method})
}

async fn charged(to: &Transport, key: &str, body: &Value) -> Value {
    let answer = post(to, "/v1/charges", Some(key), body).await.expect("answered");
    assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.body());
    json_of(&answer)
}

#[tokio::test]
async fn a_charge_is_answered_found_and_in_the_ledger() {
    let (_dir, psp) = in_process().await;
    let made = charged(&psp, "key", &charge("booking", "pm_ok")).await;
    assert!(made["id"].as_str().expect("an id").starts_with("ch_"));
    let expected = json!({"id": made["id"], "reference": "booking", "amount": 10_000, "currency": "INR",
        "status": "succeeded"});
    assert_eq!(made, expected);
    let again = post(&psp, "/v1/charges", Some("key"), &charge("booking", "pm_ok")).await.expect("answered");
    assert_eq!((again.status(), json_of(&again)), (StatusCode::CREATED, expected.clone()));
    assert_eq!(again.headers()["idempotent-replayed"], "true");

    let declined = charged(&psp, "other", &charge("declined", "pm_declined")).await;
    assert_eq!(
        (&declined["status"], &declined["failureReason"]),
        (&json!("failed"), &json!("card_declined"))
    );
    let (status, found) = get(&psp, "/v1/charges?reference=booking").await;
    assert_eq!((status, found), (StatusCode::OK, json!({"charges": [expected]})));
    let (_, ledger) = get(&psp, "/v1/ledger").await;
    assert_eq!(ledger, json!({"charges": [expected, declined], "refunds": []}));
}

#[tokio::test]
async fn a_refund_is_made_once() {
    let (_dir, psp) = in_process().await;
    let made = charged(&psp, "key", &charge("booking", "pm_ok")).await;
    let body = json!({"chargeId": made["id"]});
    let refund = post(&psp, "/v1/refunds", Some("refund"), &body).await.expect("answered");
    let refunded = json_of(&refund);
    assert!(refunded["id"].as_str().expect("an id").starts_with("re_"));
    assert_eq!(refunded, json!({"id": refunded["id"], "chargeId": made["id"], "amount": 10_000}));
    let again = post(&psp, "/v1/refunds", Some("refund"), &body).await.expect("answered");
    assert_eq!((again.status(), json_of(&again)), (refund.status(), refunded.clone()));
    let second = post(&psp, "/v1/refunds", Some("another"), &body).await.expect("answered");
    assert_eq!(second.status(), StatusCode::CONFLICT);
    let (_, ledger) = get(&psp, "/v1/ledger").await;
    assert_eq!(ledger["refunds"], json!([refunded]));
    let unknown = post(&psp, "/v1/refunds", None, &json!({"chargeId": "ch_none"})).await.expect("answered");
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_leaves_nothing_behind() {
    let (_dir, psp) = in_process().await;
    let all = ["reference", "amount", "currency", "paymentMethod"];
    let wrong = json!({"reference": " ", "amount": 0, "currency": "inr", "paymentMethod": "pm_gold"});
    for (body, fields) in [(json!({}), &all[..]), (wrong, &all[..]), (charge("b", "pm_gold"), &all[3..])] {
        let answer = post(&psp, "/v1/charges", Some("key"), &body).await.expect("answered");
        let document = json_of(&answer);
        let errors = document["errors"].as_array().expect("errors").iter();
        let named: Vec<_> = errors.map(|error| error["field"].as_str().expect("a field")).collect();
        assert_eq!((answer.status().as_u16(), &named[..]), (422, fields), "{body}");
    }
    // A refused request has not used its key up.
    charged(&psp, "key", &charge("b", "pm_ok")).await;
    let reused = post(&psp, "/v1/charges", Some("key"), &charge("c", "pm_ok")).await.expect("answered");
    assert_eq!(reused.status().as_u16(), 422);
    assert_eq!(json_of(&reused)["type"], "urn:ticketblitz:problem:idempotency-key-reused");

    for key in ["", "two words", &"k".repeat(256)] {
        let answer = post(&psp, "/v1/charges", Some(key), &charge("d", "pm_ok")).await.expect("answered");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{key:?}");
    }
    assert_eq!(get(&psp, "/v1/charges").await.0, StatusCode::BAD_REQUEST);
    let refund = post(&psp, "/v1/refunds", None, &json!({})).await.expect("answered");
    assert_eq!(refund.status().as_u16(), 422);
    assert_eq!(get(&psp, "/v1/ledger").await.1["charges"].as_array().expect("charges").len(), 1);
}

/// The caller learns nothing from the first attempt, looks, and tries again.
async fn loses_the_first_reply_only(psp: &Transport) {
    for (method, charged_unheard) in [("pm_lost_reply_charged", 1), ("pm_lost_reply_not_charged", 0)] {
        let body = charge(method, method);
        let lost = post(psp, "/v1/charges", Some(method), &body).await;
        assert!(matches!(lost, Err(TransportError::OutcomeUnknown(_))), "{method}: {lost:?}");
        let (_, found) = get(psp, &format!("/v1/charges?reference={method}")).await;
        assert_eq!(found["charges"].as_array().expect("charges").len(), charged_unheard, "{method}");
        let made = charged(psp, method, &body).await;
        let (_, found) = get(psp, &format!("/v1/charges?reference={method}")).await;
        assert_eq!(found, json!({"charges": [made]}), "{method}");
    }
}

#[tokio::test]
async fn a_lost_reply_is_an_unknown_outcome_in_process() {
    let (_dir, psp) = in_process().await;
    loses_the_first_reply_only(&psp).await;
}

#[tokio::test]
async fn a_lost_reply_is_an_unknown_outcome_over_a_socket() {
    let (_dir, psp, _served) = over_a_socket().await;
    // On a connection that has served a request before, too: there a client may be tempted to send it again.
    charged(&psp, "warm", &charge("warm", "pm_ok")).await;
    loses_the_first_reply_only(&psp).await;
}

#[tokio::test]
async fn the_first_attempt_is_remembered_over_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let body = charge("booking", "pm_lost_reply_not_charged");
    let before = Transport::in_process(provider(dir.path()).await);
    assert!(post(&before, "/v1/charges", Some("key"), &body).await.is_err());
    drop(before);
    let after = Transport::in_process(provider(dir.path()).await);
    assert_eq!(charged(&after, "key", &body).await["status"], "succeeded");
}
