//! `ticketblitz serve`: prepares, listens, and drains when it is told to stop.

mod data_dir;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use platform::server::Limits;
use platform::{StartError, server};
use ticketblitz_core::SystemClock;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::banner::{self, Progress};
use crate::config::ServeArgs;
use crate::role::Role;
use crate::wiring::{self, System};

/// For requests under way when the process is told to stop. With [`DRAIN_WORK`] within the 10 s that a
/// container is given before it is killed.
const DRAIN_REQUESTS: Duration = Duration::from_secs(5);
/// For saga steps and deliveries under way.
const DRAIN_WORK: Duration = Duration::from_secs(3);

pub(crate) async fn run(args: ServeArgs) -> Result<(), String> {
    start(args).await.map_err(|error| error.to_string())
}

async fn start(args: ServeArgs) -> Result<(), StartError> {
    platform::telemetry::init(&args.log, args.log_format == "json")?;
    let progress = Progress::start();
    let mut stop = StopSignals::listen()?;
    let roles = roles(&args)?;
    let limits = limits(&args, server::raise_open_file_limit());
    progress.step("opening the data directory");
    let owned = data_dir::own(&args.data_dir)?;
    let listeners = bind(&args, &roles)?;
    progress.step("preparing the databases");
    let system = tokio::select! {
        system = wiring::build(&args, &owned.service_secret, Arc::new(SystemClock)) => system?,
        () = stop.wait() => return Ok(()),
    };
    let took = progress.done();
    let mut running = Running::begin(system, listeners, &limits);
    banner::print(&args, &roles, running.admin.as_ref(), took);
    // Not before: a start that ends earlier leaves it to the next.
    if let Some(Err(error)) = running.admin.take().map(|admin| admin.seen()) {
        tracing::warn!(%error, "the next start prints the administrator's password again");
    }
    let broken = tokio::select! {
        () = stop.wait() => None,
        error = running.breaks() => Some(error),
    };
    tracing::info!("stopping: requests under way are finished");
    running.end().await;
    match broken {
        None => Ok(()),
        Some(error) => Err(StartError::new(format!("a part of the system broke ({error}); start it again"))),
    }
}

/// The roles that this process is, or why it cannot be that role alone.
fn roles(args: &ServeArgs) -> Result<Vec<Role>, StartError> {
    let provider_elsewhere = args.psp_url.is_some();
    match args.role {
        Role::All => {
            Ok(Role::EACH.into_iter().filter(|role| *role != Role::Psp || !provider_elsewhere).collect())
        }
        // A stranger to the rest, with storage of its own.
        Role::Psp => Ok(vec![Role::Psp]),
        alone => Err(StartError::new(format!(
            "the role {alone} alone cannot share SQLite files, the in-process seat lock and the in-process bus with \
             the other roles; run --role all"
        ))),
    }
}

fn limits(args: &ServeArgs, open_files: usize) -> Limits {
    let connections = usize::try_from(args.max_connections).unwrap_or(usize::MAX);
    Limits {
        head: args.head_timeout,
        body: args.body_timeout,
        stall: args.body_timeout,
        ..Limits::new(connections, open_files)
    }
}

/// Before anything is prepared: a port in use is found while nothing has been touched.
fn bind(args: &ServeArgs, roles: &[Role]) -> Result<Vec<(Role, TcpListener)>, StartError> {
    roles
        .iter()
        .map(|role| {
            let address = SocketAddr::new(args.listen, role.port() + args.port_offset);
            Ok((*role, server::bind(address)?))
        })
        .collect()
}

/// A system that listens and works.
struct Running {
    servers: JoinSet<()>,
    workers: JoinSet<()>,
    stop_serving: CancellationToken,
    stop_working: CancellationToken,
    databases: Vec<ticketblitz_core::sqlite::Sqlite>,
    admin: Option<auth::AdminAnnouncement>,
}

impl Running {
    fn begin(system: System, listeners: Vec<(Role, TcpListener)>, limits: &Limits) -> Self {
        let (stop_serving, stop_working) = (CancellationToken::new(), CancellationToken::new());
        let mut workers = JoinSet::new();
        for worker in system.workers {
            workers.spawn((worker.run)(stop_working.clone()));
        }
        let mut servers = JoinSet::new();
        let mut apps = system.apps;
        for (role, listener) in listeners {
            if let Some(app) = apps.remove(role.name()) {
                let (limits, stop) = (limits.clone(), stop_serving.clone());
                servers.spawn(server::serve(listener, app, limits, stop, DRAIN_REQUESTS));
            }
        }
        Self {
            servers,
            workers,
            stop_serving,
            stop_working,
            databases: system.databases,
            admin: system.admin,
        }
    }

    /// Returns when a server or a worker panicked: what is left would take bookings and never finish them.
    async fn breaks(&mut self) -> tokio::task::JoinError {
        loop {
            let ended = tokio::select! {
                Some(ended) = self.workers.join_next() => ended,
                Some(ended) = self.servers.join_next() => ended,
                else => std::future::pending().await,
            };
            // Some workers have an end.
            if let Err(error) = ended {
                return error;
            }
        }
    }

    /// Requests first: some of them wait for what the workers do.
    async fn end(mut self) {
        self.stop_serving.cancel();
        while self.servers.join_next().await.is_some() {}
        self.stop_working.cancel();
        let drained =
            tokio::time::timeout(DRAIN_WORK, async { while self.workers.join_next().await.is_some() {} });
        if drained.await.is_err() {
            tracing::warn!("work under way was cut off; it is resumed at the next start");
            self.workers.shutdown().await;
        }
        for database in self.databases {
            database.close().await;
        }
    }
}

/// Ctrl-C, or what a service manager sends.
pub(crate) struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    pub(crate) fn listen() -> Result<Self, StartError> {
        let listen = |kind| {
            signal(kind).map_err(|error| StartError::new(format!("cannot listen for signals: {error}")))
        };
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
