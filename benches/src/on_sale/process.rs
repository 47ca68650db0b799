//! The processes that are measured: started here, killed when dropped.

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::wire::{Connection, request};

pub(super) const GATEWAY: u16 = 8080;
pub(super) const INVENTORY: u16 = 8083;
/// Every role of a server.
const PORTS: [u16; 8] = [GATEWAY, 8081, 8082, INVENTORY, 8084, 8085, 8086, 8089];
/// Below the ports that systems give to clients.
const OFFSETS: std::ops::Range<u16> = 2_000..24_000;
/// A start that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// Whoever used no more than a clock tick in this time is at rest.
const AT_REST: Duration = Duration::from_millis(250);

/// A running `ticketblitz serve` on a data directory of its own.
#[derive(Debug)]
pub(super) struct System {
    child: Child,
    offset: u16,
    pub(super) dir: TempDir,
    /// From the start of the process until the last role said that it is up.
    pub(super) started: Duration,
}

impl System {
    pub(super) async fn start(server: &Path) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        let offset = free_offset().ok_or("no port offset at which all ports are free")?;
        let began = Instant::now();
        let child = Command::new(server)
            .env_clear()
            .args(["serve", "--port-offset", &offset.to_string(), "--data-dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", server.display()))?;
        let mut system = Self { child, offset, dir, started: Duration::ZERO };
        for port in PORTS {
            system.until_up(port, began).await?;
        }
        system.started = began.elapsed();
        Ok(system)
    }

    pub(super) fn address(&self, port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port + self.offset).into()
    }

    pub(super) fn resident(&self) -> Result<f64, String> {
        resident(&self.child)
    }

    pub(super) async fn at_rest(&self) -> Result<(), String> {
        at_rest(&self.child).await
    }

    /// How many commits its databases have made.
    pub(super) async fn commits(&self) -> Result<f64, String> {
        let mut connection = Connection::open(self.address(GATEWAY)).await?;
        let metrics = connection.exchange(&request("GET /metrics", None, None, "")).await?.text(200)?;
        let counts = metrics.lines().filter(|line| line.starts_with("sqlite_commits_total{"));
        let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(counts.sum())
    }

    async fn until_up(&mut self, port: u16, began: Instant) -> Result<(), String> {
        let health = request("GET /actuator/health", None, None, "");
        while began.elapsed() < PATIENCE {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended by itself ({status})"));
            }
            if let Ok(mut connection) = Connection::open(self.address(port)).await
                && connection.exchange(&health).await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await; // between two looks
        }
        Err(format!("port {} was not up after {} s", port + self.offset, PATIENCE.as_secs()))
    }
}

/// This binary as a server that does as little as it can.
#[derive(Debug)]
pub(super) struct Bare {
    child: Child,
    pub(super) address: SocketAddr,
    began: Instant,
    /// From the start of the process until its first answer.
    pub(super) started: Duration,
}

impl Bare {
    /// One that says hello.
    pub(super) async fn hello() -> Result<Self, String> {
        let bare = Self::start(["hello".as_ref()]).await?;
        Connection::open(bare.address).await?.exchange(&request("GET /", None, None, "")).await?;
        Ok(Self { started: bare.began.elapsed(), ..bare })
    }

    /// One that makes the commits of a booking in this directory.
    pub(super) async fn shop(dir: &Path) -> Result<Self, String> {
        Self::start(["shop".as_ref(), dir.as_os_str()]).await
    }

    async fn start<const N: usize>(args: [&OsStr; N]) -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let began = Instant::now();
        let mut child = Command::new(this)
            .args(args)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("a bare server does not start: {error}"))?;
        let output = child.stdout.take().ok_or("a bare server has no output")?;
        let line = BufReader::new(output).lines().next_line().await;
        let line = line.map_err(|error| error.to_string())?.unwrap_or_default();
        let address = line.parse().map_err(|_| format!("a bare server says {line:?}, no address"))?;
        Ok(Self { child, address, began, started: began.elapsed() })
    }

    pub(super) async fn at_rest(&self) -> Result<(), String> {
        at_rest(&self.child).await
    }

    pub(super) fn resident(&self) -> Result<f64, String> {
        resident(&self.child)
    }
}

/// Waits until a server has nothing left to do: mails of confirmed bookings go on after their buyers have been answered,
/// and would slow down whatever is measured next, a floor not least.
async fn at_rest(child: &Child) -> Result<(), String> {
    let began = Instant::now();
    let mut before = ticks(child)?;
    while began.elapsed() < PATIENCE {
        tokio::time::sleep(AT_REST).await; // between two looks
        let now = ticks(child)?;
        if now - before <= 1 {
            return Ok(());
        }
        before = now;
    }
    Err(format!("the server was still at work after {} s", PATIENCE.as_secs()))
}

/// What Linux tells about a process.
fn told(child: &Child, file: &str) -> Result<String, String> {
    let id = child.id().ok_or("the process has ended")?;
    let path = format!("/proc/{id}/{file}");
    std::fs::read_to_string(&path).map_err(|error| format!("{path} cannot be read: {error}"))
}

/// Processor time used so far, in clock ticks.
fn ticks(child: &Child) -> Result<u64, String> {
    let stat = told(child, "stat")?;
    // The fields behind the name, which may contain anything: the first is the third of proc(5).
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let used = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<u64>().ok());
    used(14).zip(used(15)).map(|(user, system)| user + system).ok_or_else(|| format!("no times in {stat}"))
}

/// Memory in RAM, in megabytes of 10^6 bytes.
fn resident(child: &Child) -> Result<f64, String> {
    let status = told(child, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kibibytes.map(|kibibytes| kibibytes * 1_024.0 / 1e6).ok_or_else(|| "/proc tells no VmRSS".to_owned())
}

fn free_offset() -> Option<u16> {
    let start = u16::try_from(std::process::id() % 1_000).ok()? * 20;
    let offsets = OFFSETS
        .map(|offset| OFFSETS.start + (offset - OFFSETS.start + start) % (OFFSETS.end - OFFSETS.start));
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    offsets.step_by(20).find(|offset| PORTS.iter().all(|port| free(port + offset)))
}
