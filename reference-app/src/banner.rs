//! What the operator sees while the system starts and once it is up.

use std::io::IsTerminal;
use std::path::Path;
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
    say!("  cargo run --release -- {}\n\nStop with Ctrl-C.", demo_of(args, &url(Role::Gateway)));
}

/// The demo against this system, and the mail where this one keeps it: no more than differs from its own defaults.
fn demo_of(args: &ServeArgs, gateway: &str) -> String {
    let mut demo = "demo".to_owned();
    if args.port_offset != 0 {
        demo += &format!(" --url {gateway}");
    }
    if args.data_dir != Path::new("data") {
        demo += &format!(" --data-dir {}", args.data_dir.display());
    }
    demo
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Command, parse};

    #[test]
    fn what_is_to_be_tried_next_is_of_this_system() {
        for (given, demo) in [
            (vec![], "demo"),
            (vec!["--port-offset", "10000"], "demo --url http://gateway"),
            (vec!["--data-dir", "/srv/shop"], "demo --data-dir /srv/shop"),
            (vec!["--port-offset", "1", "--data-dir", "other"], "demo --url http://gateway --data-dir other"),
        ] {
            let argv = ["ticketblitz", "serve"].into_iter().chain(given).map(Into::into).collect();
            let Ok(Command::Serve(args)) = parse(argv, &[]) else { panic!("{demo}") };
            assert_eq!(demo_of(&args, "http://gateway"), demo);
        }
    }
}
