//! A system of its own for a test: the real binary on a temporary data directory and free ports, and a client.
#![allow(dead_code)] // each test file uses a part
#![allow(clippy::print_stderr)] // what the system logs belongs to the test's output

pub mod accounts;
pub mod client;
pub mod dump;
pub mod load;
pub mod provider;
pub mod soak;
pub mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

pub use client::{Answer, Buyer};

/// Bounds every wait: a condition that never comes fails the test with a name, and a slow machine passes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A setting of the machine, not of the system: how many files the process may open.
pub const OPEN_FILES: &str = "OPEN_FILES";

static NEXT_OFFSET: AtomicU16 = AtomicU16::new(0);

/// A running `ticketblitz serve`. Killed when dropped.
pub struct System {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    pub banner: String,
    /// The lines that it logged so far.
    pub log: Arc<Mutex<Vec<String>>>,
    pub offset: u16,
    dir: PathBuf,
    settings: Vec<(String, String)>,
    _temporary: Option<tempfile::TempDir>,
}

impl System {
    /// A first start on an empty directory.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let temporary = tempfile::tempdir().expect("a directory");
        let dir = temporary.path().join("data");
        let settings: Vec<_> = settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let mut system = Self::launch(&dir, &settings).await;
        system._temporary = Some(temporary);
        system
    }

    /// A start on a directory that is there already, and that the test keeps.
    pub async fn start_on(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let settings: Vec<_> = settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Self::launch(dir, &settings).await
    }

    /// Tries port offsets until all its ports are free.
    async fn launch(dir: &Path, settings: &[(String, String)]) -> Self {
        for _ in 0..50 {
            let offset = free_offset();
            let files = settings.iter().find(|(name, _)| name == OPEN_FILES);
            let limited = files.map_or_else(String::new, |(_, files)| format!("ulimit -n {files};"));
            let mut child = shell(&limited, dir, settings)
                .args(["serve", "--port-offset", &offset.to_string()])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .expect("the binary runs");
            let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
            let mut banner = String::new();
            while let Some(line) = output.next_line().await.expect("its output") {
                banner.push_str(&line);
                banner.push('\n');
                if line.starts_with("Stop with")
                    || line.starts_with("  data in") && !banner.contains("gateway")
                {
                    // Drained, so that a full pipe never blocks the system.
                    let stderr = child.stderr.take().expect("piped");
                    let log = Arc::<Mutex<Vec<String>>>::default();
                    let kept = Arc::clone(&log);
                    tokio::spawn(async move {
                        let mut lines = BufReader::new(stderr).lines();
                        while let Ok(Some(line)) = lines.next_line().await {
                            eprintln!("[system] {line}");
                            kept.lock().expect("no test panics here").push(line);
                        }
                    });
                    let (dir, settings) = (dir.to_owned(), settings.to_vec());
                    return Self { child, output, banner, log, offset, dir, settings, _temporary: None };
                }
            }
            let failed = child.wait_with_output().await.expect("its end");
            let sentence = String::from_utf8_lossy(&failed.stderr).into_owned();
            assert!(sentence.contains("--port-offset"), "it did not start: {banner}{sentence}");
        }
        panic!("no free ports");
    }

    /// kill -9, as a power cut would.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("killed");
    }

    /// The same data again, after [`Self::kill`] or [`Self::terminate`].
    pub async fn restart(&mut self) {
        let mut again = Self::launch(&self.dir, &self.settings).await;
        again._temporary = self._temporary.take();
        *self = again;
    }

    /// Changes settings for the next [`Self::restart`].
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// SIGTERM, and how it ended and how long that took.
    pub async fn terminate(&mut self) -> (std::process::ExitStatus, Duration) {
        let began = Instant::now();
        self.signal_terminate();
        let status =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("its status");
        (status, began.elapsed())
    }

    pub fn signal_terminate(&self) {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).expect("signalled");
    }

    /// From here no file of the system's grows or changes, or they do again.
    pub fn disk_full(&self, full: bool) {
        let current = full.then_some(0);
        let limit = rustix::process::Rlimit { current, maximum: None };
        rustix::process::prlimit(Some(self.pid()), rustix::process::Resource::Fsize, limit)
            .expect("the limit of a child's files can be set");
    }

    fn pid(&self) -> rustix::process::Pid {
        let pid = self.child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        pid.expect("running")
    }

    /// The memory that it has now, in bytes.
    pub fn resident(&self) -> u64 {
        let pid = self.child.id().expect("running");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
    }

    /// Runs another command of the binary on the same data, which nobody reads: `| true`.
    pub async fn run_unread(&self, args: &[&str]) -> std::process::Output {
        let mut child = command(&self.dir, &[])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        drop(child.stdout.take());
        child.wait_with_output().await.expect("its end")
    }

    pub fn data_dir(&self) -> &Path {
        &self.dir
    }

    /// The address of a port of API.md: 8080 the gateway, 8081 auth and on.
    pub fn url(&self, port: u16) -> String {
        format!("http://127.0.0.1:{}", port + self.offset)
    }

    /// The same as a socket's address.
    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port + self.offset))
    }

    /// Somebody who has registered.
    pub async fn buyer(&self, name: &str) -> Buyer {
        Buyer::register(&self.url(8080), name).await
    }

    /// The administrator that the first start made.
    pub async fn admin(&self) -> Buyer {
        let password = std::fs::read_to_string(self.dir.join("admin-password")).expect("the password's file");
        Buyer::log_in(&self.url(8080), "admin@ticketblitz.local", password.trim()).await
    }

    /// Runs another command of the binary on the same data.
    pub async fn run(&self, args: &[&str]) -> std::process::Output {
        command(&self.dir, &[]).args(args).output().await.expect("the binary runs")
    }

    /// What the provider has in its books: the independent witness.
    pub async fn ledger(&self) -> serde_json::Value {
        Buyer::nobody(&self.url(8089)).get("/v1/ledger").await.expect(200)
    }
}

