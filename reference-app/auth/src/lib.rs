//! Users, passwords, access tokens and rotating refresh tokens.
//!
//! An access token is an EdDSA JWT that every service checks by itself against the published key; it is good
//! until it expires. A refresh token is random, spent by its use, and belongs to a family: a spent one that
//! comes back was copied, and ends the family (RFC 9700, section 4.14).

mod accounts;
mod admin;
mod domain;
mod error;
mod files;
mod http;
mod password;
mod store;
mod token;
mod users;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::auth::{Jwks, KeySource, ServiceTokens};
use platform::health::Health;
use platform::service::Service;
use platform::{Purge, StartError};
use ticketblitz_core::Clock;
use ticketblitz_core::sqlite::Sqlite;

use accounts::{Accounts, Lifetimes};
use domain::PasswordPolicy;
use password::Passwords;
use store::{SqliteStore, Store};
use token::{Seed, Signer};

pub use admin::AdminAnnouncement;
pub use users::{CreateUserError, Minter, Users, mint};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// How long a refresh token is good for unless configured.
pub const REFRESH_TOKEN_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What an operator may set.
#[derive(Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    pub access_token_ttl: Duration,
    pub refresh_token_ttl: Duration,
    /// In characters.
    pub password_min_length: usize,
    /// Of the administrator that the first start makes; a random one if there is none here.
    pub admin_password: Option<String>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("access_token_ttl", &self.access_token_ttl)
            .field("refresh_token_ttl", &self.refresh_token_ttl)
            .field("password_min_length", &self.password_min_length)
            .field("admin_password", &self.admin_password.as_ref().map(|_| ".."))
            .finish()
    }
}

/// What this service is given.
#[derive(Debug, Clone)]
pub struct Deps {
    pub clock: Arc<dyn Clock>,
    pub services: ServiceTokens,
}

/// The service, started.
#[derive(Debug)]
pub struct Auth {
    pub service: Service,
    /// The keys of this instance, without a detour over HTTP.
    pub keys: Arc<dyn KeySource>,
    /// An administrator whose password is to be shown to the operator once.
    pub announced_admin: Option<AdminAnnouncement>,
}

/// Starts the service on `{data_dir}/auth.db`.
///
/// # Errors
/// A sentence for the operator: the database cannot be used, or the first administrator cannot be made.
pub async fn start(config: Config, deps: Deps) -> Result<Auth, StartError> {
    let Deps { clock, services: _ } = deps;
    let db = open_database(&config.data_dir).await?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::new(db.clone()));
    let signer = signer(&*store, &*clock).await?;
    let passwords = Passwords::new().await.map_err(failed)?;
    let policy = PasswordPolicy { min_length: config.password_min_length };
    let announced_admin = admin::ensure(&config, policy, &*store, &passwords, &*clock).await?;
    let lifetimes = Lifetimes { access: config.access_token_ttl, refresh: config.refresh_token_ttl };
    let keys = Arc::new(OwnKeys(Jwks::from(signer.public_keys())));
    let expired = Arc::clone(&store);
    let sessions = Purge::new("sessions", move |before, limit| {
        let store = Arc::clone(&expired);
        async move { store.forget_sessions(before, limit).await }
    });
    let accounts = Accounts { store, passwords, signer, lifetimes, clock };
    let (router, openapi) = http::router(http::AppState { accounts, policy });
    let service = Service {
        name: "auth",
        router,
        openapi,
        outbox: None,
        consumers: Vec::new(),
        workers: Vec::new(),
        health: Health::new().database(&db),
        purges: vec![sessions],
        databases: vec![db],
    };
    Ok(Auth { service, keys, announced_admin })
}

/// Opens the accounts, closed to every other account of this machine: password hashes and the key are in there.
async fn open_database(data_dir: &Path) -> Result<Sqlite, StartError> {
    let path = data_dir.join("auth.db");
    std::fs::create_dir_all(data_dir)
        .and_then(|()| files::make_private(&path))
        .map_err(|error| StartError::new(format!("cannot make {} private: {error}", path.display())))?;
    platform::db::open(data_dir, "auth", &MIGRATIONS).await
}

/// The instance's own key, made by whoever asks first.
async fn signer(store: &dyn Store, clock: &dyn Clock) -> Result<Signer, StartError> {
    let seed = store.signing_seed(&Seed::random(), clock.now()).await.map_err(failed)?;
    Signer::new(&seed).map_err(failed)
}

fn failed(error: impl fmt::Display) -> StartError {
    StartError::new(format!("the auth service cannot start: {error}"))
}

/// This instance's public keys, which do not change while it runs.
#[derive(Debug)]
struct OwnKeys(Jwks);

#[async_trait]
impl KeySource for OwnKeys {
    async fn keys(&self) -> Result<Jwks, String> {
        Ok(self.0.clone())
    }
}
