//! `ticketblitz backup` beside a crowd, after a stop and after a crash: what starts from the copy is whole.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use uuid::Uuid;

use crate::common::client::charged;
use crate::common::provider::{HoldUp, Provider};
use crate::common::{System, run_on_a_full_disk, until};
use crate::crash::Database;

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

async fn backup(system: &System, to: &Path) -> Output {
    system.run(&["backup", to.to_str().expect("a text")]).await
}

/// What it printed of a copy that was made.
#[track_caller]
fn copied(backup: &Output) -> String {
    let printed = text(&backup.stdout);
    assert!(backup.status.success(), "{printed}{}", text(&backup.stderr));
    assert!(printed.starts_with("Copied ") && printed.contains("writers waited "), "{printed}");
    printed
}

/// A start on the copy: all of its bookings come to an end, and everything agrees.
async fn comes_to_rest(copy: &Path) -> System {
    let system = System::start_on(copy, &[]).await;
    until("every booking ends", || async {
        let mut bookings = Database::open(&system, "booking").await;
        let pending = bookings.count("SELECT count(*) FROM bookings WHERE status = 'PENDING'").await;
        (pending == 0).then_some(())
    })
    .await;
    until("every invariant holds", || async {
        let offset = system.offset.to_string();
        let audit = system.run(&["audit", "--port-offset", &offset, "--settle", "50ms"]).await;
        audit.status.success().then_some(())
    })
    .await;
    system
}

async fn bookings(system: &System) -> i64 {
    Database::open(system, "booking").await.count("SELECT count(*) FROM bookings").await
}

const BUYERS: i64 = 120;

#[tokio::test]
async fn copies_beside_a_crowd_are_whole() {
    let mut system = System::start(&[]).await;
    let place = tempfile::tempdir().expect("a directory");
    let (buyers, url) = (BUYERS.to_string(), system.url(8080));
    let crowd = ["demo", "--buyers", &buyers, "--concurrency", "24", "--url", &url];
    let copying = async {
        let mut copies = Vec::new();
        for part in 0..3 {
            // At a moment that nobody chose, in each third of the sale.
            let (third, random) = (BUYERS / 3, i64::from(Uuid::now_v7().as_bytes()[15]));
            let moment = part * third + 1 + random % (third - 1);
            until("the sale is so far", || async { (bookings(&system).await >= moment).then_some(()) }).await;
            let copy = place.path().join(format!("copy-{part}"));
            copied(&backup(&system, &copy).await);
            copies.push((copy, moment));
        }
        copies
    };
    let (sold, copies) = tokio::join!(system.run(&crowd), copying);
    assert!(sold.status.success(), "{}{}", text(&sold.stdout), text(&sold.stderr));
    assert_eq!(bookings(&system).await, BUYERS, "the copies disturbed nobody");
    assert!(system.terminate().await.0.success());
    for (copy, moment) in copies {
        // What was on its way at that moment is unfinished, not broken.
        let audit =
            system.run(&["audit", "--data-dir", copy.to_str().expect("a text"), "--settle", "50ms"]).await;
        assert!(audit.status.success(), "{}{}", text(&audit.stdout), text(&audit.stderr));
        let mut again = comes_to_rest(&copy).await;
        assert!(bookings(&again).await >= moment);
        assert!(again.terminate().await.0.success());
    }
}

/// Everything below the directory with its mode.
fn modes(dir: &Path) -> Vec<(PathBuf, u32)> {
    let mut all = vec![(dir.to_owned(), dir.metadata().expect("a directory").permissions().mode() & 0o777)];
    for entry in std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            all.extend(modes(&entry));
        } else {
            let mode = entry.metadata().expect("a file").permissions().mode() & 0o777;
            all.push((entry, mode));
        }
    }
    all
}

