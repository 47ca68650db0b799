//! The single entry point: routes by prefix to the role that serves the path, checks tokens before anything is
//! forwarded, limits rates. It holds no state that must survive it.
//!
//! No path is rewritten on the way, and nothing under `/internal/` is routed.

mod access;
mod http;
mod limit;

pub use access::{Access, access};
pub use http::router;
pub use limit::RateLimit;

use platform::Transport;

/// Which role serves the paths under a prefix.
#[derive(Debug, Clone)]
pub struct Route {
    /// A whole path segment or several: `/api/events`.
    pub prefix: &'static str,
    /// The role, as an answer names it when it cannot be reached.
    pub role: &'static str,
    /// The way to it.
    pub transport: Transport,
}
