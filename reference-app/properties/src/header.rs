//! `Idempotency-Key` and `Prefer`.

#[path = "../../booking/src/http/prefer.rs"]
mod prefers;

use http::{HeaderMap, HeaderName, HeaderValue};
use ticketblitz_idempotency::{Key, KeyError};

/// A key is 1 to 255 printable characters, and quoted it is the same key.
pub(crate) fn key(bytes: &[u8]) {
    assert_eq!(Key::from_headers([bytes, bytes]), Err(KeyError::Repeated));
    let key = Key::from_header(bytes);
    assert_eq!(Key::from_headers([bytes]), key.clone().map(Some));
    let Ok(key) = key else { return };
    let text = key.as_str();
    assert!(
        (1..=255).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{text:?}"
    );
    assert_eq!(Key::new(text), Ok(key.clone()));
    let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    assert_eq!(Key::from_header(quoted.as_bytes()), Ok(key.clone()));
    if !text.contains([',', '"']) && text.trim() == text {
        assert_eq!(Key::from_header(text.as_bytes()), Ok(key));
    }
}

/// A wait is at most 30 s, and the first one counts whatever comes behind it.
pub(crate) fn prefer(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap = lines.map(|line| (HeaderName::from_static("prefer"), line)).collect();
    let wait = prefers::wait(&headers);
    assert!(wait.is_none_or(|seconds| seconds <= 30), "{wait:?}");
    assert!(prefers::patience(wait).as_secs() <= 30);
    if let Some(seconds) = wait {
        let (name, value) = prefers::applied(seconds);
        assert_eq!(
            (name.as_str(), value.as_bytes()),
            ("preference-applied", format!("wait={seconds}").as_bytes())
        );
    }
    let mut first = HeaderMap::new();
    first.append("prefer", HeaderValue::from_static("wait=7"));
    for line in headers.get_all("prefer") {
        first.append("prefer", line.clone());
    }
    assert_eq!(prefers::wait(&first), Some(7));
}