#[tokio::test]
async fn a_copy_has_everything_also_of_a_system_that_was_stopped_or_killed() {
    let mut system = System::start(&[]).await;
    let place = tempfile::tempdir().expect("a directory");
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    let sold = buyer.buy(&event, &["A1"], "pm_ok").await;
    until("the mail is sent", || async {
        buyer.notifications().await.iter().any(|n| n["status"] == "SENT").then_some(())
    })
    .await;
    let copies: Vec<PathBuf> = ["running", "killed", "stopped"].map(|name| place.path().join(name)).into();
    copied(&backup(&system, &copies[0]).await);
    copied(&backup(&system, &place.path().join("not/yet/there")).await);
    let mode = place.path().join("not").metadata().expect("made").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else's, as the data directory");
    system.kill().await;
    let printed = copied(&backup(&system, &copies[1]).await);
    assert!(printed.contains("7 databases") && printed.contains("1 mails"), "{printed}");
    system.restart().await;
    assert!(system.terminate().await.0.success());
    std::fs::create_dir(&copies[2]).expect("an empty directory is no hindrance");
    copied(&backup(&system, &copies[2]).await);
    for copy in &copies {
        for (path, mode) in modes(copy) {
            assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        }
        for file in ["service-secret", "admin-password"] {
            let (there, here) = (system.data_dir().join(file), copy.join(file));
            assert_eq!(std::fs::read(here).expect(file), std::fs::read(there).expect(file));
        }
        let again = comes_to_rest(copy).await;
        let buyer = buyer.at(&again.url(8080)); // with the token of before
        assert_eq!(buyer.settled(&sold).await["status"], "CONFIRMED");
        assert_eq!(buyer.seat(&event, "A1").await, "SOLD");
        assert_eq!(charged(&again.ledger().await, &sold), (1, 0));
        let mail = &buyer.notifications().await[0];
        let page =
            buyer.at(&again.url(8086)).get(&format!("/mail/{}", mail["id"].as_str().expect("an id"))).await;
        assert!(page.text.contains(sold["id"].as_str().expect("an id")), "{}", page.text);
        again.admin().await;
    }
}

#[tokio::test]
async fn a_provider_that_went_on_is_asked_before_it_is_charged_again() {
    let provider = Provider::start().await;
    let mut system = System::start(&[("TICKETBLITZ_PSP_URL", &provider.url())]).await;
    let place = tempfile::tempdir().expect("a directory");
    let copy = place.path().join("copy");
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    provider.hold_up(HoldUp::Before);
    let hold = buyer.hold(&event, &["A1"]).await.expect(201);
    let pending = buyer.book(&hold, "pm_ok").await.expect(201);
    provider.reached().await;
    copied(&backup(&system, &copy).await);
    provider.hold_up(HoldUp::Never);
    assert_eq!(buyer.settled(&pending).await["status"], "CONFIRMED");
    system.terminate().await;
    assert_eq!(charged(&provider.ledger().await, &pending), (1, 0));

    let again = System::start_on(&copy, &[("TICKETBLITZ_PSP_URL", &provider.url())]).await;
    let buyer = buyer.at(&again.url(8080));
    assert_eq!(buyer.settled(&pending).await["status"], "CONFIRMED");
    assert_eq!(charged(&provider.ledger().await, &pending), (1, 0), "charged once, in both lives");
}

#[tokio::test]
async fn what_is_no_copy_does_not_look_like_one() {
    let system = System::start(&[]).await;
    let place = tempfile::tempdir().expect("a directory");
    let refuses = async |to: &Path, why: &str| {
        let refused = backup(&system, to).await;
        let sentence = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{sentence}");
        assert!(sentence.contains(why) && sentence.lines().count() == 1, "{sentence}");
    };
    std::fs::write(place.path().join("file"), "in the way").expect("written");
    refuses(place.path(), "is there already").await;
    refuses(&place.path().join("file"), "is there already").await;
    refuses(&place.path().join("file/copy"), "file cannot be used").await;
    refuses(&system.data_dir().join("copy"), "within the data directory").await;
    refuses(&system.data_dir().join("no/such/copy"), "within the data directory").await;
    assert!(!system.data_dir().join("no").exists(), "nothing is made there");
    std::fs::remove_file(place.path().join("file")).expect("removed");

    let copying = std::fs::File::open(system.data_dir()).expect("a directory");
    rustix::fs::flock(&copying, rustix::fs::FlockOperation::LockExclusive).expect("locked");
    refuses(&place.path().join("second"), "another copy of it is being made").await;
    drop(copying);

    let full = place.path().join("full");
    let failed = run_on_a_full_disk(system.data_dir(), &["backup", full.to_str().expect("a text")], 8).await;
    let sentence = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{sentence}");
    assert!(
        sentence.contains(".db cannot be read or written") && sentence.lines().count() == 1,
        "{sentence}"
    );

    let left: Vec<_> = std::fs::read_dir(place.path()).expect("a directory").collect();
    assert!(left.is_empty(), "{left:?}");
    let elsewhere = system.run(&["backup", "/tmp/copy", "--data-dir", "/no/such/data"]).await;
    assert!(text(&elsewhere.stderr).contains("there is no data directory"), "{}", text(&elsewhere.stderr));
    let empty = place.path().join("empty");
    std::fs::create_dir(&empty).expect("a directory");
    let empty = system.run(&["backup", "/tmp/copy", "--data-dir", empty.to_str().expect("a text")]).await;
    assert!(text(&empty.stderr).contains("a server has to have been started"), "{}", text(&empty.stderr));
}
