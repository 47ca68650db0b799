//! `on-sale`: starts a TicketBlitz of its own, sells as fast as it can and prints the table of the README. Client and
//! server share the machine; the floors are measured in the same run.
#![allow(clippy::print_stdout, clippy::print_stderr)] // what it is for

mod on_sale;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "on-sale",
    about = "Measures a TicketBlitz of its own beside its floors and prints a table."
)]
struct Args {
    /// The binary to measure; `target/release/ticketblitz` if absent.
    #[arg(long)]
    server: Option<PathBuf>,
    /// One round of a tenth of everything: to see that it works, not how fast it is.
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    command: Option<Child>,
}

/// What this binary starts itself as.
#[derive(Debug, Subcommand)]
enum Child {
    /// A server that says hello: the floor of whatever goes over HTTP.
    #[command(hide = true)]
    Hello,
    /// A server that makes the commits of a booking in this directory: the floor of confirmed bookings.
    #[command(hide = true)]
    Shop { dir: PathBuf },
}

fn main() -> ExitCode {
    let args = Args::parse();
    platform::server::raise_open_file_limit();
    let ended = match args.command {
        Some(Child::Hello) => on_sale::hello(),
        Some(Child::Shop { dir }) => on_sale::shop(&dir),
        None => on_sale::run(args.server, args.quick),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("on-sale: {sentence}");
            ExitCode::FAILURE
        }
    }
}
