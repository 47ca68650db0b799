//! Who the buyers are.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use platform::auth::Role;
use serde_json::json;
use ticketblitz_core::{Clock, SystemClock};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::api::{Api, text};

/// For a token of a buyer who may wait for the whole crowd.
const TOKEN_TTL: Duration = Duration::from_secs(3_600);
/// Nobody logs in to these accounts.
const NO_PASSWORD: usize = 1;

/// Where accounts come from.
pub(super) enum Accounts {
    /// The data directory of the running system: its accounts, and tokens signed with its own key. A password
    /// takes longer to hash than a booking to sell.
    Minted(Arc<Mint>),
    /// The front door.
    Registered,
}

pub(super) struct Mint {
    users: auth::Users,
    minter: auth::Minter,
}

impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minted(_) => "with accounts made in its data directory",
            Self::Registered => {
                "each one registered, which takes its time (its data directory is not at hand)"
            }
        })
    }
}

impl Accounts {
    /// Minted, if `data_dir` is that of the system behind `api`.
    pub(super) async fn of(api: &Api, data_dir: &Path) -> Result<Self, String> {
        // Opening would make a directory that is not there.
        if !data_dir.join("auth.db").is_file() {
            return Ok(Self::Registered);
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let users = auth::Users::open(data_dir, NO_PASSWORD, clock.clone()).await;
        let users = users.map_err(|error| error.to_string())?;
        let minter = auth::Minter::open(data_dir, clock).await.map_err(|error| error.to_string())?;
        let mint = Mint { users, minter };
        let somebody = mint.account("demo", Role::User).await?;
        match api.with_token(somebody).get("/api/auth/me").await {
            Ok(_) => Ok(Self::Minted(Arc::new(mint))),
            Err(refused) if refused.kind.is_some() => Ok(Self::Registered), // another system's directory
            Err(failure) => Err(failure.into()),
        }
    }

    /// Somebody who may make an event, if that can be had.
    pub(super) async fn organizer(&self, api: &Api) -> Result<Option<Api>, String> {
        match self {
            Self::Minted(mint) => Ok(Some(api.with_token(mint.account("organizer", Role::Organizer).await?))),
            Self::Registered => Ok(None),
        }
    }

    pub(super) async fn buyers(&self, api: &Api, count: u32, concurrency: u32) -> Result<Vec<Api>, String> {
        let (mut making, mut made) = (JoinSet::new(), Vec::new());
        for n in 0..count {
            if n >= concurrency {
                made.extend(joined(&mut making).await?);
            }
            let api = api.clone();
            match self {
                Self::Minted(mint) => {
                    let mint = mint.clone();
                    making.spawn(async move { Ok(api.with_token(mint.account("buyer", Role::User).await?)) });
                }
                Self::Registered => {
                    making.spawn(async move { register(&api).await });
                }
            }
        }
        while let Some(buyer) = joined(&mut making).await? {
            made.push(buyer);
        }
        Ok(made)
    }
}

async fn joined(making: &mut JoinSet<Result<Api, String>>) -> Result<Option<Api>, String> {
    making.join_next().await.map(|made| made.map_err(|error| error.to_string())?).transpose()
}

async fn register(api: &Api) -> Result<Api, String> {
    let body =
        json!({"email": address("buyer"), "password": Uuid::new_v4().to_string(), "name": "Demo Buyer"});
    let session = api.post("/api/auth/register", &body, None).await?;
    Ok(api.with_token(text(&session, "accessToken")?))
}

impl Mint {
    async fn account(&self, what: &str, role: Role) -> Result<String, String> {
        let user = self.users.create_without_password(&address(what), "Demo", role).await;
        let user = user.map_err(|error| error.to_string())?;
        self.minter.mint(user, role, TOKEN_TTL).map_err(|error| error.to_string())
    }
}

fn address(what: &str) -> String {
    format!("{what}-{}@example.com", Uuid::now_v7().simple())
}
