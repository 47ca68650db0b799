//! Requests that are the same, and requests that are not.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use ticketblitz_idempotency::Fingerprint;

fn of(body: &[u8]) -> Fingerprint {
    Fingerprint::of_request("POST", "/p", None, body)
}

/// Space between the tokens of JSON that has one meaning changes nothing; anything changes what has none.
pub(crate) fn of_one(bytes: &[u8]) {
    assert_eq!(of(bytes), of(bytes));
    let spaced = spaced(bytes);
    let has_one_meaning = match serde_json::from_slice::<OneMeaning>(bytes) {
        // JSON all the same, and what it says of itself is not known here.
        Err(error) if ["out of range", "recursion"].iter().any(|why| error.to_string().contains(why)) => {
            return;
        }
        read => read.is_ok(),
    };
    assert_eq!(
        of(bytes) == of(&spaced),
        has_one_meaning || spaced == bytes,
        "{}",
        String::from_utf8_lossy(bytes)
    );
    assert_ne!(Fingerprint::of_request("PUT", "/p", None, bytes), of(bytes));
    assert_ne!(Fingerprint::of_request("POST", "/p", Some(""), bytes), of(bytes));
}

/// Bodies with the same fingerprint are the same to whoever reads them; those that read the same but for their
/// numbers, which are compared as written, have the same one.
pub(crate) fn of_two(bytes: &[u8]) {
    let Some(at) = bytes.iter().position(|byte| *byte == 0) else { return };
    let (one, other) = (&bytes[..at], &bytes[at + 1..]);
    let read = |body| serde_json::from_slice::<Value>(body).ok();
    let same = of(one) == of(other);
    if same {
        assert_eq!(read(one), read(other));
    }
    let meaning = |body| serde_json::from_slice::<OneMeaning>(body).ok();
    if let (Some(left), Some(right)) = (meaning(one), meaning(other))
        && left == right
        && !left.has_numbers()
    {
        assert!(same, "{}", String::from_utf8_lossy(bytes));
    }
}

/// A space before every token outside of strings.
fn spaced(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut in_string, mut escaped) = (Vec::new(), false, false);
    for byte in bytes {
        if !in_string && b"{}[]:,\"".contains(byte) {
            out.push(b' ');
        }
        out.push(*byte);
        let closes = *byte == b'"' && !escaped;
        escaped = in_string && *byte == b'\\' && !escaped;
        in_string ^= closes;
    }
    out.push(b'\n');
    out
}

/// JSON whose objects have each key once.
#[derive(Debug, PartialEq)]
enum OneMeaning {
    Plain(Value),
    Number,
    List(Vec<OneMeaning>),
    Object(BTreeMap<String, OneMeaning>),
}

impl OneMeaning {
    fn has_numbers(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Number => true,
            Self::List(items) => items.iter().any(Self::has_numbers),
            Self::Object(members) => members.values().any(Self::has_numbers),
        }
    }
}

impl<'de> Deserialize<'de> for OneMeaning {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = OneMeaning;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with each key once")
    }

    fn visit_unit<E>(self) -> Result<OneMeaning, E> {
        Ok(OneMeaning::Plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<OneMeaning, E> {
        Ok(OneMeaning::Plain(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<OneMeaning, E> {
        Ok(OneMeaning::Plain(value.into()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<OneMeaning, E> {
        Ok(OneMeaning::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<OneMeaning, E> {
        Ok(OneMeaning::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<OneMeaning, E> {
        Ok(OneMeaning::Number)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneMeaning, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(OneMeaning::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OneMeaning, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            if members.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a key twice"));
            }
        }
        Ok(OneMeaning::Object(members))
    }
}
