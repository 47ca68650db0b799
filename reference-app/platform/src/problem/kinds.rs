//! The kinds of problem that any service may answer.

use super::Kind;

pub const MALFORMED_REQUEST: Kind = Kind::new("malformed-request", 400, "Malformed request");
pub const UNAUTHENTICATED: Kind = Kind::new("unauthenticated", 401, "Not authenticated");
pub const FORBIDDEN: Kind = Kind::new("forbidden", 403, "Forbidden");
pub const NOT_FOUND: Kind = Kind::new("not-found", 404, "Not found");
pub const METHOD_NOT_ALLOWED: Kind = Kind::new("method-not-allowed", 405, "Method not allowed");
pub const REQUEST_IN_FLIGHT: Kind = Kind::new("request-in-flight", 409, "Request in flight");
pub const TOO_LARGE: Kind = Kind::new("too-large", 413, "Too large");
pub const UNSUPPORTED_MEDIA_TYPE: Kind = Kind::new("unsupported-media-type", 415, "Unsupported media type");
pub const VALIDATION_FAILED: Kind = Kind::new("validation-failed", 422, "Validation failed");
pub const IDEMPOTENCY_KEY_REUSED: Kind = Kind::new("idempotency-key-reused", 422, "Idempotency key reused");
pub const RATE_LIMITED: Kind = Kind::new("rate-limited", 429, "Rate limited");
pub const INTERNAL: Kind = Kind::new("internal", 500, "Internal error");
pub const OVERLOADED: Kind = Kind::new("overloaded", 503, "Overloaded");
pub const DEPENDENCY_UNAVAILABLE: Kind = Kind::new("dependency-unavailable", 503, "Dependency unavailable");
