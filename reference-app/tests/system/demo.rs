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
}

#[tokio::test]
async fn without_a_server_the_demo_says_what_to_start() {
    let system = System::start(&[]).await;
    let demo = system.run(&["demo", "--url", "http://127.0.0.1:1"]).await;
    assert!(!demo.status.success());
    let sentence = String::from_utf8_lossy(&demo.stderr).into_owned();
    assert!(sentence.contains("nothing answers at http://127.0.0.1:1"), "{sentence}");
}
