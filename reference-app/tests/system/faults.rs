//! Storage that fails: a start that cannot be is one sentence; a system that runs answers 503, loses nothing and goes
//! on by itself when the cause is gone.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use uuid::Uuid;

use crate::common::client::charged;
use crate::common::{Answer, Buyer, System, command, run_on_a_full_disk, until};

/// Whoever has no privileges: root is refused nothing.
const NOBODY: u32 = 65_534;

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// The start ended with one sentence that has each of these in it.
#[track_caller]
fn stops_with(start: &Output, parts: &[&str]) {
    let sentence = text(&start.stderr);
    assert_eq!(start.status.code(), Some(1), "{sentence}");
    assert!(sentence.starts_with("ticketblitz: ") && sentence.trim_end().lines().count() == 1, "{sentence}");
    for part in parts {
        assert!(sentence.contains(part), "no {part:?}: {sentence}");
    }
}

/// 503 as the contract has it.
#[track_caller]
fn unavailable(answer: Answer) {
    assert!(!answer.header("retry-after").is_empty(), "{}: {:?}", answer.text, answer.headers);
    answer.refused(503, "dependency-unavailable");
}

async fn health(system: &System, port: u16) -> (u16, String) {
    let health = Buyer::nobody(&system.url(port)).get("/actuator/health").await;
    (health.status, health.text)
}

/// Nobody got a 500, from any role.
async fn no_500(system: &System) {
    let metrics = Buyer::nobody(&system.url(8080)).get("/metrics").await.text;
    let failed: Vec<_> = metrics.lines().filter(|line| line.contains("status=\"500\"")).collect();
    assert!(metrics.contains("http_requests_total") && failed.is_empty(), "{failed:?}");
}

fn path(booking: &Value) -> String {
    format!("/api/bookings/{}", booking["id"].as_str().expect("an id"))
}

const WITH_DATABASES: [u16; 7] = [8081, 8082, 8083, 8084, 8085, 8086, 8089];

