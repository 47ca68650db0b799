//! `Prefer: wait` (RFC 7240).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The longest wait; a longer one that was asked for is cut to this.
const MOST: u64 = 30;
const PREFER: HeaderName = HeaderName::from_static("prefer");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the client would like to wait, in whole seconds: the first `wait` of all `Prefer` headers. What is
/// not understood is ignored, as the RFC asks.
pub(super) fn wait(headers: &HeaderMap) -> Option<u64> {
    let lines = headers.get_all(PREFER).into_iter().filter_map(|line| line.to_str().ok());
    let mut preferences = lines.flat_map(|line| split(line, ','));
    let value = preferences.find_map(|preference| {
        // What follows a semicolon are parameters of the preference.
        let (name, value) = split(preference, ';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    // More digits than a number has are still a long wait.
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(MOST).min(MOST))
}

/// The wait that was applied, for the answer.
pub(super) fn applied(seconds: u64) -> (HeaderName, HeaderValue) {
    // Digits are a header value.
    let value = HeaderValue::try_from(format!("wait={seconds}")).unwrap_or(HeaderValue::from_static("wait"));
    (APPLIED, value)
}

pub(super) fn patience(seconds: Option<u64>) -> Duration {
    Duration::from_secs(seconds.unwrap_or_default())
}

/// The parts of a header between separators that stand outside of quotes.
fn split(line: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(lines: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, line.parse().unwrap());
        }
        wait(&headers)
    }

    #[test]
    fn the_first_wait_counts_wherever_it_stands() {
        assert_eq!(waiting(&["wait=10"]), Some(10));
        assert_eq!(waiting(&["respond-async, WAIT = 7"]), Some(7));
        assert_eq!(waiting(&["handling=lenient", "return=minimal; x=1, wait=\"5\"; y"]), Some(5));
        assert_eq!(waiting(&["wait=3, wait=9"]), Some(3));
        assert_eq!(waiting(&["foo=\"a, wait=9\", wait=2"]), Some(2));
    }

    #[test]
    fn a_long_wait_is_cut() {
        assert_eq!(waiting(&["wait=31"]), Some(30));
        assert_eq!(waiting(&["wait=99999999999999999999999"]), Some(30));
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for line in
            ["", "wait", "wait=", "wait=-1", "wait=1.5", "wait=x", "await=4", "respond-async; wait=4", "="]
        {
            assert_eq!(waiting(&[line]), None, "{line:?}");
        }
    }
}
