//! Starts, restarts, and the command line beside a running server.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auth::{Config, CreateUserError, Minter, Users, mint};
use axum::http::StatusCode;
use platform::auth::Role;
use support::{App, clock, config};
use ticketblitz_core::UserId;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[tokio::test]
async fn a_first_start_makes_an_administrator_and_a_second_does_not() {
    let (dir, app) = App::fresh().await;
    let admin = app.admin.clone().expect("announced");
    admin.seen().expect("noted");
    assert_eq!(admin.email, "admin@ticketblitz.local");
    let written = std::fs::read_to_string(dir.path().join("admin-password")).expect("a file");
    assert_eq!(written.trim_end(), admin.password);
    let session = app.login(&admin.email, &admin.password).await;
    assert_eq!((session.status, &session.body["role"]), (StatusCode::OK, &"ADMIN".into()));
    drop(app);

    let again = App::start(config(dir.path()), clock()).await.expect("starts again");
    assert!(again.admin.is_none());
    assert_eq!(again.login(&admin.email, &admin.password).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_administrator_whom_nobody_was_shown_is_announced_by_the_next_start() {
    let (dir, app) = App::fresh().await;
    let made = app.admin.clone().expect("announced");
    drop(app); // before anybody was shown it
    let again = App::start(config(dir.path()), clock()).await.expect("starts again");
    let admin = again.admin.clone().expect("announced again");
    assert_eq!((&admin.email, &admin.password, &admin.path), (&made.email, &made.password, &made.path));
    assert_eq!(again.login(&admin.email, &admin.password).await.status, StatusCode::OK);

    // A start that ended before it made the account: the password opens nothing.
    std::fs::write(&admin.path, "of no account\n").expect("written");
    assert!(App::start(config(dir.path()), clock()).await.expect("starts again").admin.is_none());
    std::fs::write(&admin.path, format!("{}\n", made.password)).expect("written");
    admin.seen().expect("noted");
    assert!(App::start(config(dir.path()), clock()).await.expect("starts again").admin.is_none());
}

#[tokio::test]
async fn nobody_else_can_read_what_is_secret() {
    let dir = tempfile::tempdir().expect("a directory");
    // Left over with the mode of an older program.
    let password = dir.path().join("admin-password");
    std::fs::write(&password, "a password that is longer than the one to come\n").expect("written");
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644)).expect("set");
    let app = App::start(config(dir.path()), clock()).await.expect("starts");
    app.register("ada@example.org").await;
    let mut checked = 0;
    for file in std::fs::read_dir(dir.path()).expect("a directory") {
        let path = file.expect("a file").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        checked += 1;
    }
    assert!(checked >= 2, "the database and the password");
    let written = std::fs::read_to_string(password).expect("a file");
    assert_eq!(written.trim_end(), app.admin.expect("announced").password);
}

#[tokio::test]
async fn a_configured_password_is_neither_announced_nor_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let configured = Config { admin_password: Some("as configured".into()), ..config(dir.path()) };
    let short = Config { admin_password: Some("short".into()), ..configured.clone() };
    let refused = App::start(short, clock()).await.err().expect("too short").to_string();
    assert!(refused.contains("at least 6 characters"), "{refused}");
    assert!(!format!("{configured:?}").contains("as configured"), "secrets stay out of logs");

    let app = App::start(configured, clock()).await.expect("starts");
    assert!(app.admin.is_none());
    assert!(!dir.path().join("admin-password").exists());
    assert_eq!(app.login("admin@ticketblitz.local", "as configured").await.status, StatusCode::OK);
}

#[tokio::test]
async fn sessions_outlive_a_restart() {
    let (dir, app) = App::fresh().await;
    let session = app.register("ada@example.org").await;
    drop(app);
    let app = App::start(config(dir.path()), clock()).await.expect("starts again");
    assert_eq!(app.get("/api/auth/me", Some(&session.text("accessToken"))).await.status, StatusCode::OK);
    assert_eq!(app.refresh(&session.text("refreshToken")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn users_are_made_beside_a_running_server() {
    let (dir, app) = App::fresh().await;
    let users = Users::open(dir.path(), 6, Arc::new(clock())).await.expect("opens");
    let id = users.create("org@example.org", "Org", "secret-1", Role::Organizer).await.expect("made");
    let session = app.login("ORG@example.org", "secret-1").await;
    assert_eq!((session.text("userId"), session.text("role")), (id.to_string(), "ORGANIZER".into()));

    let taken = users.create("Org@example.org", "Org", "secret-1", Role::User).await;
    assert!(matches!(taken, Err(CreateUserError::EmailTaken)), "{taken:?}");
    let wrong = users.create("org", " ", "x", Role::User).await;
    assert!(matches!(&wrong, Err(CreateUserError::Invalid(fields)) if fields.len() == 3), "{wrong:?}");
    let strict = Users::open(dir.path(), 20, Arc::new(clock())).await.expect("opens");
    assert!(strict.create("a@example.org", "A", "secret-1", Role::User).await.is_err());
}

#[tokio::test]
async fn minted_tokens_are_the_instances_own() {
    let (dir, app) = App::fresh().await;
    let users = Users::open(dir.path(), 6, Arc::new(clock())).await.expect("opens");
    let buyer = users.create_without_password("b@example.org", "B", Role::User).await.expect("made");
    let minter = Minter::open(dir.path(), Arc::new(clock())).await.expect("opens");
    let token = minter.mint(buyer, Role::User, Duration::from_secs(60)).expect("minted");
    let me = app.get("/api/auth/me", Some(&token)).await;
    assert_eq!((me.status, me.text("email")), (StatusCode::OK, "b@example.org".into()));
    for password in ["", " ", "secret-1"] {
        assert_ne!(app.login("b@example.org", password).await.status, StatusCode::OK);
    }

    let nobodys = mint(dir.path(), UserId::new(), Role::User, Duration::from_secs(60), Arc::new(clock()));
    let me = app.get("/api/auth/me", Some(&nobodys.await.expect("minted"))).await;
    assert_eq!((me.status, me.kind()), (StatusCode::UNAUTHORIZED, "unauthenticated"));
}

#[tokio::test]
async fn a_database_that_is_none_stops_the_start_with_a_sentence() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("auth.db"), vec![b'x'; 8_192]).expect("written");
    let refused = App::start(config(dir.path()), clock()).await.err().expect("no database").to_string();
    assert!(refused.contains("auth.db"), "{refused}");
}
