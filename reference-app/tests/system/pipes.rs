//! Whoever reads what is printed goes away: `ticketblitz audit | head -1`.

use std::process::Stdio;

use crate::common::{self, Buyer, System, until};

#[tokio::test]
async fn a_command_whose_reader_is_gone_does_its_work_and_does_not_panic() {
    let system = System::start(&[]).await;
    let (url, offset) = (system.url(8080), system.offset.to_string());
    let copy = system.data_dir().with_file_name("copy");
    let copy = copy.to_str().expect("a name");
    let organizer = |email| ["users", "create", "--email", email, "--name", "Olga", "--role", "ORGANIZER"];
    let chosen = [&organizer("olga@example.com")[..], &["--password", "pass1234"]].concat();
    for args in [
        &["demo", "--url", &url][..],
        &["demo", "--url", &url, "--buyers", "3"],
        &["audit", "--port-offset", &offset],
        &["backup", copy],
        &chosen,
    ] {
        let ended = system.run_unread(args).await;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success() && said.is_empty(), "{args:?}: {} {said}", ended.status);
    }
    assert!(std::path::Path::new(copy).join("booking.db").exists());
    Buyer::log_in(&url, "olga@example.com", "pass1234").await;
    // The only copy of this password is lost.
    let ended = system.run_unread(&organizer("oleg@example.com")).await;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("oleg@example.com is made") && said.lines().count() == 1, "{said}");
}

#[tokio::test]
async fn a_server_whose_reader_is_gone_serves_on() {
    let temporary = tempfile::tempdir().expect("a directory");
    // Everything that it does is logged, to nobody.
    let settings = [("TICKETBLITZ_LOG".to_owned(), "trace".to_owned())];
    let offset = common::free_offset();
    let mut server = common::command(&temporary.path().join("data"), &settings)
        .args(["serve", "--port-offset", &offset.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary runs");
    drop((server.stdout.take(), server.stderr.take()));
    let url = format!("http://127.0.0.1:{}", 8080 + offset);
    until("it is up", || async {
        let answer = reqwest::get(format!("{url}/actuator/health")).await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    let buyer = Buyer::register(&url, "Ann").await;
    let event = buyer.sample("VISUAL").await;
    let booking = buyer.buy(&event, &["A1"], "pm_ok").await;
    assert_eq!(booking["status"], "CONFIRMED");
    let pid = rustix::process::Pid::from_raw(server.id().expect("running").cast_signed()).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
    let status =
        tokio::time::timeout(common::PATIENCE, server.wait()).await.expect("it ends").expect("its status");
    assert!(status.success(), "{status}");
}
