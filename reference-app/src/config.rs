//! Configuration: the command line, then `TICKETBLITZ_*` in the environment, then a TOML file, then the defaults.
//! The only file that reads the environment.

mod duration;
mod file;

use std::ffi::OsString;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::role::Role;

const PREFIX: &str = "TICKETBLITZ_";

/// The fewest bytes of a service secret: whoever guesses it can speak for every role.
pub(crate) const SECRET_LENGTH: usize = 32;

/// Secrets may also be given as the name of a file that holds them, in `<NAME>_FILE`.
const SECRETS: [&str; 2] = ["TICKETBLITZ_ADMIN_PASSWORD", "TICKETBLITZ_SERVICE_SECRET"];

#[derive(Debug, Parser)]
#[command(name = "ticketblitz", version, about = "Sells limited seats under contention, each of them once.")]
#[command(override_usage = "ticketblitz [COMMAND] [OPTIONS]")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the system, or one role of it (the default).
    Serve(Box<ServeArgs>),
    /// Buy a seat from a running system and print each step with its time, or many with --buyers.
    Demo(DemoArgs),
    /// Manage users, beside a running server too.
    Users(UsersArgs),
    /// Copy the whole data directory as it is at one moment, beside a running server too.
    Backup(BackupArgs),
    /// Check every invariant over all that is stored, beside a running server too.
    Audit(AuditArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// The role of this process.
    #[arg(long, env = "TICKETBLITZ_ROLE", value_enum, default_value = "all")]
    pub(crate) role: Role,
    /// Where everything is kept. One process owns it.
    #[arg(long, env = "TICKETBLITZ_DATA_DIR", default_value = "data")]
    pub(crate) data_dir: PathBuf,
    /// A TOML file with any of these settings, `snake_case`.
    #[arg(long, env = "TICKETBLITZ_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, env = "TICKETBLITZ_LISTEN", default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,
    /// Added to every port: 8080 and on become 18080 and on with 10000.
    #[arg(long, env = "TICKETBLITZ_PORT_OFFSET", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=57_000))]
    pub(crate) port_offset: u16,
    /// How long a hold lasts.
    #[arg(long, env = "TICKETBLITZ_HOLD_TTL", default_value = "600s", value_parser = duration::parse)]
    pub(crate) hold_ttl: Duration,
    /// How long a hold can be extended to last, from its beginning.
    #[arg(long, env = "TICKETBLITZ_HOLD_CEILING", default_value = "30m", value_parser = duration::parse)]
    pub(crate) hold_ceiling: Duration,
    /// How long a booking may wait for its payment, at least a second.
    #[arg(long, env = "TICKETBLITZ_PAYMENT_DEADLINE", default_value = "10m", value_parser = duration::seconds)]
    pub(crate) payment_deadline: Duration,
    /// How long the payment provider may take for one answer.
    #[arg(long, env = "TICKETBLITZ_PROVIDER_TIMEOUT", default_value = "10s", value_parser = duration::parse)]
    pub(crate) provider_timeout: Duration,
    /// How long an access token is good.
    #[arg(long, env = "TICKETBLITZ_ACCESS_TOKEN_TTL", default_value = "15m", value_parser = duration::parse)]
    pub(crate) access_token_ttl: Duration,
    /// How long a refresh token is good.
    #[arg(long, env = "TICKETBLITZ_REFRESH_TOKEN_TTL", default_value = "30d", value_parser = duration::parse)]
    pub(crate) refresh_token_ttl: Duration,
    /// How long to keep what nobody needs any more: events that everybody was told, sagas that have ended, sessions that
    /// have expired. Bookings, payments, tickets and mail are never deleted.
    #[arg(long, env = "TICKETBLITZ_RETENTION", default_value = "7d", value_parser = duration::parse)]
    pub(crate) retention: Duration,
    /// How long the answer to a booking is kept for whoever sends it again with the same Idempotency-Key.
    #[arg(long, env = "TICKETBLITZ_KEY_RETENTION", default_value = "24h", value_parser = duration::parse)]
    pub(crate) key_retention: Duration,
    #[command(flatten)]
    pub(crate) passwords: PasswordArgs,
    /// The password of the administrator that a first start makes; random if absent.
    #[arg(long, env = "TICKETBLITZ_ADMIN_PASSWORD", hide_env_values = true)]
    pub(crate) admin_password: Option<String>,
    /// What proves to a service that another service calls, 32 bytes or more; kept in the data directory if absent.
    #[arg(long, env = "TICKETBLITZ_SERVICE_SECRET", hide_env_values = true)]
    pub(crate) service_secret: Option<String>,
    /// Make two sample events at the first start.
    #[arg(long, env = "TICKETBLITZ_SAMPLE_DATA", default_value = "true", action = clap::ArgAction::Set)]
    pub(crate) sample_data: bool,
    /// Requests a second for each user and each address, or `off`.
    #[arg(long, env = "TICKETBLITZ_RATE_LIMIT", default_value = "off", value_parser = rate_limit)]
    pub(crate) rate_limit: RateLimitSetting,
    /// How long a client may take for the head of a request, and how long its connection may idle.
    #[arg(long, env = "TICKETBLITZ_HEAD_TIMEOUT", default_value = "30s", value_parser = duration::parse)]
    pub(crate) head_timeout: Duration,
    /// How long a client may take for the body of a request, and how long it may take nothing of its answer.
    #[arg(long, env = "TICKETBLITZ_BODY_TIMEOUT", default_value = "30s", value_parser = duration::parse)]
    pub(crate) body_timeout: Duration,
    /// Connections of one port; more are answered 503. Fewer where few files may be open.
    #[arg(long, env = "TICKETBLITZ_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: u32,
    /// Where the payment provider is; the built-in one runs in this process if absent.
    #[arg(long, env = "TICKETBLITZ_PSP_URL")]
    pub(crate) psp_url: Option<String>,
    /// What is logged: `info`, `debug`, `booking=debug,info`.
    #[arg(long, env = "TICKETBLITZ_LOG", default_value = "warn")]
    pub(crate) log: String,
    /// How it is logged: `text` or `json`.
    #[arg(long, env = "TICKETBLITZ_LOG_FORMAT", value_parser = ["text", "json"], default_value = "text")]
    pub(crate) log_format: String,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PasswordArgs {
    /// The fewest characters of a password.
    #[arg(long, env = "TICKETBLITZ_PASSWORD_MIN_LENGTH", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=128))]
    pub(crate) password_min_length: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimitSetting(pub(crate) Option<NonZeroU32>);

#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// The gateway of the running system.
    #[arg(long, env = "TICKETBLITZ_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The data directory of the running system, to show the mail that it wrote and to make a crowd's accounts.
    #[arg(long, env = "TICKETBLITZ_DATA_DIR", default_value = "data")]
    pub(crate) data_dir: PathBuf,
    /// So many buyers instead of one, and a table of what each step took.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) buyers: Option<u32>,
    /// How many of the buyers buy at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) concurrency: u32,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct UsersArgs {
    #[command(subcommand)]
    pub(crate) command: UsersCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum UsersCommand {
    /// Make a user; prints the password if none is given.
    Create {
        /// What the user logs in with.
        #[arg(long)]
        email: String,
        /// What the user is called.
        #[arg(long)]
        name: String,
        /// USER, ORGANIZER or ADMIN.
        #[arg(long, value_parser = ["USER", "ORGANIZER", "ADMIN"], ignore_case = true, default_value = "USER")]
        role: String,
        /// Random if absent. `TICKETBLITZ_PASSWORD` keeps it out of the process list.
        #[arg(long, env = "TICKETBLITZ_PASSWORD", hide_env_values = true)]
        password: Option<String>,
        /// The data directory of the system that the user is of.
        #[arg(long, env = "TICKETBLITZ_DATA_DIR", default_value = "data")]
        data_dir: PathBuf,
        #[command(flatten)]
        passwords: PasswordArgs,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArgs {
    /// Where the copy is to be: a directory that is not there yet, or is empty.
    pub(crate) dir: PathBuf,
    /// The data directory to copy.
    #[arg(long, env = "TICKETBLITZ_DATA_DIR", default_value = "data")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct AuditArgs {
    /// The data directory to check.
    #[arg(long, env = "TICKETBLITZ_DATA_DIR", default_value = "data")]
    pub(crate) data_dir: PathBuf,
    /// The port offset of the running server, whose live seats are compared if it answers.
    #[arg(long, env = "TICKETBLITZ_PORT_OFFSET", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=57_000))]
    pub(crate) port_offset: u16,
    /// Where the payment provider is, if it is not the built-in one.
    #[arg(long, env = "TICKETBLITZ_PSP_URL")]
    pub(crate) psp_url: Option<String>,
    /// How long something must stay broken to count: longer than a booking takes from store to store.
    #[arg(long, default_value = "5s", value_parser = duration::parse)]
    pub(crate) settle: Duration,
}

/// Why the process does not start.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// Also `--help` and `--version`.
    Clap(clap::Error),
    Sentence(String),
}

/// The command that this process was started for.
pub(crate) fn from_environment() -> Result<Command, ConfigError> {
    #[allow(clippy::disallowed_methods)] // the one place
    let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let mut argv: Vec<OsString> = std::env::args_os().collect();
    // `serve` is the default, its options included: `ticketblitz --port-offset 100`.
    let first = argv.get(1).map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
    let named = ["serve", "demo", "users", "backup", "audit", "help", "-h", "--help", "-V", "--version"]
        .contains(&first.as_str());
    let mistyped = !first.is_empty() && !first.starts_with('-');
    if !named && !mistyped {
        argv.insert(1.min(argv.len()), "serve".into());
    }
    parse(argv, &environment)
}

pub(crate) fn parse(
    argv: Vec<OsString>,
    environment: &[(OsString, OsString)],
) -> Result<Command, ConfigError> {
    let mut cli = Cli::command();
    let serves = argv.get(1).is_some_and(|first| first == "serve");
    if serves {
        refuse_unknown_variables(&cli, environment)?;
        for (setting, value) in file::settings(&argv, environment, &known_settings(&cli))? {
            cli = set_default(cli, &setting, value);
        }
    }
    for (setting, value) in secrets_from_files(environment)? {
        cli = set_default(cli, &setting, value);
    }
    let matches = cli.try_get_matches_from(argv).map_err(ConfigError::Clap)?;
    let command = Cli::from_arg_matches(&matches).map_err(ConfigError::Clap)?.command;
    if let Command::Serve(args) = &command {
        refuse_short_secret(args)?;
    }
    Ok(command)
}

/// Wherever it was set. Not while it is parsed: that would print it.
fn refuse_short_secret(args: &ServeArgs) -> Result<(), ConfigError> {
    let Some(secret) = &args.service_secret else { return Ok(()) };
    if secret.len() >= SECRET_LENGTH {
        return Ok(());
    }
    Err(ConfigError::Sentence(format!(
        "the service secret (--service-secret, TICKETBLITZ_SERVICE_SECRET, its _FILE or service_secret in TOML) is {} \
         bytes long; it must be at least {SECRET_LENGTH}, or absent: then one is made and kept in the data directory",
        secret.len()
    )))
}

/// Ranks a value below the command line and the environment, above the built-in default.
fn set_default(cli: clap::Command, setting: &str, value: String) -> clap::Command {
    let setting = setting.to_owned();
    cli.mut_subcommand("serve", |serve| serve.mut_arg(setting, |arg| arg.default_value(value)))
}

/// The names of the settings of `serve`, `snake_case`.
fn known_settings(cli: &clap::Command) -> Vec<String> {
    let serve = cli.find_subcommand("serve").into_iter().flat_map(clap::Command::get_arguments);
    serve.filter(|arg| arg.get_env().is_some()).map(|arg| arg.get_id().to_string()).collect()
}

/// A misspelt variable would silently leave the default in force.
fn refuse_unknown_variables(
    cli: &clap::Command,
    environment: &[(OsString, OsString)],
) -> Result<(), ConfigError> {
    let known = known_settings(cli);
    let elsewhere = ["TICKETBLITZ_URL", "TICKETBLITZ_PASSWORD"];
    for (name, _) in environment {
        let name = name.to_string_lossy();
        let Some(setting) = name.strip_prefix(PREFIX) else { continue };
        let of_file = SECRETS.iter().any(|secret| *name == format!("{secret}_FILE"));
        if !known.contains(&setting.to_lowercase()) && !of_file && !elsewhere.contains(&&*name) {
            let sentence =
                format!("the environment sets {name}, which is no setting; see `ticketblitz serve --help`");
            return Err(ConfigError::Sentence(sentence));
        }
    }
    Ok(())
}

fn secrets_from_files(environment: &[(OsString, OsString)]) -> Result<Vec<(String, String)>, ConfigError> {
    let mut secrets = Vec::new();
    for secret in SECRETS {
        let Some((_, path)) = environment.iter().find(|(name, _)| *name == *format!("{secret}_FILE")) else {
            continue;
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::Sentence(format!(
                "{secret}_FILE names {}, which cannot be read: {error}",
                path.display()
            ))
        })?;
        let setting = secret.trim_start_matches(PREFIX).to_lowercase();
        secrets.push((setting, text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    Ok(secrets)
}

fn rate_limit(text: &str) -> Result<RateLimitSetting, String> {
    if text == "off" {
        return Ok(RateLimitSetting(None));
    }
    let requests =
        text.parse().map_err(|_| "it is `off` or a number of requests a second, at least 1".to_owned())?;
    Ok(RateLimitSetting(Some(requests)))
}

#[cfg(test)]
mod tests;
