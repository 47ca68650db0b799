//! Starting, stopping, starting again; who may call what is inside.

use std::time::Duration;

use serde_json::json;

use crate::common::client::charged;
use crate::common::provider::{HoldUp, Provider};
use crate::common::{Buyer, System, until};

const PORTS: [u16; 8] = [8080, 8081, 8082, 8083, 8084, 8085, 8086, 8089];

#[tokio::test]
async fn every_role_is_up_on_its_own_port() {
    let system = System::start(&[]).await;
    for port in PORTS {
        let nobody = Buyer::nobody(&system.url(port));
        let health = nobody.get("/actuator/health").await;
        assert_eq!((health.status, &*health.text), (200, r#"{"status":"UP"}"#), "port {port}");
        assert_eq!(nobody.get("/actuator/health/readiness").await.status, 200, "port {port}");
        assert_eq!(nobody.get("/actuator/health/liveness").await.status, 200, "port {port}");
        assert!(nobody.get("/metrics").await.text.contains("# TYPE"), "port {port}");
        let openapi = nobody.get("/openapi.json").await.expect(200);
        assert!(openapi["paths"].as_object().is_some_and(|paths| !paths.is_empty()), "port {port}");
        let info = &openapi["info"];
        assert!(
            info["title"].as_str().is_some_and(|title| title.starts_with("TicketBlitz ")),
            "{port}: {info}"
        );
        assert_eq!(info["version"], env!("CARGO_PKG_VERSION"), "port {port}");
        assert_eq!(info.as_object().map(serde_json::Map::len), Some(2), "nobody else's name: {info}");
        assert!(nobody.get("/docs/").await.text.contains("html"), "port {port}");
        nobody.get("/no/such/path").await.refused(404, "not-found");
    }
}

#[tokio::test]
async fn a_description_says_what_takes_a_token() {
    let system = System::start(&[]).await;
    let mut looked_at = 0;
    for port in PORTS {
        let nobody = Buyer::nobody(&system.url(port));
        let openapi = nobody.get("/openapi.json").await.expect(200);
        let paths = openapi["paths"].as_object().expect("paths");
        for (path, item) in paths {
            for (method, operation) in item.as_object().expect("operations") {
                let verb = method.to_uppercase().parse().expect("a method");
                let asked = path.replace("{id}", "x").replace("{holdId}", "x").replace("{eventId}", "x");
                let refused = nobody.send(nobody.request(verb, &asked)).await.status == 401;
                // A refresh token that is none is 401 too; it is asked for in the body, and here there is none.
                assert_eq!(
                    refused,
                    operation["security"] == json!([{"bearer": []}]),
                    "{port} {method} {path}"
                );
                looked_at += 1;
            }
        }
        let scheme = &openapi["components"]["securitySchemes"]["bearer"];
        let any = openapi["paths"].to_string().contains("\"security\"");
        assert_eq!(scheme["scheme"] == "bearer" && scheme["type"] == "http", any, "port {port}");
    }
    assert!(looked_at > 40, "{looked_at}");
}

#[tokio::test]
async fn a_restart_keeps_what_was_promised_and_doubles_nothing() {
    let provider = Provider::start().await;
    let mut system = System::start(&[("TICKETBLITZ_PSP_URL", &provider.url())]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    let sold = buyer.buy(&event, &["A1"], "pm_ok").await;
    assert_eq!(sold["status"], "CONFIRMED");
    until("the mail is sent", || async {
        (buyer.notifications().await.iter().any(|n| n["status"] == "SENT")).then_some(())
    })
    .await;
    provider.hold_up(HoldUp::Before);
    let hold = buyer.hold(&event, &["B1"]).await.expect(201);
    let paying = buyer.book(&hold, "pm_ok").await.expect(201);
    provider.reached().await;

    for graceful in [true, false] {
        if graceful {
            let (status, took) = system.terminate().await;
            assert!(status.success(), "{status}");
            assert!(took < Duration::from_secs(10), "{took:?}");
        } else {
            system.kill().await;
        }
        system.restart().await;
        let buyer = buyer.at(&system.url(8080)); // with the token of the first start
        assert_eq!(buyer.seat(&event, "A1").await, "SOLD");
        assert_eq!(buyer.seat(&event, "B1").await, "PAYING");
        system.buyer("Bob").await.hold(&event, &["A1"]).await.refused(409, "seats-unavailable");
        system.buyer("Eve").await.hold(&event, &["B1"]).await.refused(409, "seats-unavailable");
        let events = buyer.get("/api/events").await.expect(200);
        assert_eq!(events["items"].as_array().map(Vec::len), Some(2), "sample data once: {events}");
        assert_eq!(buyer.notifications().await.len(), 1);
        assert_eq!(buyer.tickets(&sold).await.len(), 1);
        assert!(!system.banner.contains("password"), "the password is printed once: {}", system.banner);
    }
    provider.hold_up(HoldUp::Never);
    let buyer = buyer.at(&system.url(8080));
    assert_eq!(buyer.settled(&paying).await["status"], "CONFIRMED");
    assert_eq!(charged(&provider.ledger().await, &paying), (1, 0));
    assert_eq!(charged(&provider.ledger().await, &sold), (1, 0));
}

#[tokio::test]
async fn the_first_start_that_succeeds_prints_the_password() {
    let mut system = System::start(&[("TICKETBLITZ_SAMPLE_DATA", "false")]).await;
    assert_eq!(system.banner.matches("Administrator admin@ticketblitz.local").count(), 1);
    system.terminate().await;
    std::fs::remove_dir_all(system.data_dir()).expect("emptied");
    // Refused after the administrator is made.
    let failed =
        system.run(&["serve", "--port-offset", &system.offset.to_string(), "--hold-ttl", "2h"]).await;
    assert!(!failed.status.success());
    let sentence = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(sentence.contains("TICKETBLITZ_HOLD_TTL"), "{sentence}");
    system.restart().await;
    let password = std::fs::read_to_string(system.data_dir().join("admin-password")).expect("a file");
    assert!(system.banner.contains(password.trim()), "{}", system.banner);
    system.terminate().await;
    system.restart().await;
    assert!(!system.banner.contains("Administrator"), "{}", system.banner);
}

#[tokio::test]
async fn colours_are_for_terminals() {
    let mut system = System::start(&[("TICKETBLITZ_LOG", "info")]).await;
    system.terminate().await;
    let line =
        || async { system.log.lock().expect("lines").iter().find(|line| line.contains("stopping")).cloned() };
    let line = until("its end is logged", line).await;
    assert!(line.contains("INFO") && !line.contains('\u{1b}'), "{line:?}");
}

#[tokio::test]
async fn sigterm_lets_a_request_under_way_finish() {
    let mut system = System::start(&[]).await;
    let base = system.url(8080);
    // Argon2 takes long enough for the signal to arrive in the middle.
    let registering: Vec<_> = (0..4)
        .map(|n| {
            let base = base.clone();
            tokio::spawn(async move {
                let body = json!({"email": format!("r{n}@example.com"), "password": "pass123", "name": "R"});
                let nobody = Buyer::nobody(&base);
                let request = nobody.request(reqwest::Method::POST, "/api/auth/register").json(&body);
                nobody.try_send(request).await.map(|answer| answer.status)
            })
        })
        .collect();
    let first_in = || async {
        let metrics = Buyer::nobody(&system.url(8081)).get("/metrics").await.text;
        (metrics.contains("register") || registering.iter().any(|r| r.is_finished())).then_some(())
    };
    until("a request is under way", first_in).await;
    let (status, took) = system.terminate().await;
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
    for request in registering {
        // Answered in full, or never accepted: not cut off in the middle.
        match request.await.expect("it ends") {
            Ok(status) => assert_eq!(status, 201),
            Err(error) => assert!(error.is_connect() || error.is_request(), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_users_token_opens_nothing_internal_and_the_gateway_does_not_route_there() {
    let system = System::start(&[]).await;
    let admin = system.admin().await;
    let id = "01890000-0000-7000-8000-000000000000";
    for (port, path) in [
        (8081, format!("/internal/auth/users/{id}")),
        (8082, format!("/internal/events/{id}")),
        (8083, format!("/internal/inventory/events/{id}/close")),
        (8083, "/internal/inventory/payments".to_owned()),
        (8083, format!("/internal/inventory/bookings/{id}/sell")),
        (8083, format!("/internal/inventory/bookings/{id}/release")),
        (8083, format!("/internal/inventory/bookings/{id}/reopen")),
    ] {
        let service = admin.at(&system.url(port));
        let method = if port < 8083 { reqwest::Method::GET } else { reqwest::Method::POST };
        service.send(service.request(method.clone(), &path).json(&json!({}))).await.refused(403, "forbidden");
        let nobody = Buyer::nobody(&system.url(port));
        nobody.send(nobody.request(method.clone(), &path)).await.refused(401, "unauthenticated");
        admin.send(admin.request(method, &path)).await.refused(404, "not-found");
    }
    for port in PORTS {
        // Paths that no service has are closed too, to a user's token.
        let answer = admin.at(&system.url(port)).get("/internal/anything").await;
        assert!(matches!(answer.status, 403 | 404), "port {port}: {}", answer.text);
        if port != 8080 && port != 8089 {
            answer.refused(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn one_process_owns_a_data_directory_and_ports() {
    let system = System::start(&[]).await;
    let second = system.run(&["serve", "--port-offset", "50000"]).await;
    assert!(!second.status.success());
    let sentence = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(sentence.contains("another process serves from"), "{sentence}");

    let elsewhere = tempfile::tempdir().expect("a directory");
    let dir = elsewhere.path().to_str().expect("a text");
    let offset = system.offset.to_string();
    let taken = system.run(&["serve", "--data-dir", dir, "--port-offset", &offset]).await;
    assert!(!taken.status.success());
    let sentence = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(
        sentence.contains("--port-offset") && sentence.contains(&(8080 + system.offset).to_string()),
        "{sentence}"
    );

    let alone = system.run(&["serve", "--role", "inventory"]).await;
    assert!(!alone.status.success());
    assert!(String::from_utf8_lossy(&alone.stderr).contains("--role all"));
}

#[tokio::test]
async fn users_are_made_beside_a_running_server() {
    let system = System::start(&[]).await;
    let made = system
        .run(&[
            "users",
            "create",
            "--email",
            "org@example.com",
            "--name",
            "Org",
            "--role",
            "ORGANIZER",
            "--password",
            "secret-1",
        ])
        .await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let organizer = Buyer::log_in(&system.url(8080), "ORG@example.com", "secret-1").await;
    assert_eq!(organizer.session["role"], "ORGANIZER");
    let twice = system.run(&["users", "create", "--email", "org@example.com", "--name", "Org"]).await;
    assert!(!twice.status.success());
    assert!(
        String::from_utf8_lossy(&twice.stderr).contains("exists already"),
        "{}",
        String::from_utf8_lossy(&twice.stderr)
    );
}

#[tokio::test]
async fn what_is_kept_is_the_operators_alone() {
    let mut system = System::start(&[]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    buyer.buy(&event, &["A1"], "pm_ok").await;
    until("the mail is sent", || async {
        (buyer.notifications().await.iter().any(|n| n["status"] == "SENT")).then_some(())
    })
    .await;
    let mut dirs = vec![system.data_dir().to_owned()];
    let mut files = 0;
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let entry = entry.expect("an entry");
            let meta = entry.metadata().expect("its metadata");
            let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions());
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", entry.path().display());
            files += 1;
            if meta.is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    assert!(files > 10, "databases, mail and keys: {files}");
    system.terminate().await;
}
