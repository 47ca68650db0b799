//! What was asked for, small enough to keep: the same key with another fingerprint is refused.

mod canonical;

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Error;

/// A SHA-256 hash of what was asked for.
///
/// JSON is compared by meaning, with these verdicts:
/// - the order of an object's keys and the space between tokens do not matter, nor how a string is escaped;
/// - numbers are compared as written: `1`, `1.0` and `1e0` differ, as they may to whoever reads them;
/// - a body with the same key twice in an object, one nested deeper than 128, and one that is no JSON at all
///   are compared byte by byte: readers disagree on what they mean.
///
/// ```
/// use ticketblitz_idempotency::Fingerprint;
/// let of = |body: &str| Fingerprint::of_request("POST", "/payments", None, body.as_bytes());
/// assert_eq!(of(r#"{"amount": 5, "to": "ann"}"#), of(r#"{"to":"ann","amount":5}"#));
/// assert_ne!(of(r#"{"amount": 5}"#), of(r#"{"amount": 5.0}"#));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of an HTTP request.
    #[must_use]
    pub fn of_request(method: &str, path: &str, query: Option<&str>, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        field(&mut hash, method.as_bytes());
        field(&mut hash, path.as_bytes());
        match query {
            Some(query) => field(&mut hash, query.as_bytes()),
            None => hash.update([0]),
        }
        content(&mut hash, body);
        Self(hash.finalize().into())
    }

    /// Of any value, by its JSON.
    ///
    /// # Errors
    /// [`Error::Json`] if `value` cannot be written as JSON.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let json = serde_json::to_vec(value).map_err(Error::Json)?;
        let mut hash = Sha256::new();
        content(&mut hash, &json);
        Ok(Self(hash.finalize().into()))
    }

    /// As it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For storing.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Each field with its length before it, so that text moved from one to the next makes another hash.
fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update([1]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

fn content(hash: &mut Sha256, body: &[u8]) {
    match canonical::canonical(body) {
        Some(json) => {
            hash.update(b"json");
            field(hash, &json);
        }
        None => {
            hash.update(b"bytes");
            field(hash, body);
        }
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(")?;
        for byte in &self.0[..8] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Fingerprint {
        Fingerprint::of_request("POST", "/p", None, body.as_bytes())
    }

    #[test]
    fn meaning_is_compared_not_spelling() {
        assert_eq!(
            of(r#"{"a":1,"b":{"c":[true,null],"d":"x"}}"#),
            of(" {\"b\":{\"d\":\"\\u0078\",\"c\":[true,\n null]} , \"a\" : 1}\n")
        );
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":2}"#));
        assert_ne!(of("[1,2]"), of("[2,1]"), "the order of a list matters");
        assert_ne!(of("1"), of("\"1\""));
    }

    #[test]
    fn numbers_are_compared_as_written() {
        assert_ne!(of("1"), of("1.0"));
        assert_ne!(of("18446744073709551616"), of("18446744073709551617"), "beyond every integer type");
        assert_ne!(of("0.1"), of("0.10000000000000001"));
    }

    #[test]
    fn what_readers_disagree_on_is_compared_by_its_bytes() {
        assert_ne!(of(r#"{"a":1,"a":2}"#), of(r#"{"a":2}"#));
        assert_ne!(of(r#"{"a":1,"a":2}"#), of(r#"{"a":2,"a":1}"#));
        assert_ne!(of(r#"{"a":1,"\u0061":2}"#), of(r#"{"a":2}"#), "an escaped key is the same key");
        assert_eq!(of(r#"{"a":1,"a":2}"#), of(r#"{"a":1,"a":2}"#));
        assert_ne!(of("{not json"), of("{not  json"));
        assert_ne!(of(""), of("null"));
        assert_eq!(of(&"[".repeat(65_536)), of(&"[".repeat(65_536)), "no stack is deep enough to be overrun");
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(of(&deep), of(&deep));
    }

    #[test]
    fn every_part_of_the_request_counts() {
        let one = Fingerprint::of_request("POST", "/a", Some("b"), b"");
        for other in [
            Fingerprint::of_request("PUT", "/a", Some("b"), b""),
            Fingerprint::of_request("POST", "/ab", None, b""),
            Fingerprint::of_request("POST", "/a", None, b"b"),
            Fingerprint::of_request("POST", "/a", Some(""), b"b"),
        ] {
            assert_ne!(one, other);
        }
        assert_ne!(
            Fingerprint::of_request("POST", "/a", Some(""), b""),
            Fingerprint::of_request("POST", "/a", None, b"")
        );
    }

    #[test]
    fn values_are_compared_by_their_json() {
        let left = std::collections::HashMap::from([("a", 1), ("b", 2), ("c", 3)]);
        let right = std::collections::BTreeMap::from([("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(Fingerprint::of(&left).unwrap(), Fingerprint::of(&right).unwrap());
    }
}