pub fn command(dir: &Path, settings: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ticketblitz"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TICKETBLITZ_") {
            command.env_remove(name);
        }
    }
    command.env("TICKETBLITZ_DATA_DIR", dir).envs(settings.iter().map(|(n, v)| (n, v)));
    command
}

/// The binary on a disk that has room for no more than so many 512-byte blocks a file.
pub async fn run_on_a_full_disk(dir: &Path, args: &[&str], blocks: u32) -> std::process::Output {
    shell(&format!("ulimit -f {blocks};"), dir, &[]).args(args).output().await.expect("the shell runs")
}

/// The binary, started by a shell that ignores SIGXFSZ and so has it ignored: beyond the limit of a file's size a
/// write fails, as on a full disk.
fn shell(first: &str, dir: &Path, settings: &[(String, String)]) -> Command {
    let direct = command(dir, settings);
    let mut shell = Command::new("sh");
    for (name, value) in direct.as_std().get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.arg("-c").arg(format!("trap '' XFSZ; {first} exec \"$0\" \"$@\""));
    shell.arg(direct.as_std().get_program());
    shell
}

/// An offset at which the gateway's port is free now; the system itself finds out about the rest. Below 32,768: from
/// there on a machine takes the ports of its outgoing connections, and a crowd has thousands of them.
pub fn free_offset() -> u16 {
    const OFFSETS: u16 = 1_130;
    loop {
        let step = NEXT_OFFSET.fetch_add(1, Ordering::Relaxed) % OFFSETS;
        let start = u16::try_from(std::process::id() % u32::from(OFFSETS)).expect("small");
        let offset = 2_000 + (start + step) % OFFSETS * 20;
        if std::net::TcpListener::bind(("127.0.0.1", 8080 + offset)).is_ok() {
            return offset;
        }
    }
}

/// A number by which a longer run is asked for.
#[allow(clippy::disallowed_methods)] // of the tests, not of the system
pub fn setting(name: &str) -> Option<u32> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a whole number")))
}

/// Looks until the condition holds.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await; // between two looks
    }
}
