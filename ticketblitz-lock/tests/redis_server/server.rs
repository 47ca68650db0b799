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

/// Of keys that nobody else uses.
pub fn prefix() -> String {
    format!("test-{}", EventId::new())
}

pub fn options(prefix: &str) -> RedisOptions {
    RedisOptions::default().prefix(prefix)
}
