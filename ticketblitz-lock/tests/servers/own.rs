//! A server of a test's own, which it may stop, kill and start again.

use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs whichever is there. Not every shell's `command -v` looks for more than its first name.
const REDIS: &str = r#"exec "$(command -v redis-server || command -v valkey-server)" "$@""#;

/// Ended with the test that started it.
pub struct Own {
    directory: String,
    pub url: String,
}

#[allow(dead_code)] // not every file that has this module does everything to its servers
impl Own {
    /// `redis` or `postgres`.
    pub fn start(service: &str) -> Self {
        let output = script(&["start", service]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = |name: &str| {
            let mark = format!("export {name}=");
            let line = text.lines().find_map(|line| line.strip_prefix(&mark));
            line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr))).to_owned()
        };
        let url = value(if service == "redis" { "TEST_REDIS_URL" } else { "TEST_POSTGRES_URL" });
        Self { directory: value("TEST_SERVICES"), url }
    }

    fn is_redis(&self) -> bool {
        self.url.starts_with("redis:")
    }

    fn process_file(&self) -> String {
        let file = if self.is_redis() { "redis/pid" } else { "postgres/data/postmaster.pid" };
        format!("{}/{file}", self.directory)
    }

    fn process(&self) -> String {
        let text = std::fs::read_to_string(self.process_file()).unwrap();
        text.lines().next().unwrap().trim().to_owned()
    }

    /// Ends it as a crash would, by `QUIT` or `KILL`, and waits until it is gone.
    pub fn crash(&self, name: &str) {
        let process = self.process();
        signal(&process, name);
        wait_until("the server ends", || !is_running(&process));
        // Its number may be another process's soon. PostgreSQL needs its file to find the memory of what was killed.
        if self.is_redis() {
            std::fs::remove_file(self.process_file()).unwrap();
        }
    }

    /// After a crash: on the same port, with what is on the disk.
    pub fn start_again(&self) {
        wait_until("the server starts", || {
            if self.is_redis() { self.start_redis() } else { self.start_postgres() }
        });
    }

    fn start_redis(&self) -> bool {
        let port: u16 = self.url.rsplit(':').next().unwrap().parse().unwrap();
        let directory = format!("{}/redis", self.directory);
        // It reads what it has appended, if it was told to append; else there is nothing.
        let output = Command::new("sh")
            .args([
                "-c",
                REDIS,
                "sh",
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--dir",
                &directory,
            ])
            .args(["--pidfile", &format!("{directory}/pid"), "--logfile", &format!("{directory}/log")])
            .args(["--daemonize", "yes", "--save", "", "--maxmemory-policy", "noeviction"])
            .args(["--appendonly", if self.has_appended() { "yes" } else { "no" }, "--appendfsync", "always"])
            .stdout(Stdio::null())
            .output()
            .unwrap();
        // It says that it has begun before it has the port, which a child of the one that was killed may still keep.
        output.status.success()
            && (0..200).any(|_| {
                let listens = TcpStream::connect(("127.0.0.1", port)).is_ok();
                if !listens {
                    std::thread::park_timeout(Duration::from_millis(10));
                }
                listens
            })
            && wait_until("the server listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    fn has_appended(&self) -> bool {
        let directory = format!("{}/redis", self.directory);
        ["appendonlydir", "appendonly.aof"]
            .iter()
            .any(|name| std::fs::exists(format!("{directory}/{name}")).unwrap())
    }

    /// Not at once: processes of the one that was killed may still have its memory.
    fn start_postgres(&self) -> bool {
        let data = format!("{}/postgres/data", self.directory);
        let started = std::fs::read_to_string(format!("{data}/postmaster.opts")).unwrap();
        let program = started.split_whitespace().next().unwrap().replace("bin/postgres", "bin/pg_ctl");
        let log = format!("{}/postgres/log", self.directory);
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let mut command = Command::new(if is_root { "runuser" } else { &program });
        if is_root {
            command.args(["-u", "postgres", "--", &program]);
        }
        // With the options of the last start, whether or not it is still there.
        let restart = ["-D", &data, "-l", &log, "-m", "immediate", "-w", "restart"];
        command.args(restart).current_dir("/").stdout(Stdio::null()).output().unwrap().status.success()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let file = self.process_file();
        if let Ok(text) = std::fs::read_to_string(&file) {
            let process = text.lines().next().unwrap_or_default().trim();
            if self.is_redis() && is_running(process) {
                // What it appends it would append to a directory that is being removed.
                signal(process, "KILL");
                wait_until("the server ends", || !is_running(process));
            }
            if !is_running(process) {
                let _ = std::fs::remove_file(&file);
            }
        }
        script(&["stop", &self.directory]);
    }
}

fn script(arguments: &[&str]) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/services");
    Command::new(script).args(arguments).output().unwrap()
}

/// To any process.
pub fn signal(process: &str, name: &str) {
    let output = Command::new("kill").args([&format!("-{name}"), process]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Its state as `/proc` has it: `S`, `T` for stopped, `Z` for ended and not yet reaped; none once it is gone.
pub fn state(process: &str) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}

fn is_running(process: &str) -> bool {
    !matches!(state(process), None | Some('Z'))
}

/// Blocks: for what a few milliseconds bring about, or a minute at the most. True, as it does not return otherwise.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    true
}

#[test]
fn whichever_server_is_there_is_run() {
    use std::os::unix::fs::PermissionsExt;
    for name in ["redis-server", "valkey-server"] {
        let directory = format!("{}/{name}-{}", std::env::temp_dir().display(), std::process::id());
        std::fs::create_dir(&directory).unwrap();
        let program = format!("{directory}/{name}");
        std::fs::write(&program, format!("#!/bin/sh\necho {name} \"$@\"\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let output =
            Command::new("/bin/sh").args(["-c", REDIS, "sh", "--port", "7"]).env("PATH", &directory).output();
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.unwrap().stdout), format!("{name} --port 7\n"));
    }
}

#[test]
fn what_crashed_is_not_signalled_again() {
    let server = Own::start("redis");
    let (directory, file) = (server.directory.clone(), server.process_file());
    server.crash("KILL");
    assert!(!std::fs::exists(&file).unwrap(), "its number may be another process's");
    drop(server);
    assert!(!std::fs::exists(&directory).unwrap());
}
