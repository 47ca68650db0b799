//! What becomes of an answer.

use http::StatusCode;

/// What becomes of an answer and its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disposition {
    /// Every retry gets this answer.
    Store,
    /// The key is free: a retry executes again.
    Release,
}

/// Stores what is final, and releases the key where a retry may end better.
///
/// | status | | why |
/// |---|---|---|
/// | 1xx, 2xx, 3xx | store | it is done |
/// | 400, 413, 415, 422 | release | nothing was done; the caller mends the request and keeps its key |
/// | 401, 403, 404 | release | nothing was done; the caller logs in, or what was missing appears |
/// | 408, 425, 429, 503 | release | nothing was done; the answer asks for a retry |
/// | other 4xx | store | a definite no (409: sold), which a retry must not turn into a yes behind the caller's back |
/// | other 5xx | release | nobody knows what was done: storing it would make a passing fault last for as long as the key. The retry executes, which the operation must be [safe for](crate::Keys) anyway |
#[must_use]
pub fn default_disposition(status: StatusCode) -> Disposition {
    match status.as_u16() {
        400 | 401 | 403 | 404 | 408 | 413 | 415 | 422 | 425 | 429 | 500.. => Disposition::Release,
        _ => Disposition::Store,
    }
}
