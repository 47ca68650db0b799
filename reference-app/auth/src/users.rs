//! Accounts and tokens for the command line, beside a running server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use platform::StartError;
use platform::auth::Role;
use ticketblitz_core::{Clock, UserId};

use crate::domain::{Email, Name, NewUser, PasswordPolicy};
use crate::error::{Error, StoreError};
use crate::password::Passwords;
use crate::store::{SqliteStore, Store};
use crate::token::Signer;

/// The accounts in a data directory.
#[derive(Debug)]
pub struct Users {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    policy: PasswordPolicy,
}

/// Why an account was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateUserError {
    /// Every wrong field with what is wrong about it.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    #[error("an account with this e-mail address exists already")]
    EmailTaken,
    #[error("the account could not be made: {0}")]
    Failed(String),
}

impl From<StoreError> for CreateUserError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::EmailTaken => Self::EmailTaken,
            StoreError::Database(error) => Self::Failed(error.to_string()),
        }
    }
}

impl From<Error> for CreateUserError {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Users {
    /// Opens the accounts in `data_dir`; a server may be running on them.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn open(
        data_dir: &Path,
        password_min_length: usize,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let db = crate::open_database(data_dir).await?;
        let policy = PasswordPolicy { min_length: password_min_length };
        Ok(Self { store: Arc::new(SqliteStore::new(db)), clock, policy })
    }

    /// Makes an account.
    ///
    /// # Errors
    /// The fields are wrong, each one named, or the address is taken.
    pub async fn create(
        &self,
        email: &str,
        name: &str,
        password: &str,
        role: Role,
    ) -> Result<UserId, CreateUserError> {
        let (email, name) = self.check(email, name, Some(password))?;
        let passwords = Passwords::new().await?;
        let password_hash = Some(passwords.hash(password.to_owned()).await?);
        self.insert(email, name, role, password_hash).await
    }

    /// Makes an account that nobody can log in to, for whoever acts by [minted](Minter) tokens: hashing a
    /// password for each of thousands of buyers would take longer than their sale.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn create_without_password(
        &self,
        email: &str,
        name: &str,
        role: Role,
    ) -> Result<UserId, CreateUserError> {
        let (email, name) = self.check(email, name, None)?;
        self.insert(email, name, role, None).await
    }

    fn check(
        &self,
        email: &str,
        name: &str,
        password: Option<&str>,
    ) -> Result<(Email, Name), CreateUserError> {
        let (email, name) = (Email::parse(email), Name::parse(name));
        let password = password.map_or(Ok(()), |password| self.policy.check(password));
        match (email, name, password) {
            (Ok(email), Ok(name), Ok(())) => Ok((email, name)),
            (email, name, password) => {
                let wrong = [
                    email.err().map(|reason| format!("the e-mail address {reason}")),
                    name.err().map(|reason| format!("the name {reason}")),
                    password.err().map(|reason| format!("the password {reason}")),
                ];
                Err(CreateUserError::Invalid(wrong.into_iter().flatten().collect()))
            }
        }
    }

    async fn insert(
        &self,
        email: Email,
        name: Name,
        role: Role,
        password_hash: Option<String>,
    ) -> Result<UserId, CreateUserError> {
        let id = UserId::new();
        let user = NewUser { id, email, name, role, password_hash, created_at: self.clock.now() };
        self.store.create(&user, None).await?;
        Ok(id)
    }
}

/// Makes access tokens with an instance's own key, for whoever may read its data directory.
#[derive(Debug)]
pub struct Minter {
    signer: Signer,
    clock: Arc<dyn Clock>,
}

impl Minter {
    /// Reads the key in `data_dir`; a server may be running there.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn open(data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let db = crate::open_database(data_dir).await?;
        let signer = crate::signer(&SqliteStore::new(db.clone()), &*clock).await?;
        db.close().await;
        Ok(Self { signer, clock })
    }

    /// An access token, good for `ttl` from now.
    ///
    /// # Errors
    /// The token could not be signed.
    pub fn mint(&self, user: UserId, role: Role, ttl: Duration) -> Result<String, StartError> {
        let token = self.signer.access_token(user, role, self.clock.now(), ttl);
        token.map_err(|error| StartError::new(format!("a token could not be signed: {error}")))
    }
}

/// One access token; for many, keep a [`Minter`].
///
/// # Errors
/// A sentence for the operator.
pub async fn mint(
    data_dir: &Path,
    user: UserId,
    role: Role,
    ttl: Duration,
    clock: Arc<dyn Clock>,
) -> Result<String, StartError> {
    Minter::open(data_dir, clock).await?.mint(user, role, ttl)
}
