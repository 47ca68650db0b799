//! Accounts and sessions, over HTTP.

mod support;

use axum::http::StatusCode;
use serde_json::{Value, json};
use support::{ACCESS_TTL, App};
use ticketblitz_core::{Clock, UserId};

#[tokio::test]
async fn who_registers_has_a_session_and_can_log_in_again() {
    let (_dir, app) = App::fresh().await;
    let registered = app.register("Ada@Example.org").await;
    assert_eq!(registered.status, StatusCode::CREATED, "{}", registered.body);
    assert_eq!(registered.headers["cache-control"], "no-store");
    for (member, value) in [
        ("tokenType", json!("Bearer")),
        ("expiresIn", json!(900)),
        ("email", json!("Ada@Example.org")),
        ("name", json!("Ada Lovelace")),
        ("role", json!("USER")),
    ] {
        assert_eq!(registered.body[member], value, "{member}");
    }
    let logged_in = app.login("aDA@example.ORG", "secret-1").await;
    assert_eq!(logged_in.status, StatusCode::OK);
    assert_eq!(logged_in.body["userId"], registered.body["userId"]);
    assert_ne!(logged_in.body["refreshToken"], registered.body["refreshToken"]);

    for session in [registered, logged_in] {
        let token = session.text("accessToken");
        let me = app.get("/api/auth/me", Some(&token)).await;
        let expected = json!({"userId": session.body["userId"], "email": "Ada@Example.org",
            "name": "Ada Lovelace", "role": "USER"});
        assert_eq!((me.status, me.body), (StatusCode::OK, expected));
        let valid = app.get("/api/auth/validate", Some(&token)).await;
        assert_eq!(valid.body, json!({"valid": true, "userId": session.body["userId"]}));
    }
}

#[tokio::test]
async fn an_address_is_taken_in_any_case() {
    let (_dir, app) = App::fresh().await;
    app.register("ada@example.org").await;
    let again = app.register("ADA@example.org").await;
    assert_eq!((again.status, again.kind()), (StatusCode::CONFLICT, "email-taken"));
}

#[tokio::test]
async fn every_wrong_field_is_listed() {
    let (_dir, app) = App::fresh().await;
    let long = "x".repeat(129);
    let bodies = [
        json!({}),
        json!({"email": null, "password": null, "name": null}),
        json!({"email": "no address", "password": "short", "name": "  "}),
        json!({"email": format!("{long}{long}@example.org"), "password": long, "name": "a\u{0}b"}),
    ];
    for body in bodies {
        let answer = app.post("/api/auth/register", body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (422, "validation-failed"), "{body}");
        assert_eq!(answer.wrong_fields(), ["email", "password", "name"], "{body}");
    }
    let login = app.post("/api/auth/login", json!({"email": ""})).await;
    assert_eq!((login.status.as_u16(), login.wrong_fields()), (422, vec!["email", "password"]));
    for path in ["/api/auth/refresh", "/api/auth/logout"] {
        let answer = app.post(path, json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.wrong_fields()), (422, vec!["refreshToken"]));
    }
    let typed = app.post("/api/auth/login", json!({"email": 5, "password": "x"})).await;
    assert_eq!((typed.status.as_u16(), typed.kind()), (400, "malformed-request"));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_answered_alike() {
    let (_dir, app) = App::fresh().await;
    app.register("ada@example.org").await;
    let without_trace = |mut body: Value| {
        body.as_object_mut().expect("a document").remove("traceId");
        body
    };
    let wrong = app.login("ada@example.org", "secret-2").await;
    assert_eq!((wrong.status, wrong.kind()), (StatusCode::UNAUTHORIZED, "invalid-credentials"));
    let wrong = without_trace(wrong.body);
    for email in ["nobody@example.org", "no address", &"x".repeat(10_000)] {
        let unknown = app.login(email, "secret-1").await;
        assert_eq!((unknown.status, without_trace(unknown.body)), (StatusCode::UNAUTHORIZED, wrong.clone()));
    }
}

