//! Who may pass: the paths that need no token.

use axum::http::Method;

/// What a request needs before it is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing. A token that comes along is not looked at here.
    Public,
    /// A valid access token.
    Token,
    /// One of an organizer or an administrator.
    Staff,
}

/// What this request needs. What is not named here needs a token, so that a path added later is closed until
/// somebody opens it.
#[must_use]
pub fn access(method: &Method, path: &str) -> Access {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let public = match path {
        "/api/auth/register" | "/api/auth/login" | "/api/auth/refresh" | "/api/auth/logout" => true,
        "/.well-known/jwks.json" | "/api/events" | "/mail" => reads,
        _ => reads && (path.starts_with("/api/events/") || path.starts_with("/mail/") || is_live_seats(path)),
    };
    if public {
        Access::Public
    } else if changes_events(method, path) {
        Access::Staff
    } else {
        Access::Token
    }
}

/// The event service asks for the same; here it comes before a body that is too large to be forwarded.
fn changes_events(method: &Method, path: &str) -> bool {
    match path.strip_prefix("/api/events/") {
        None => path == "/api/events" && method == Method::POST,
        Some(id) => !id.is_empty() && !id.contains('/') && matches!(*method, Method::PUT | Method::DELETE),
    }
}

/// `/api/inventory/events/{id}/seats`
fn is_live_seats(path: &str) -> bool {
    path.strip_prefix("/api/inventory/events/")
        .and_then(|rest| rest.strip_suffix("/seats"))
        .is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsing_and_logging_in_are_public_and_the_rest_is_not() {
        for (method, path, expected) in [
            (Method::POST, "/api/auth/register", Access::Public),
            (Method::POST, "/api/auth/logout", Access::Public),
            (Method::GET, "/api/auth/me", Access::Token),
            (Method::GET, "/api/auth/validate", Access::Token),
            (Method::GET, "/.well-known/jwks.json", Access::Public),
            (Method::GET, "/api/events", Access::Public),
            (Method::HEAD, "/api/events/x", Access::Public),
            (Method::GET, "/api/events/x/seats", Access::Public),
            (Method::POST, "/api/events", Access::Staff),
            (Method::PUT, "/api/events/x", Access::Staff),
            (Method::DELETE, "/api/events/x", Access::Staff),
            (Method::POST, "/api/events/x", Access::Token),
            (Method::DELETE, "/api/events/x/seats", Access::Token),
            (Method::DELETE, "/api/events/", Access::Token),
            (Method::PATCH, "/api/events", Access::Token),
            (Method::GET, "/mail", Access::Public),
            (Method::GET, "/mail/x", Access::Public),
            (Method::POST, "/mail", Access::Token),
            (Method::GET, "/mailx", Access::Token),
            (Method::GET, "/api/inventory/events/x/seats", Access::Public),
            (Method::GET, "/api/inventory/events//seats", Access::Token),
            (Method::GET, "/api/inventory/holds/x", Access::Token),
            (Method::POST, "/api/inventory/holds", Access::Token),
            (Method::GET, "/api/bookings", Access::Token),
            (Method::GET, "/api/eventsx", Access::Token),
        ] {
            assert_eq!(access(&method, path), expected, "{method} {path}");
        }
    }
}