#[tokio::test]
async fn a_full_disk_is_503_and_everything_goes_on_once_there_is_room() {
    let system = System::start(&[]).await;
    let (ann, admin) = (system.buyer("Ann").await, system.admin().await);
    let event = ann.sample("VISUAL").await;
    let sold = ann.buy(&event, &["A1"], "pm_ok").await;
    let slow = ann.hold(&event, &["B1"]).await.expect(201);
    let slow = ann.book(&slow, "pm_slow").await.expect(201);
    let key = Uuid::now_v7().to_string();

    system.disk_full(true);
    // Holds are kept in memory; everything else wants to be written.
    let hold = ann.hold(&event, &["B2"]).await.expect(201);
    unavailable(ann.send(ann.book_request(&hold, "pm_ok", &key)).await);
    unavailable(ann.delete(&path(&sold)).await);
    unavailable(ann.post("/api/auth/logout", &json!({"refreshToken": ann.session["refreshToken"]})).await);
    unavailable(ann.post("/api/auth/refresh", &json!({"refreshToken": ann.session["refreshToken"]})).await);
    let nobody = Buyer::nobody(&system.url(8080));
    let bob = json!({"email": "bob@example.com", "password": "pass123", "name": "Bob"});
    unavailable(nobody.post("/api/auth/register", &bob).await);
    let hall = json!({"name": "Open Day", "venue": "Hall", "startsAt": "2031-05-01T10:00:00Z", "timeZone": "Europe/Paris",
        "currency": "EUR", "bookingMode": "TATKAL", "sections": [{"name": "HALL", "price": 0, "capacity": 5}]});
    unavailable(admin.post("/api/events", &hall).await);
    for port in WITH_DATABASES {
        until("its health says so", || async { (health(&system, port).await.0 == 503).then_some(()) }).await;
        assert_eq!(health(&system, port).await.1, r#"{"status":"DOWN"}"#, "port {port}");
    }
    // What only reads is answered, and the provider's answer to the slow charge finds nowhere to be kept.
    assert_eq!(ann.seat(&event, "A1").await, "SOLD");
    assert_eq!(ann.get(&path(&slow)).await.expect(200)["status"], "PENDING");
    assert_eq!(ann.tickets(&sold).await.len(), 1);

    system.disk_full(false);
    for port in WITH_DATABASES {
        until("it is up again", || async { (health(&system, port).await.0 == 200).then_some(()) }).await;
    }
    assert_eq!(ann.settled(&slow).await["status"], "CONFIRMED");
    assert_eq!(charged(&system.ledger().await, &slow), (1, 0));
    let booking = ann.send(ann.book_request(&hold, "pm_ok", &key)).await.expect(201);
    assert_eq!(ann.settled(&booking).await["status"], "CONFIRMED");
    assert_eq!(charged(&system.ledger().await, &booking), (1, 0));
    nobody.post("/api/auth/register", &bob).await.expect(201);
    admin.post("/api/events", &hall).await.expect(201);
    ann.post("/api/auth/refresh", &json!({"refreshToken": ann.session["refreshToken"]})).await.expect(200);
    assert_eq!(ann.delete(&path(&sold)).await.expect(200)["status"], "CANCELLED");
    until("every invariant holds", || async {
        let offset = system.offset.to_string();
        let audit = system.run(&["audit", "--port-offset", &offset, "--settle", "50ms"]).await;
        audit.status.success().then_some(())
    })
    .await;
    no_500(&system).await;
}

#[tokio::test]
async fn a_disk_that_fills_up_again_and_again_loses_nothing() {
    let system = System::start(&[]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("TATKAL").await;
    let mut bookings = Vec::new();
    for round in 0..4 {
        let hold = buyer.hold_area(&event, 1).await.expect(201);
        let key = format!("round-{round}-{}", Uuid::now_v7());
        // Somewhere in the middle of what this booking writes, in each round a little later.
        let pause = std::time::Duration::from_millis(2 * round);
        let booked = until("it is booked", || async {
            let answer = buyer.send(buyer.book_request(&hold, "pm_ok", &key)).await;
            match answer.status {
                503 => unavailable(answer),
                // The first try's lease, which could not be given back, ends by itself.
                409 => drop(answer.refused(409, "request-in-flight")),
                _ => return Some(answer.expect(201)),
            }
            None
        });
        let filling = async {
            tokio::time::sleep(pause).await; // the moment is what the rounds vary
            system.disk_full(true);
            until("somebody notices", || async { (health(&system, 8084).await.0 == 503).then_some(()) })
                .await;
            system.disk_full(false);
        };
        bookings.push(tokio::join!(booked, filling).0);
    }
    for booking in &bookings {
        let settled = buyer.settled(booking).await;
        assert_eq!(settled["status"], "CONFIRMED", "{settled}");
        assert_eq!(charged(&system.ledger().await, booking), (1, 0));
    }
    no_500(&system).await;
}

#[tokio::test]
async fn mails_that_cannot_be_kept_are_sent_once_they_can() {
    let system = System::start(&[]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    let mail = system.data_dir().join("mail");
    std::fs::rename(&mail, system.data_dir().join("mail.away")).expect("moved");
    std::fs::write(&mail, "in the way").expect("written");
    assert_eq!(buyer.buy(&event, &["A1"], "pm_ok").await["status"], "CONFIRMED");
    until("it is tried", || async { (buyer.notifications().await.len() == 1).then_some(()) }).await;
    assert_eq!(buyer.notifications().await[0]["status"], "PENDING");
    std::fs::remove_file(&mail).expect("removed");
    until("it is sent", || async { (buyer.notifications().await[0]["status"] == "SENT").then_some(()) })
        .await;
    assert_eq!(std::fs::read_dir(&mail).expect("mails").count(), 1);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry")) {
        if entry.file_type().expect("its type").is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}

/// What is done to a data directory, and what the start then says.
type Fault = (fn(&Path), &'static [&'static str]);

const FAULTS: [Fault; 9] = [
    (|dir| truncate(&dir.join("booking.db"), 8_192), &["booking.db", "damaged", "restore it from a copy"]),
    (|dir| truncate(&dir.join("payment.db"), 0), &["payment.db is gone or empty", "from a copy"]),
    (
        |dir| std::fs::remove_file(dir.join("inventory.db")).expect("removed"),
        &["inventory.db is gone or empty"],
    ),
    (
        |dir| std::fs::write(dir.join("event.db"), "no database\n".repeat(1_000)).expect("written"),
        &["event.db is not a database of this program"],
    ),
    (
        |dir| anothers(&dir.join("booking.db"), &dir.join("notification.db")),
        &["notification.db is a database, but not one of notification"],
    ),
    (|dir| in_the_way(&dir.join("auth.db")), &["auth.db", "Is a directory"]),
    (|dir| in_the_way(&dir.join("psp.db")), &["psp.db is a directory"]),
    (
        |dir| std::fs::write(dir.join("mail"), "in the way").expect("written"),
        &["cannot write mails in", "mail"],
    ),
    (|dir| in_the_way(&dir.join("service-secret")), &["cannot keep a secret in", "Is a directory"]),
];

fn truncate(file: &Path, length: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(file).expect("opens");
    file.set_len(length).expect("truncated");
}

fn anothers(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("copied");
}

fn in_the_way(file: &Path) {
    std::fs::remove_file(file).expect("removed");
    std::fs::create_dir(file).expect("a directory");
}

async fn start_on(system: &System, dir: &Path) -> Output {
    system
        .run(&[
            "serve",
            "--port-offset",
            &system.offset.to_string(),
            "--data-dir",
            dir.to_str().expect("a text"),
        ])
        .await
}

#[tokio::test]
async fn a_start_on_damaged_data_says_what_is_damaged_and_leaves_it() {
    let mut system = System::start(&[]).await;
    assert!(system.terminate().await.0.success());
    let place = tempfile::tempdir().expect("a directory");
    for (n, (fault, parts)) in FAULTS.into_iter().enumerate() {
        let dir = place.path().join(n.to_string());
        copy(system.data_dir(), &dir);
        fault(&dir);
        stops_with(&start_on(&system, &dir).await, parts);
    }
    for newer in [
        "INSERT INTO _sqlx_migrations VALUES (99, 'newer', 0, true, x'00', 0)",
        "UPDATE library_schema SET version = 99",
    ] {
        let dir = place.path().join(Uuid::now_v7().to_string());
        copy(system.data_dir(), &dir);
        let mut booking =
            SqliteConnectOptions::new().filename(dir.join("booking.db")).connect().await.expect("opens");
        booking.execute(newer).await.expect(newer);
        booking.close().await.expect("closed");
        stops_with(
            &start_on(&system, &dir).await,
            &["booking.db was written by a newer version", "start that version"],
        );
    }
    system.restart().await;
}

#[tokio::test]
async fn a_database_that_is_cut_off_while_it_is_served_is_503_until_it_is_put_back() {
    let mut system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("TATKAL").await;
    let hold = ann.hold_area(&event, 1).await.expect(201);
    let sold = ann.book(&hold, "pm_ok").await.expect(201);
    ann.settled(&sold).await;
    // Whole in its file, none of it in the log beside that.
    assert!(system.terminate().await.0.success());
    system.restart().await;
    let ann = ann.at(&system.url(8080));
    let hold = ann.hold_area(&event, 1).await.expect(201);
    let key = Uuid::now_v7().to_string();
    let file = system.data_dir().join("booking.db");
    let whole = std::fs::read(&file).expect("read");
    truncate(&file, 4_096);
    until("somebody notices", || async {
        let answer = ann.get(&path(&sold)).await;
        let noticed = answer.status == 503;
        if noticed {
            unavailable(answer);
        } else {
            answer.expect(200);
        }
        noticed.then_some(())
    })
    .await;
    until("its health says so", || async { (health(&system, 8084).await.0 == 503).then_some(()) }).await;
    unavailable(ann.send(ann.book_request(&hold, "pm_ok", &key)).await);
    // Nothing else is the worse for it.
    assert_eq!(health(&system, 8083).await.0, 200);
    assert_eq!(ann.live(&event).await["areas"][0]["sold"], 1);

    let mut put_back = std::fs::OpenOptions::new().write(true).open(&file).expect("opens");
    std::io::Write::write_all(&mut put_back, &whole).expect("put back");
    until("it is up again", || async { (health(&system, 8084).await.0 == 200).then_some(()) }).await;
    assert_eq!(ann.get(&path(&sold)).await.expect(200)["status"], "CONFIRMED");
    let booking = until("the first try's lease has ended", || async {
        let answer = ann.send(ann.book_request(&hold, "pm_ok", &key)).await;
        (answer.status != 409).then(|| answer.expect(201))
    })
    .await;
    assert_eq!(ann.settled(&booking).await["status"], "CONFIRMED");
    assert_eq!(charged(&system.ledger().await, &booking), (1, 0));
    no_500(&system).await;
}

#[tokio::test]
async fn a_start_on_a_full_disk_says_so() {
    let mut system = System::start(&[]).await;
    let offset = system.offset.to_string();
    assert!(system.terminate().await.0.success());
    let serve = ["serve", "--port-offset", &offset];
    let place = tempfile::tempdir().expect("a directory");
    let first = place.path().join("first");
    stops_with(&run_on_a_full_disk(&first, &serve, 0).await, &["cannot keep a secret in", "first"]);
    let again = run_on_a_full_disk(system.data_dir(), &serve, 0).await;
    stops_with(&again, &[".db cannot be", "the disk is full or failing"]);
    system.restart().await;
}

/// The binary as somebody without privileges, where they can run it; as ourselves if we have none.
struct Unprivileged {
    _place: tempfile::TempDir,
    binary: PathBuf,
}

impl Unprivileged {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).expect("opened");
        let binary = place.path().join("ticketblitz");
        std::fs::copy(env!("CARGO_BIN_EXE_ticketblitz"), &binary).expect("copied");
        std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).expect("opened");
        Self { _place: place, binary }
    }

    async fn run(&self, args: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(&self.binary);
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.args(args).output().await.expect("it runs")
    }

    async fn serve(&self, dir: &Path, offset: u16) -> Output {
        let dir = dir.to_str().expect("a text");
        self.run(&["serve", "--port-offset", &offset.to_string(), "--data-dir", dir]).await
    }
}

