//! The use cases: registering, logging in, keeping a session alive, ending it.

use std::sync::Arc;
use std::time::Duration;

use platform::auth::Role;
use ticketblitz_core::{Clock, UserId};

use crate::domain::{Email, FamilyId, Name, NewUser, User};
use crate::error::Error;
use crate::password::Passwords;
use crate::store::{NewFamily, Rotated, Rotation, Store};
use crate::token::{RefreshToken, Signer, TokenDigest};

/// How long tokens are good for.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    pub access: Duration,
    /// Of each refresh token: a session lives on as long as it is refreshed within this time.
    pub refresh: Duration,
}

/// What a client gets to act as a user.
#[derive(Debug)]
pub struct Session {
    pub user: User,
    pub access_token: String,
    pub refresh_token: String,
    pub expires_in: Duration,
}

/// Accounts and their sessions.
#[derive(Debug, Clone)]
pub struct Accounts {
    pub store: Arc<dyn Store>,
    pub passwords: Passwords,
    pub signer: Signer,
    pub lifetimes: Lifetimes,
    pub clock: Arc<dyn Clock>,
}

impl Accounts {
    /// Makes an account with the role USER, and its first session.
    pub async fn register(&self, email: Email, name: Name, password: String) -> Result<Session, Error> {
        let password_hash = Some(self.passwords.hash(password).await?);
        let created_at = self.clock.now();
        let user = NewUser { id: UserId::new(), email, name, role: Role::User, password_hash, created_at };
        let (family, token) = self.new_family(user.id);
        self.store.create(&user, Some(&family)).await?;
        self.session(user.user(), token)
    }

    /// A session for whoever knows the password.
    pub async fn login(&self, email: &str, password: String) -> Result<Session, Error> {
        let (user, stored) = self.store.by_email(&Email::key_of(email)).await?.unzip();
        let matches = self.passwords.verify(password, stored.flatten()).await?;
        let user = user.filter(|_| matches).ok_or(Error::InvalidCredentials)?;
        let (family, token) = self.new_family(user.id);
        self.store.open_family(&family, self.clock.now()).await?;
        self.session(user, token)
    }

    /// Exchanges a refresh token for the next one and a new access token.
    pub async fn refresh(&self, token: &str) -> Result<Session, Error> {
        let next = RefreshToken::random();
        let now = self.clock.now();
        let rotation = Rotation {
            spent: TokenDigest::of(token),
            next: next.digest(),
            next_expires_at: now + self.lifetimes.refresh,
            now,
        };
        match self.store.rotate(&rotation).await? {
            Rotated::Renewed(user) => self.session(user, next),
            Rotated::Reused => {
                tracing::warn!("a spent refresh token was used again: its family has ended");
                Err(Error::InvalidRefreshToken)
            }
            Rotated::Refused => Err(Error::InvalidRefreshToken),
        }
    }

    /// Ends the session of a refresh token; one that is not known has ended already.
    pub async fn logout(&self, token: &str) -> Result<(), Error> {
        Ok(self.store.end_family(&TokenDigest::of(token), self.clock.now()).await?)
    }

    fn new_family(&self, user: UserId) -> (NewFamily, RefreshToken) {
        let token = RefreshToken::random();
        let expires_at = self.clock.now() + self.lifetimes.refresh;
        (NewFamily { id: FamilyId::new(), user, digest: token.digest(), expires_at }, token)
    }

    fn session(&self, user: User, refresh: RefreshToken) -> Result<Session, Error> {
        let expires_in = self.lifetimes.access;
        let access_token = self.signer.access_token(user.id, user.role, self.clock.now(), expires_in)?;
        Ok(Session { user, access_token, refresh_token: refresh.into_string(), expires_in })
    }
}
