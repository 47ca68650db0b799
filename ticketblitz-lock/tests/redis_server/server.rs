//! The server of the tests.

use std::sync::OnceLock;

use ticketblitz_core::EventId;
use ticketblitz_lock::RedisOptions;

/// Where it is.
pub fn url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        #[allow(clippy::disallowed_methods)] // the one setting of these tests
        std::env::var("TEST_REDIS_URL")
            .expect("TEST_REDIS_URL names no Redis: scripts/test sets it, or eval \"$(scripts/services start redis)\"")
    })
}

/// `short` in the ordinary suite; where `SOAK` is set, so many times `full`.
#[allow(dead_code, clippy::disallowed_methods)] // by some of the files that have this module; a test's own setting
pub fn soak(short: u64, full: u64) -> u64 {
    match std::env::var("SOAK") {
        Ok(times) => full * times.parse::<u64>().expect("SOAK is a whole number"),
        Err(_) => short,
    }
}

/// Of keys that nobody else uses.
pub fn prefix() -> String {
    format!("test-{}", EventId::new())
}

pub fn options(prefix: &str) -> RedisOptions {
    RedisOptions::default().prefix(prefix)
}
