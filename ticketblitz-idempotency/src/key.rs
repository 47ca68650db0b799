//! The key that a caller sends with every try of one operation.

use std::fmt;
use std::sync::Arc;

/// Longest key, in bytes after unquoting.
const LONGEST: usize = 255;

/// An idempotency key: 1 to 255 printable ASCII characters, chosen by the caller, the same for every try.
///
/// On the wire it is the header `Idempotency-Key`, a structured-field string by the IETF draft, or bare as most
/// clients send it. Both are the same key:
///
/// ```
/// use ticketblitz_idempotency::Key;
/// let quoted = Key::from_header(br#""8e03978e-40d5""#).unwrap();
/// assert_eq!(quoted, Key::from_header(b"8e03978e-40d5").unwrap());
/// assert_eq!(quoted, Key::new("8e03978e-40d5").unwrap());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nothing, or nothing between the quotes.
    #[error("an idempotency key must not be empty")]
    Empty,
    /// More than 255 bytes.
    #[error("an idempotency key has at most 255 characters")]
    TooLong,
    /// Something beside printable ASCII.
    #[error("an idempotency key consists of printable ASCII characters")]
    NotPrintableAscii,
    /// A quoted key without its end, with a wrong escape, or with something behind it.
    #[error("a quoted idempotency key ends with a quote, and escapes only quotes and backslashes")]
    BadQuoting,
    /// A bare key with a comma or a quote in it. A comma may be what is left of two header lines that an
    /// intermediary has joined, so it must be quoted to be part of a key.
    #[error("an idempotency key with a comma or a quote in it must be quoted")]
    NeedsQuotes,
    /// More than one header line. Taking the first would make two operations one.
    #[error("a request has one Idempotency-Key header")]
    Repeated,
}

impl Key {
    /// The key that is exactly `text`.
    ///
    /// # Errors
    /// `text` is empty, too long or not printable ASCII.
    pub fn new(text: impl AsRef<str>) -> Result<Self, KeyError> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > LONGEST {
            return Err(KeyError::TooLong);
        }
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(KeyError::NotPrintableAscii);
        }
        Ok(Self(text.into()))
    }

    /// The key in the value of one `Idempotency-Key` header, bare or quoted.
    ///
    /// # Errors
    /// The value is neither.
    pub fn from_header(value: &[u8]) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(value).map_err(|_| KeyError::NotPrintableAscii)?;
        let text = text.trim_matches([' ', '\t']);
        match text.strip_prefix('"') {
            Some(quoted) => Self::new(unquote(quoted)?),
            None if text.contains([',', '"']) => Err(KeyError::NeedsQuotes),
            None => Self::new(text),
        }
    }

    /// The key in all the `Idempotency-Key` headers of a request; `None` if there is none.
    ///
    /// # Errors
    /// There are several, or the one is no key.
    pub fn from_headers<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<Option<Self>, KeyError> {
        let mut values = values.into_iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(KeyError::Repeated);
        }
        Self::from_header(value).map(Some)
    }

    /// The key without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands before the closing quote, RFC 8941 section 4.2.5.
fn unquote(quoted: &str) -> Result<String, KeyError> {
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    loop {
        match characters.next() {
            Some('"') if characters.as_str().is_empty() => return Ok(text),
            Some('\\') => match characters.next() {
                Some(escaped @ ('"' | '\\')) => text.push(escaped),
                _ => return Err(KeyError::BadQuoting),
            },
            None | Some('"') => return Err(KeyError::BadQuoting),
            Some(other) => text.push(other),
        }
    }
}

impl std::str::FromStr for Key {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl TryFrom<&str> for Key {
    type Error = KeyError;
    fn try_from(text: &str) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Result<String, KeyError> {
        Key::from_header(value.as_bytes()).map(|key| key.to_string())
    }

    #[test]
    fn bare_and_quoted_are_equal() {
        assert_eq!(parsed("k-1"), Ok("k-1".into()));
        assert_eq!(parsed(" \"k-1\"\t"), Ok("k-1".into()));
        assert_eq!(parsed(r#""a \"b\" \\ c""#), Ok(r#"a "b" \ c"#.into()));
        assert_eq!(parsed(r#""a, b""#), Ok("a, b".into()));
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        for (value, reason) in [
            ("", KeyError::Empty),
            ("  ", KeyError::Empty),
            ("\"\"", KeyError::Empty),
            ("\"", KeyError::BadQuoting),
            ("\"open", KeyError::BadQuoting),
            (r#""bad \n escape""#, KeyError::BadQuoting),
            (r#""k";p=1"#, KeyError::BadQuoting),
            (r#""k1", "k2""#, KeyError::BadQuoting),
            ("k1, k2", KeyError::NeedsQuotes),
            ("k\"", KeyError::NeedsQuotes),
            ("schlüssel", KeyError::NotPrintableAscii),
            ("a\u{7f}", KeyError::NotPrintableAscii),
            ("a\tb", KeyError::NotPrintableAscii),
        ] {
            assert_eq!(parsed(value), Err(reason), "{value:?}");
        }
        assert_eq!(Key::from_header(b"\xff"), Err(KeyError::NotPrintableAscii));
    }

    #[test]
    fn the_length_counts_without_quotes() {
        let longest = "k".repeat(255);
        assert_eq!(parsed(&longest), Ok(longest.clone()));
        assert_eq!(parsed(&format!("\"{longest}\"")), Ok(longest.clone()));
        assert_eq!(parsed(&format!("{longest}k")), Err(KeyError::TooLong));
    }

    #[test]
    fn two_headers_are_not_the_first() {
        assert_eq!(Key::from_headers([b"a".as_slice(), b"b"]), Err(KeyError::Repeated));
        assert_eq!(Key::from_headers([b"a".as_slice(), b"a"]), Err(KeyError::Repeated));
        assert_eq!(Key::from_headers([]), Ok(None));
    }
}
