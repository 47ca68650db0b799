//! Buyers by the thousand: accounts in the system's own database, tokens signed with its own key. Hashing their
//! passwords would take longer than what they do.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use platform::auth::Role;
use ticketblitz_core::{Clock, SystemClock};
use uuid::Uuid;

use super::{Buyer, System};

const GOOD_FOR: Duration = Duration::from_secs(86_400);
/// Accounts that are made at the same time: they share commits.
const AT_ONCE: usize = 256;

pub struct Accounts {
    users: auth::Users,
    minter: auth::Minter,
}

impl Accounts {
    pub async fn of(system: &System) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let dir = system.data_dir();
        let users = auth::Users::open(dir, 1, Arc::clone(&clock)).await.expect("the accounts");
        let minter = auth::Minter::open(dir, clock).await.expect("the key");
        Self { users, minter }
    }

    /// The token of a new account.
    async fn make(&self, role: Role) -> Result<String, auth::CreateUserError> {
        let email = format!("{}@example.com", Uuid::now_v7().simple());
        let user = self.users.create_without_password(&email, "Somebody", role).await?;
        Ok(self.minter.mint(user, role, GOOD_FOR).expect("a token"))
    }

    pub async fn buyers(&self, count: usize) -> Vec<String> {
        let making = futures::stream::iter(0..count).map(|_| self.make(Role::User));
        making.buffer_unordered(AT_ONCE).try_collect().await.expect("accounts")
    }

    pub async fn organizer(&self, base: &str) -> Buyer {
        Buyer::with_token(base, self.make(Role::Organizer).await.expect("an account"))
    }
}
