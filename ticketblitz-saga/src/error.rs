//! What can go wrong between a saga and its database.

use std::fmt;

/// Why an operation on a saga, the outbox or the inbox failed.
///
/// Opaque on purpose: what a caller can act on is a question it can ask, everything else is for the log.
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug)]
enum Kind {
    Database { source: Box<dyn std::error::Error + Send + Sync>, unavailable: bool },
    Conflict { name: String, key: String },
    Data { what: String, source: serde_json::Error },
    Payload { signal: String, source: serde_json::Error },
    Undefined { name: String, version: u32 },
    Corrupt(String),
    Unwritable(String),
}

impl Error {
    /// Somebody else moved the saga first. Roll back; whoever drives the saga looks at it again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.0, Kind::Conflict { .. })
    }

    /// The payload of a signal is not what its handler reads: delivering it again will not help.
    #[must_use]
    pub fn is_invalid_payload(&self) -> bool {
        matches!(self.0, Kind::Payload { .. })
    }

    /// The database cannot be used at the moment; nothing was changed, and the same may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.0, Kind::Database { unavailable: true, .. })
    }

    pub(crate) fn conflict(name: &str, key: &str) -> Self {
        Self(Kind::Conflict { name: name.to_owned(), key: key.to_owned() })
    }

    pub(crate) fn data(what: impl Into<String>, source: serde_json::Error) -> Self {
        Self(Kind::Data { what: what.into(), source })
    }

    pub(crate) fn payload(signal: &str, source: serde_json::Error) -> Self {
        Self(Kind::Payload { signal: signal.to_owned(), source })
    }

    /// Names the signal, which the function that reads the payload does not know.
    pub(crate) fn for_signal(self, signal: &str) -> Self {
        match self.0 {
            Kind::Payload { source, .. } => Self::payload(signal, source),
            other => Self(other),
        }
    }

    pub(crate) fn undefined(name: &str, version: u32) -> Self {
        Self(Kind::Undefined { name: name.to_owned(), version })
    }

    /// Something handed in cannot be written as JSON; `why` is the message of the error that said so earlier.
    pub(crate) fn unwritable(why: &str) -> Self {
        Self(Kind::Unwritable(why.to_owned()))
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self(Kind::Corrupt(what.into()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Database { source, .. } => write!(f, "the saga's database: {source}"),
            Kind::Conflict { name, key } => write!(f, "saga {name} {key} was moved by somebody else first"),
            Kind::Data { what, source } => write!(f, "{what} cannot be read or written as JSON: {source}"),
            Kind::Payload { signal, source } => {
                write!(f, "signal {signal} has an unreadable payload: {source}")
            }
            Kind::Undefined { name, version } => write!(f, "saga {name} version {version} is not registered"),
            Kind::Corrupt(what) => write!(f, "the saga tables hold {what}"),
            Kind::Unwritable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Database { source, .. } => Some(&**source),
            Kind::Data { source, .. } | Kind::Payload { source, .. } => Some(source),
            Kind::Conflict { .. } | Kind::Undefined { .. } | Kind::Corrupt(_) | Kind::Unwritable(_) => None,
        }
    }
}

#[cfg(feature = "sqlite")]
impl From<ticketblitz_core::sqlite::Error> for Error {
    fn from(error: ticketblitz_core::sqlite::Error) -> Self {
        let unavailable = error.is_unavailable();
        Self(Kind::Database { source: Box::new(error), unavailable })
    }
}
