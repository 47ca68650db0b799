//! `ticketblitz`: the whole ticketing system in one binary.

mod audit;
mod backup;
mod banner;
mod config;
mod demo;
mod out;
#[cfg(test)]
mod races;
mod role;
mod serve;
mod users;
mod wiring;

use std::process::ExitCode;

use config::{Command, ConfigError};

/// SQLite's and Rust's alike: a fifth of a booking's processor time went into the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Everything this process writes is the operator's alone: databases, mail, keys.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let command = match config::from_environment() {
        Ok(command) => command,
        Err(ConfigError::Clap(error)) => error.exit(),
        Err(ConfigError::Sentence(sentence)) => return fail(&sentence),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime cannot be started: {error}")),
    };
    let ended = runtime.block_on(async {
        match command {
            Command::Serve(settings) => serve::run(*settings).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Users(args) => users::run(args).await,
            Command::Backup(args) => backup::run(args).await,
            Command::Audit(args) => audit::run(args).await,
        }
    });
    // Not `drop`: a blocking task that hangs must not keep the process.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => fail(&sentence),
    }
}

fn fail(sentence: &str) -> ExitCode {
    out::failure(sentence);
    ExitCode::FAILURE
}
