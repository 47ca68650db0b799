//! The administrator of a first start.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::StartError;
use platform::auth::Role;
use rand::Rng;
use ticketblitz_core::{Clock, UserId};

use crate::domain::{Email, Name, NewUser, PasswordPolicy};
use crate::error::StoreError;
use crate::password::Passwords;
use crate::store::Store;
use crate::{Config, failed, files};

const EMAIL: &str = "admin@ticketblitz.local";
const NAME: &str = "Administrator";
const PASSWORD_FILE: &str = "admin-password";

/// An administrator with a random password, made just now.
#[derive(Clone)]
pub struct AdminAnnouncement {
    pub email: String,
    pub password: String,
    /// The file the password was written to.
    pub path: PathBuf,
}

impl fmt::Debug for AdminAnnouncement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminAnnouncement")
            .field("email", &self.email)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Makes an administrator if there is none. There is something to announce only if its password was made up.
pub(crate) async fn ensure(
    config: &Config,
    policy: PasswordPolicy,
    store: &dyn Store,
    passwords: &Passwords,
    clock: &dyn Clock,
) -> Result<Option<AdminAnnouncement>, StartError> {
    if store.has_admin().await.map_err(failed)? {
        return Ok(None);
    }
    let Some(password) = &config.admin_password else {
        let password = random_password();
        let path = config.data_dir.join(PASSWORD_FILE);
        // Before the account: a crash between the two leaves a file that the next start replaces, not an
        // administrator whose password nobody has seen.
        files::write_private(&path, &format!("{password}\n"))
            .map_err(|error| StartError::new(format!("cannot write {}: {error}", path.display())))?;
        create(&password, store, passwords, clock).await?;
        return Ok(Some(AdminAnnouncement { email: EMAIL.to_owned(), password, path }));
    };
    policy
        .check(password)
        .map_err(|reason| StartError::new(format!("the administrator's password {reason}")))?;
    create(password, store, passwords, clock).await?;
    Ok(None)
}

fn random_password() -> String {
    let bits: [u8; 18] = rand::rng().random();
    URL_SAFE_NO_PAD.encode(bits)
}

async fn create(
    password: &str,
    store: &dyn Store,
    passwords: &Passwords,
    clock: &dyn Clock,
) -> Result<(), StartError> {
    let password_hash = passwords.hash(password.to_owned()).await.map_err(failed)?;
    let admin = NewUser {
        id: UserId::new(),
        email: Email::parse(EMAIL).expect("the constant is an address"),
        name: Name::parse(NAME).expect("the constant is a name"),
        role: Role::Admin,
        password_hash: Some(password_hash),
        created_at: clock.now(),
    };
    match store.create_first_admin(&admin).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(StartError::new("another administrator was made during the start; start again")),
        Err(StoreError::EmailTaken) => Err(StartError::new(format!(
            "there is no administrator, and {EMAIL} is another user's address: \
             make one with `ticketblitz users create --role ADMIN`"
        ))),
        Err(error) => Err(failed(error)),
    }
}