#[tokio::test]
async fn an_access_token_is_good_until_it_expires_also_when_the_session_has_ended() {
    let (_dir, app) = App::fresh().await;
    let session = app.register("ada@example.org").await;
    let (access, refresh) = (session.text("accessToken"), session.text("refreshToken"));
    for _ in 0..2 {
        let logout = app.post("/api/auth/logout", json!({"refreshToken": refresh})).await;
        assert_eq!((logout.status, logout.body), (StatusCode::NO_CONTENT, Value::Null));
    }
    let unknown = app.post("/api/auth/logout", json!({"refreshToken": "unknown"})).await;
    assert_eq!(unknown.status, StatusCode::NO_CONTENT);
    let refused = app.refresh(&refresh).await;
    assert_eq!((refused.status, refused.kind()), (StatusCode::UNAUTHORIZED, "unauthenticated"));

    assert_eq!(app.get("/api/auth/validate", Some(&access)).await.status, StatusCode::OK);
    app.clock.advance(ACCESS_TTL);
    let late = app.get("/api/auth/validate", Some(&access)).await;
    assert_eq!((late.status, late.kind()), (StatusCode::UNAUTHORIZED, "unauthenticated"));
    assert_eq!(app.get("/api/auth/me", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.get("/api/auth/me", Some("no.token.atall")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn with_the_clock_set_back_tokens_stay_good_and_expire_no_earlier() {
    let (_dir, app) = App::fresh().await;
    let issued = app.clock.now();
    let session = app.register("ada@example.org").await;
    let access = session.text("accessToken");
    app.clock.set(issued - std::time::Duration::from_secs(3_600));
    assert_eq!(app.get("/api/auth/me", Some(&access)).await.status, StatusCode::OK);
    let refreshed = app.refresh(&session.text("refreshToken")).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
    assert_eq!(app.get("/api/auth/me", Some(&refreshed.text("accessToken"))).await.status, StatusCode::OK);
    app.clock.set(issued + ACCESS_TTL - std::time::Duration::from_secs(1));
    assert_eq!(app.get("/api/auth/me", Some(&access)).await.status, StatusCode::OK);
    app.clock.set(issued + ACCESS_TTL);
    assert_eq!(app.get("/api/auth/me", Some(&access)).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn refreshing_rotates_and_a_copied_token_ends_the_session() {
    let (_dir, app) = App::fresh().await;
    let first = app.register("ada@example.org").await.text("refreshToken");
    let second = app.refresh(&first).await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.body);
    assert_eq!(second.body["email"], "ada@example.org");
    let me = app.get("/api/auth/me", Some(&second.text("accessToken"))).await;
    assert_eq!(me.status, StatusCode::OK);

    let copied = app.refresh(&first).await;
    assert_eq!((copied.status, copied.kind()), (StatusCode::UNAUTHORIZED, "unauthenticated"));
    assert_eq!(app.refresh(&second.text("refreshToken")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.login("ada@example.org", "secret-1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_published_key_is_the_one_that_signs() {
    let (_dir, app) = App::fresh().await;
    let token = app.register("ada@example.org").await.text("accessToken");
    let published = app.get("/.well-known/jwks.json", None).await;
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(published.body).expect("keys");
    let kid = jsonwebtoken::decode_header(&token).expect("a header").kid.expect("a key id");
    let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&kid).expect("the key")).expect("a key");
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    rules.validate_exp = false; // the test's clock stands still
    jsonwebtoken::decode::<Value>(&token, &key, &rules).expect("signed with it");
}

#[tokio::test]
async fn only_services_may_look_users_up() {
    let (_dir, app) = App::fresh().await;
    let session = app.register("ada@example.org").await;
    let path = format!("/internal/auth/users/{}", session.text("userId"));
    let service = app.services.mint("notification");

    let found = app.get(&path, Some(&service)).await;
    let expected = json!({"userId": session.body["userId"], "email": "ada@example.org",
        "name": "Ada Lovelace", "role": "USER"});
    assert_eq!((found.status, found.body), (StatusCode::OK, expected));
    assert_eq!(app.get(&path, None).await.status, StatusCode::UNAUTHORIZED);
    let users = app.get(&path, Some(&session.text("accessToken"))).await;
    assert_eq!((users.status, users.kind()), (StatusCode::FORBIDDEN, "forbidden"));
    for unknown in [UserId::new().to_string(), "x".to_owned()] {
        let missing = app.get(&format!("/internal/auth/users/{unknown}"), Some(&service)).await;
        assert_eq!((missing.status, missing.kind()), (StatusCode::NOT_FOUND, "not-found"));
    }
}
