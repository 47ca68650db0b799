//! Ids: one newtype a thing, all UUIDv7, so that they sort by the time they were made.

/// Defines id newtypes over a UUIDv7: `new` (made now), `from_uuid`, `as_uuid`, text, serde and, with the
/// feature `sqlite`, storage as text.
///
/// ```
/// ticketblitz_core::ids! {
///     /// A parcel.
///     ParcelId;
/// }
/// let id = ParcelId::new();
/// assert_eq!(id.to_string().parse::<ParcelId>().unwrap(), id);
/// ```
#[macro_export]
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, $crate::id::Serialize)]
        #[serde(crate = "ticketblitz_core::id::serde", transparent)]
        pub struct $name($crate::id::Uuid);

        impl $name {
            /// A new id, later in order than every id that this process made before.
            #[must_use]
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self($crate::id::Uuid::now_v7())
            }

            /// The id that stands in this UUID.
            #[must_use]
            pub const fn from_uuid(uuid: $crate::id::Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID of this id.
            #[must_use]
            pub const fn as_uuid(&self) -> $crate::id::Uuid {
                self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::id::ParseIdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::id::parse(text).map(Self)
            }
        }

        impl<'de> $crate::id::Deserialize<'de> for $name {
            fn deserialize<D: $crate::id::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::id::read(deserializer).map(Self)
            }
        }

        $crate::id_storage!($name);
    )+};
}

#[doc(hidden)]
#[macro_export]
#[cfg(feature = "sqlite")]
macro_rules! id_storage {
    ($name:ident) => {
        $crate::sqlite_text!($name);
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(not(feature = "sqlite"))]
macro_rules! id_storage {
    ($name:ident) => {};
}

#[doc(hidden)]
pub use serde::{self, Deserialize, Deserializer, Serialize};
#[doc(hidden)]
pub use uuid::Uuid;

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is a UUID in its hyphenated form, 36 characters")]
pub struct ParseIdError;

/// Reads a UUID in its hyphenated form only: a second spelling of an id would be a second id to whoever
/// compares text.
#[doc(hidden)]
pub fn parse(text: &str) -> Result<Uuid, ParseIdError> {
    if text.len() != 36 {
        return Err(ParseIdError);
    }
    Uuid::try_parse(text).map_err(|_| ParseIdError)
}

/// The id in a JSON text: the same spellings as [`parse`] reads. Formats for machines have the bytes.
#[doc(hidden)]
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    if !deserializer.is_human_readable() {
        return Uuid::deserialize(deserializer);
    }
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    parse(&text).map_err(serde::de::Error::custom)
}

ids! {
    /// An event that seats are sold for.
    EventId;
    /// A booking: what a hold becomes when its owner pays.
    BookingId;
    /// Somebody who buys.
    UserId;
    /// A message, the same in every delivery of it.
    MessageId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let made: Vec<EventId> = (0..1_000).map(|_| EventId::new()).collect();
        assert!(made.is_sorted());
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = EventId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in [
            "",
            "x",
            &id.as_uuid().simple().to_string(),
            &format!("{{{id}}}"),
            &id.as_uuid().urn().to_string(),
            &format!("{id} "),
        ] {
            assert_eq!(other.parse::<EventId>(), Err(ParseIdError), "{other:?}");
            let json = serde_json::json!(other);
            assert!(serde_json::from_value::<EventId>(json).is_err(), "{other:?} is none in JSON either");
        }
    }

    #[test]
    fn json_is_the_bare_text() {
        let id = EventId::new();
        let json = serde_json::to_string(&id).expect("serializes");
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<EventId>(&json).expect("deserializes"), id);
    }
}