fn everything_to_nobody(dir: &Path) {
    if rustix::process::geteuid().is_root() {
        let (user, group) = (Some(NOBODY), Some(NOBODY));
        std::os::unix::fs::chown(dir, user, group).expect("given");
        for entry in std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry")) {
            std::os::unix::fs::chown(entry.path(), user, group).expect("given");
        }
    }
}

#[tokio::test]
async fn a_start_without_the_permission_says_for_what() {
    let mut system = System::start(&[]).await;
    assert!(system.terminate().await.0.success());
    let nobody = Unprivileged::new();
    let place = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).expect("opened");
    let forbid = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("forbidden");
    };

    let dir = place.path().join("read-only");
    std::fs::create_dir(&dir).expect("a directory");
    forbid(&dir, 0o555);
    stops_with(
        &nobody.serve(&dir, system.offset).await,
        &["cannot write in the data directory", "Permission denied"],
    );

    // It was written before, and may not be now: SQLite would have to make files beside its own.
    let dir = place.path().join("was-written");
    copy(system.data_dir(), &dir);
    everything_to_nobody(&dir);
    forbid(&dir, 0o555);
    stops_with(&nobody.serve(&dir, system.offset).await, &[".db", "cannot be", "permissions"]);

    for (name, parts) in [
        ("booking.db", ["booking.db cannot be written", "permissions"]),
        ("auth.db", ["auth.db", "Permission denied"]),
        ("lock", ["cannot write in the data directory", "Permission denied"]),
    ] {
        let dir = place.path().join(format!("without-{name}"));
        copy(system.data_dir(), &dir);
        everything_to_nobody(&dir);
        forbid(&dir.join(name), 0o000);
        stops_with(&nobody.serve(&dir, system.offset).await, &parts);
    }
    system.restart().await;
}

