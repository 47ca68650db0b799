//! `lock-speed`: holds on every backend of `ticketblitz-lock`, each beside the least that its server could do in the same
//! run, as the table of the crate's README. Client and server share the machine.
#![allow(clippy::print_stdout, clippy::print_stderr)] // what it is for

mod load;
mod memory;
mod postgres;
mod redis;
mod servers;

use std::process::ExitCode;

use benches::table::Table;
use clap::Parser;

use load::Scale;
use servers::Servers;

#[derive(Debug, Parser)]
#[command(
    name = "lock-speed",
    about = "Measures the lock's backends beside their floors and prints a table."
)]
struct Args {
    /// A Redis to measure on; one that `scripts/services` starts if absent.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// A PostgreSQL to measure on; one that `scripts/services` starts if absent.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// One round of a tenth of everything: to see that it works, not how fast it is.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(table) => {
            println!("{table}");
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            eprintln!("lock-speed: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<Table, String> {
    let scale = if args.quick { Scale { rounds: 1, divisor: 10 } } else { Scale { rounds: 3, divisor: 1 } };
    let servers = Servers::choose(args.redis, args.postgres)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let mut table = Table::default();
        memory::measure(scale, &mut table).await?;
        redis::measure(servers.redis(), scale, &mut table).await?;
        postgres::measure(servers.postgres(), scale, &mut table).await?;
        Ok(table)
    })
}
