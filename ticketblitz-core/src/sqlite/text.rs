//! How the shared words are stored.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Sqlite, Type};

use crate::Timestamp;

/// Stores a type as its text in SQLite: `Display` writes it, `FromStr` reads it.
#[doc(hidden)]
#[macro_export]
macro_rules! sqlite_text {
    ($name:ty) => {
        impl $crate::sqlite::sqlx::Type<$crate::sqlite::sqlx::Sqlite> for $name {
            fn type_info() -> $crate::sqlite::sqlx::sqlite::SqliteTypeInfo {
                <String as $crate::sqlite::sqlx::Type<$crate::sqlite::sqlx::Sqlite>>::type_info()
            }
        }

        impl<'q> $crate::sqlite::sqlx::Encode<'q, $crate::sqlite::sqlx::Sqlite> for $name {
            fn encode_by_ref(
                &self,
                buffer: &mut $crate::sqlite::sqlx::sqlite::SqliteArgumentsBuffer,
            ) -> Result<$crate::sqlite::sqlx::encode::IsNull, $crate::sqlite::sqlx::error::BoxDynError> {
                <String as $crate::sqlite::sqlx::Encode<'q, $crate::sqlite::sqlx::Sqlite>>::encode(
                    ::std::string::ToString::to_string(self),
                    buffer,
                )
            }
        }

        impl<'r> $crate::sqlite::sqlx::Decode<'r, $crate::sqlite::sqlx::Sqlite> for $name {
            fn decode(
                value: $crate::sqlite::sqlx::sqlite::SqliteValueRef<'r>,
            ) -> Result<Self, $crate::sqlite::sqlx::error::BoxDynError> {
                let text =
                    <&str as $crate::sqlite::sqlx::Decode<$crate::sqlite::sqlx::Sqlite>>::decode(value)?;
                Ok(text.parse()?)
            }
        }
    };
}

impl Type<Sqlite> for Timestamp {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
}

impl<'q> Encode<'q, Sqlite> for Timestamp {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<'q, Sqlite>>::encode(self.as_micros(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Timestamp {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        <i64 as Decode<Sqlite>>::decode(value).map(Self::from_micros)
    }
}
