//! Who holds.

use std::fmt;
use std::sync::Arc;

use ticketblitz_core::UserId;

use super::name::validate_name;
use crate::error::LockError;

/// Who holds: a user, a session, a till. The store compares it and reads nothing into it. Cheap to clone.
///
/// A name has 1 to 512 bytes and no control character: see [`validate`](Self::validate).
///
/// ```
/// use ticketblitz_lock::Owner;
/// assert_eq!(Owner::from("till-4").as_str(), "till-4");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(Arc<str>);

impl Owner {
    /// The text that names the owner.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses a name that not every backend could keep, for backends: [`HoldRequest::validate`](crate::HoldRequest::validate)
    /// and [`EventSnapshot::validate`](crate::EventSnapshot::validate) do it for theirs.
    ///
    /// # Errors
    /// [`LockError::Invalid`]: no name, one of more than 512 bytes, one with a control character.
    pub fn validate(&self) -> Result<(), LockError> {
        validate_name("an owner", &self.0)
    }
}

impl From<&str> for Owner {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for Owner {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<UserId> for Owner {
    fn from(user: UserId) -> Self {
        user.to_string().into()
    }
}

impl From<&Self> for Owner {
    fn from(owner: &Self) -> Self {
        owner.clone()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({})", self.0)
    }
}
