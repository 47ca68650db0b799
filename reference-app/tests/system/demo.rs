//! `ticketblitz demo` as an operator runs it.

use crate::common::System;

#[tokio::test]
async fn the_demo_sells_a_seat_in_nine_steps() {
    let system = System::start(&[]).await;
    let url = system.url(8080);
    let demo = system.run(&["demo", "--url", &url]).await;
    let printed = String::from_utf8_lossy(&demo.stdout).into_owned();
    assert!(demo.status.success(), "{printed}{}", String::from_utf8_lossy(&demo.stderr));
    for step in 1..=9 {
        assert!(printed.contains(&format!("\n{step}. ")), "step {step} in {printed}");
    }
    let mail = printed.lines().find(|line| line.ends_with(".eml")).expect("the mail's file").trim();
    assert!(std::fs::read_to_string(mail).expect("the mail").contains("X-Booking-Id"));

    // From another machine its files are out of reach.
    let demo = system.run(&["demo", "--url", &url, "--data-dir", "/nonexistent"]).await;
    let printed = String::from_utf8_lossy(&demo.stdout).into_owned();
    let place = format!("{url}/mail");
    assert!(printed.lines().any(|line| line.trim() == place), "{place} in {printed}");
    let answer = reqwest::get(&place).await.expect("answered");
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.expect("a page").contains("Mail sent"));
}

/// What a crowd's demo printed, once it ended well and the audit found nothing wrong with what it left.
async fn crowd(system: &System, more: &[&str]) -> String {
    let url = system.url(8080);
    let demo = system.run(&[&["demo", "--url", &url], more].concat()).await;
    let printed = String::from_utf8_lossy(&demo.stdout).into_owned();
    assert!(demo.status.success(), "{printed}{}", String::from_utf8_lossy(&demo.stderr));
    let audit = system.run(&["audit", "--port-offset", &system.offset.to_string()]).await;
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    printed
}

#[tokio::test]
async fn a_crowd_buys_a_seat_each() {
    let system = System::start(&[]).await;
    let printed = crowd(&system, &["--buyers", "40", "--concurrency", "8"]).await;
    assert!(printed.contains("accounts made in its data directory"), "{printed}");
    assert!(printed.contains("\n40 CONFIRMED\n") && printed.contains("confirmed/s"), "{printed}");
    for step in ["hold ", "hold refused", "book ", "wait until confirmed ", "first try to confirmed "] {
        assert!(printed.lines().any(|line| line.starts_with(step)), "{step} in {printed}");
    }
    let events = system.buyer("Ann").await.get("/api/events?name=Crowd").await.expect(200);
    assert_eq!(events["items"][0]["totalSeats"], 80, "{events}");
}

#[tokio::test]
async fn a_crowd_without_the_data_directory_registers_and_can_be_too_many() {
    let system = System::start(&[]).await;
    let elsewhere = tempfile::tempdir().expect("a directory");
    let directory = elsewhere.path().to_str().expect("a name");
    let printed = crowd(&system, &["--buyers", "3", "--concurrency", "2", "--data-dir", directory]).await;
    assert!(printed.contains("registered") && printed.contains("\n3 CONFIRMED\n"), "{printed}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).expect("a directory").count(), 0, "nothing was made");
}

#[tokio::test]
async fn without_a_server_the_demo_says_what_to_start() {
    let system = System::start(&[]).await;
    let demo = system.run(&["demo", "--url", "http://127.0.0.1:1"]).await;
    assert!(!demo.status.success());
    let sentence = String::from_utf8_lossy(&demo.stderr).into_owned();
    assert!(sentence.contains("nothing answers at http://127.0.0.1:1"), "{sentence}");
}
