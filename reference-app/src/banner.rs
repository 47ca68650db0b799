//! What the operator sees while the system starts and once it is up.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use auth::AdminAnnouncement;

use crate::config::ServeArgs;
use crate::out::{piece, say};
use crate::role::Role;

/// One line that says what is being prepared.
pub(crate) struct Progress {
    began: Instant,
    terminal: bool,
}

impl Progress {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), terminal: std::io::stdout().is_terminal() }
    }

    pub(crate) fn step(&self, what: &str) {
        if self.terminal {
            // A lost progress line is no reason to stop.
            let _ = piece(&format!("\r\x1b[K  {what} ..."));
        } else {
            say!("  {what} ...");
        }
    }

    pub(crate) fn done(self) -> Duration {
        if self.terminal {
            let _ = piece("\r\x1b[K");
        }
        self.began.elapsed()
    }
}

pub(crate) fn print(args: &ServeArgs, roles: &[Role], admin: Option<&AdminAnnouncement>, took: Duration) {
    let url = |role: Role| {
        format!("http://{}", std::net::SocketAddr::new(args.listen, role.port() + args.port_offset))
    };
    say!("TicketBlitz {} is up after {} ms.\n", env!("CARGO_PKG_VERSION"), took.as_millis());
    for role in roles {
        say!("  {:<13} {}", role.name(), url(*role));
    }
    say!("\n  data in       {}", args.data_dir.display());
    if !roles.contains(&Role::Gateway) {
        return;
    }
    say!("  API           {}/docs", url(Role::Gateway));
    say!("  mail sent     {}/mail", url(Role::Notification));
    if let Some(admin) = admin {
        say!(
            "\n  Administrator {} with the password {} (kept in {})",
            admin.email,
            admin.password,
            admin.path.display()
        );
    }
    say!("\nTry next:\n  curl {}/api/events", url(Role::Gateway));
    let offset = if args.port_offset == 0 { String::new() } else { format!(" --url {}", url(Role::Gateway)) };
    say!("  cargo run --release -- demo{offset}\n\nStop with Ctrl-C.");
}