#[tokio::test]
async fn a_read_only_data_directory_is_named_by_what_only_reads() {
    let mut system = System::start(&[]).await;
    assert!(system.terminate().await.0.success());
    let nobody = Unprivileged::new();
    let place = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o777)).expect("opened");
    let dir = place.path().join("read-only");
    copy(system.data_dir(), &dir);
    everything_to_nobody(&dir);
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o555)).expect("forbidden");
    let (data, to) = (dir.to_str().expect("a text"), place.path().join("copy"));
    let read_only = format!("{data} is read-only (Permission denied");
    let audit = nobody.run(&["audit", "--data-dir", data, "--port-offset", &system.offset.to_string()]).await;
    stops_with(&audit, &["read-only/inventory.db cannot be read", &read_only]);
    let backup = nobody.run(&["backup", "--data-dir", data, to.to_str().expect("a text")]).await;
    stops_with(&backup, &["read-only/auth.db cannot be read", &read_only]);

    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).expect("allowed");
    std::fs::set_permissions(dir.join("event.db"), PermissionsExt::from_mode(0o000)).expect("forbidden");
    let backup = nobody.run(&["backup", "--data-dir", data, to.to_str().expect("a text")]).await;
    stops_with(&backup, &["read-only/event.db cannot be read: Permission denied"]);
    assert!(!to.exists());
}

#[tokio::test]
async fn a_port_of_any_role_that_is_taken_is_named_and_nothing_was_touched() {
    let mut system = System::start(&[]).await;
    assert!(system.terminate().await.0.success());
    let port = 8085 + system.offset;
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).expect("free again");
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path().join("data");
    stops_with(&start_on(&system, &dir).await, &[&format!("port {port} is in use"), "--port-offset"]);
    assert!(!dir.join("auth.db").exists(), "nothing is prepared for a start that cannot be");
}

#[tokio::test]
async fn a_service_secret_that_anybody_can_guess_stops_the_start_and_nothing_was_touched() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path().join("data");
    for secret in ["", "short"] {
        let mut serve = command(&dir, &[("TICKETBLITZ_SERVICE_SECRET".to_owned(), secret.to_owned())]);
        let start = serve.kill_on_drop(true).args(["serve", "--port-offset", "2000"]).output();
        let start = tokio::time::timeout(std::time::Duration::from_secs(30), start).await;
        stops_with(&start.expect("it does not serve").expect("it runs"), &["service secret", "at least 32"]);
        assert!(!dir.exists(), "{secret:?}");
    }
}
