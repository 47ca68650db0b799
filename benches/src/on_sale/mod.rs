//! What is measured, in which order.

mod bare;
mod bookings;
mod burst;
mod floors;
mod http;
mod load;
mod process;
mod sale;
mod start;
mod wire;

use std::path::{Path, PathBuf};

pub(crate) use bare::{hello, shop};
use benches::table::Table;
use process::{Bare, System};

/// Connections that are kept alive, a client on each.
const CLIENTS: usize = 64;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// The medians are of so many.
    rounds: usize,
    /// Everything is divided by this.
    divisor: usize,
}

impl Scale {
    fn of(self, whole: usize) -> usize {
        whole / self.divisor
    }
}

pub(crate) fn run(server: Option<PathBuf>, quick: bool) -> Result<(), String> {
    let server = server.map_or_else(beside_this, Ok)?;
    let scale = if quick { Scale { rounds: 1, divisor: 10 } } else { Scale { rounds: 3, divisor: 1 } };
    // One thread: the client is to take as little as it can of what the server needs.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let table = runtime.map_err(|error| error.to_string())?.block_on(measure(&server, scale))?;
    println!("{table}");
    Ok(())
}

async fn measure(server: &Path, scale: Scale) -> Result<Table, String> {
    let mut table = Table::default();
    let hello = Bare::hello().await?;
    start::measure(server, scale, &mut table).await?;
    {
        let system = System::start(server).await?;
        http::measure(&system, &hello, scale, &mut table).await?;
        burst::measure(&system, &hello, scale, &mut table).await?;
    }
    // A system that has done nothing else: what it keeps in memory is of its bookings.
    let system = System::start(server).await?;
    bookings::measure(&system, &hello, scale, &mut table).await?;
    Ok(table)
}

/// The server that was built into the same directory as this binary.
fn beside_this() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let server = this.with_file_name("ticketblitz");
    if server.is_file() {
        return Ok(server);
    }
    let absent = server.display();
    Err(format!("there is no {absent}; build it with `cargo build --release`, or name it with --server"))
}
