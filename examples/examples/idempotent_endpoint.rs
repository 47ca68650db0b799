//! An endpoint whose retries never pay twice: one commit carries the payment and its answer.
//!
//! `cargo run -p examples --example idempotent_endpoint`
#![allow(clippy::print_stdout)]

use std::error::Error as StdError;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use ticketblitz_core::SystemClock;
use ticketblitz_core::sqlite::{Sqlite, query, query_scalar};
use ticketblitz_idempotency::{
    Error, Execution, IdempotencyLayer, Refusal, Scope, SqliteStore, StoredResponse, problem, sqlite,
};
use tower::ServiceExt;

/// Whom a token has been checked to belong to; a middleware would put it there.
#[derive(Clone)]
struct User(&'static str);

async fn pay(State(db): State<Sqlite>, execution: Execution, amount: String) -> Response {
    let finish = execution.finish(StoredResponse::new(201, format!("paid {amount}")));
    let answer = finish.clone();
    let paid: Result<(), Error> = db
        .write(move |conn| {
            Box::pin(async move {
                query("INSERT INTO payments (amount) VALUES ($1)").bind(amount).execute(&mut *conn).await?;
                // In the same transaction: there is no crash between the payment and its answer.
                finish.apply(conn).await
            })
        })
        .await;
    match paid {
        Ok(()) => execution.respond(answer),
        Err(_) => problem(Refusal::Unavailable).into_response(),
    }
}

async fn open(path: &std::path::Path) -> Result<Sqlite, Error> {
    let db = Sqlite::open(path).await?;
    sqlite::setup(&db).await?;
    db.write(|conn| {
        Box::pin(async move {
            query("CREATE TABLE payments (amount TEXT NOT NULL)").execute(conn).await?;
            Ok::<_, Error>(())
        })
    })
    .await?;
    Ok(db)
}

fn app(db: Sqlite) -> Router {
    let store = SqliteStore::new(db.clone(), Arc::new(SystemClock));
    let keys =
        IdempotencyLayer::new(store).scope(|parts| parts.extensions.get::<User>().map(|u| Scope::user(u.0)));
    Router::new().route("/payments", post(pay).layer(keys)).with_state(db)
}

async fn try_to_pay(app: &Router, user: User, amount: &'static str) -> Result<String, Box<dyn StdError>> {
    let mut request =
        Request::post("/payments").header("Idempotency-Key", "\"order-7\"").body(Body::from(amount))?;
    let who = user.0;
    request.extensions_mut().insert(user);
    let response = app.clone().oneshot(request).await?;
    let replayed = response.headers().contains_key("idempotent-replayed");
    let status = response.status();
    let body = to_bytes(response.into_body(), 1_024).await?;
    let text = String::from_utf8_lossy(&body).into_owned();
    println!("{who}: {status}{} {text}", if replayed { " (replayed)" } else { "" });
    Ok(text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let dir = tempfile::tempdir()?;
    let db = open(&dir.path().join("shop.db")).await?;
    let app = app(db.clone());

    let first = try_to_pay(&app, User("ann"), "500").await?;
    assert_eq!(try_to_pay(&app, User("ann"), "500").await?, first);
    assert!(try_to_pay(&app, User("ann"), "900").await?.contains("different request"));
    try_to_pay(&app, User("ben"), "700").await?; // his key, though it reads the same

    let payments: i64 = query_scalar("SELECT count(*) FROM payments").fetch_one(db.readers()).await?;
    assert_eq!(payments, 2);
    db.close().await;
    Ok(())
}
