//! The administrator of a first start.

use std::path::{Path, PathBuf};
use std::{fmt, io};

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
/// Stands beside the password until the operator has been shown it.
const UNSEEN_FILE: &str = "admin-password.unseen";

/// An administrator with a random password that the operator has not been shown yet.
#[derive(Clone)]
pub struct AdminAnnouncement {
    pub email: String,
    pub password: String,
    /// The file the password was written to.
    pub path: PathBuf,
}

impl AdminAnnouncement {
    fn new(data_dir: &Path, password: String) -> Self {
        Self { email: EMAIL.to_owned(), password, path: data_dir.join(PASSWORD_FILE) }
    }

    /// Takes note that the operator has been shown the password: no later start announces it.
    ///
    /// # Errors
    /// The note cannot be kept: the next start announces the password once more.
    pub fn seen(&self) -> io::Result<()> {
        std::fs::remove_file(self.path.with_file_name(UNSEEN_FILE))
    }
}

impl fmt::Debug for AdminAnnouncement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminAnnouncement")
            .field("email", &self.email)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Makes an administrator if there is none. There is something to announce only if its password was made up, by
/// this start or by one that ended before it could announce it.
pub(crate) async fn ensure(
    config: &Config,
    policy: PasswordPolicy,
    store: &dyn Store,
    passwords: &Passwords,
    clock: &dyn Clock,
) -> Result<Option<AdminAnnouncement>, StartError> {
    if store.has_admin().await.map_err(failed)? {
        return unseen(&config.data_dir, store, passwords).await;
    }
    let Some(password) = &config.admin_password else {
        let password = random_password();
        // Before the account: a crash between the two leaves files that the next start replaces, not an
        // administrator whose password nobody has seen.
        for (name, content) in [(PASSWORD_FILE, format!("{password}\n")), (UNSEEN_FILE, String::new())] {
            let path = config.data_dir.join(name);
            files::write_private(&path, &content)
                .map_err(|error| StartError::new(format!("cannot write {}: {error}", path.display())))?;
        }
        create(&password, store, passwords, clock).await?;
        return Ok(Some(AdminAnnouncement::new(&config.data_dir, password)));
    };
    policy
        .check(password)
        .map_err(|reason| StartError::new(format!("the administrator's password {reason}")))?;
    create(password, store, passwords, clock).await?;
    Ok(None)
}

/// What an earlier start made and did not come to announce.
async fn unseen(
    data_dir: &Path,
    store: &dyn Store,
    passwords: &Passwords,
) -> Result<Option<AdminAnnouncement>, StartError> {
    if !data_dir.join(UNSEEN_FILE).exists() {
        return Ok(None);
    }
    let Ok(text) = std::fs::read_to_string(data_dir.join(PASSWORD_FILE)) else { return Ok(None) };
    let password = text.trim_end().to_owned();
    let account = store.by_email(&Email::key_of(EMAIL)).await.map_err(failed)?;
    // That start may have ended before the account, and the administrator be one that the operator made.
    let opens =
        passwords.verify(password.clone(), account.and_then(|(_, hash)| hash)).await.map_err(failed)?;
    Ok(opens.then(|| AdminAnnouncement::new(data_dir, password)))
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
