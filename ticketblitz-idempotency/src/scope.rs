//! Whose key it is.

use std::fmt;
use std::sync::Arc;

/// The owner of a key: two scopes with the same key have nothing to do with each other.
///
/// There is no default, because a key without an owner would hand one customer's answer to another.
///
/// ```
/// use ticketblitz_idempotency::Scope;
/// assert_ne!(Scope::user("ann"), Scope::user("ben"));
/// assert_ne!(Scope::user("ann"), Scope::user("ann").within("POST /payments"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Arc<str>);

impl Scope {
    /// The scope with this name.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// The scope of a user, by the identity that was authenticated, never one that the request merely claims.
    #[must_use]
    pub fn user(id: impl fmt::Display) -> Self {
        Self(format!("user:{id}").into())
    }

    /// The part of this scope that is called `part`; the layer makes one for each method and path.
    #[must_use]
    pub fn within(&self, part: impl fmt::Display) -> Self {
        // A line break is in no method and no path, so that no two pairs make the same name.
        Self(format!("{}\n{part}", self.0).into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?})", &*self.0)
    }
}
