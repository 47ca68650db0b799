//! How the shared words are stored.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::Timestamp;

/// Stores a type as its text in SQLite: `Display` writes it, `FromStr` reads it.
#[doc(hidden)]
#[macro_export]
macro_rules! sqlite_text {
    ($name:ty) => {
        impl $crate::sqlite::types::ToSql for $name {
            fn to_sql(
                &self,
            ) -> ::std::result::Result<$crate::sqlite::types::ToSqlOutput<'_>, $crate::sqlite::DriverError>
            {
                Ok(::std::string::ToString::to_string(self).into())
            }
        }

        impl $crate::sqlite::types::FromSql for $name {
            fn column_result(
                value: $crate::sqlite::types::ValueRef<'_>,
            ) -> $crate::sqlite::types::FromSqlResult<Self> {
                value.as_str()?.parse().map_err($crate::sqlite::types::FromSqlError::other)
            }
        }
    };
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_micros().into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_micros)
    }
}
