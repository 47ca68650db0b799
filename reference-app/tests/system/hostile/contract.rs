//! What any answer must be, whatever was asked: the contract's table of errors, in one place.

use serde_json::Value;

use crate::common::wire::Reply;

/// Each row of the table: a status, and the kinds it comes with.
const ROWS: [(u16, &[&str]); 11] = [
    (400, &["malformed-request"]),
    (401, &["unauthenticated", "invalid-credentials"]),
    (403, &["forbidden", "not-admitted"]),
    (404, &["not-found"]),
    (405, &["method-not-allowed"]),
    (
        409,
        &[
            "seats-unavailable",
            "hold-not-live",
            "booking-exists",
            "hold-in-payment",
            "sales-closed",
            "email-taken",
            "not-cancellable",
            "event-on-sale",
            "request-in-flight",
        ],
    ),
    (413, &["too-large"]),
    (415, &["unsupported-media-type"]),
    (
        422,
        &["validation-failed", "customer-limit-exceeded", "idempotency-key-reused", "hold-ceiling-reached"],
    ),
    (429, &["rate-limited"]),
    (503, &["overloaded", "dependency-unavailable"]),
];

const GATEWAY: u16 = 8080;
const PROVIDER: u16 = 8089;
/// The provider's own, in its description.
const PROVIDERS: (u16, &str) = (409, "not-refundable");

/// Kinds that only some roles have a reason for, and the gateway, which passes them on.
const OWN: [(&str, &[u16]); 9] = [
    ("invalid-credentials", &[8081]),
    ("email-taken", &[8081]),
    ("event-on-sale", &[8082, 8083]),
    ("seats-unavailable", &[8083, 8084]),
    ("hold-in-payment", &[8083]),
    ("hold-ceiling-reached", &[8083]),
    ("booking-exists", &[8084]),
    ("not-cancellable", &[8084]),
    ("request-in-flight", &[8084]),
];

/// Whether the role with this port may refuse with this kind.
fn may_say(role: u16, status: u16, kind: &str) -> bool {
    if (status, kind) == PROVIDERS {
        return role == PROVIDER;
    }
    let own = OWN.iter().find(|(own, _)| *own == kind).is_none_or(|(_, roles)| roles.contains(&role));
    (own || role == GATEWAY) && ROWS.iter().any(|(known, kinds)| *known == status && kinds.contains(&kind))
}

/// What is wrong with a role's answer to a request of this method, if anything is.
pub fn check(role: u16, method: &str, reply: &Reply) -> Result<(), String> {
    let Reply { status, headers, body } = reply;
    let fail = |what: &str| Err(format!("{what}: {status} {headers:?} {}", reply.text()));
    let length = reply.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let bodiless = matches!(status, 204 | 304);
    if bodiless == length.is_some() && *status != 304 {
        return fail("Content-Length");
    }
    if method != "HEAD" && !bodiless && length != Some(body.len()) {
        return fail("a body of another length than told");
    }
    match status {
        200..400 => return Ok(()),
        400..500 | 503 => {}
        _ => return fail("no status of the contract"),
    }
    if reply.header("content-type") != Some("application/problem+json") {
        return fail("no problem document");
    }
    if *status == 405 {
        let allowed = reply.header("allow").unwrap_or_default();
        if allowed.is_empty() || allowed.split(',').any(|name| name == method) {
            return fail("405 without the methods that are allowed");
        }
    }
    if *status == 401 && reply.header("www-authenticate").is_none() {
        return fail("401 without WWW-Authenticate");
    }
    let soon = reply.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    if matches!(status, 429 | 503) && soon.is_none_or(|seconds| seconds < 1) {
        return fail("without Retry-After");
    }
    if method == "HEAD" {
        return Ok(());
    }
    document(role, *status, &reply.json()).or_else(|what| fail(&what))
}

/// What is wrong with a problem document.
fn document(role: u16, status: u16, problem: &Value) -> Result<(), String> {
    let kind = problem["type"].as_str().and_then(|kind| kind.strip_prefix("urn:ticketblitz:problem:"));
    let kind = kind.ok_or("no type of ours")?;
    if !may_say(role, status, kind) {
        return Err(format!("{status} {kind} is no row of the table for {role}"));
    }
    if problem["status"] != status {
        return Err("another status in the document".to_owned());
    }
    for member in ["title", "detail"] {
        if problem[member].as_str().is_none_or(str::is_empty) {
            return Err(format!("no {member}"));
        }
    }
    let trace = problem["traceId"].as_str().unwrap_or_default();
    if trace.len() != 32 || !trace.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("no traceId".to_owned());
    }
    let member = |name: &str| problem.get(name).is_some();
    let told = match kind {
        "validation-failed" => member("errors"),
        "seats-unavailable" => member("seats") || member("areas"),
        "booking-exists" => member("bookingId"),
        _ => true,
    };
    if !told {
        return Err(format!("{kind} without what belongs to it"));
    }
    errors(problem.get("errors"))
}

/// A field is listed once, with what is wrong with it.
fn errors(errors: Option<&Value>) -> Result<(), String> {
    let Some(errors) = errors else { return Ok(()) };
    let errors = errors.as_array().filter(|errors| !errors.is_empty()).ok_or("errors is no list")?;
    let mut fields: Vec<&str> = errors.iter().filter_map(|error| error["field"].as_str()).collect();
    let worded = errors.iter().all(|error| error["message"].as_str().is_some_and(|words| !words.is_empty()));
    fields.sort_unstable();
    fields.dedup();
    if !worded || fields.len() != errors.len() {
        return Err("a field without a message, without a name or twice".to_owned());
    }
    Ok(())
}

#[test]
fn an_answer_beside_the_contract_is_noticed() {
    let problem = |kind: &str, more: &str| {
        format!(
            "{{\"type\":\"urn:ticketblitz:problem:{kind}\",\"title\":\"t\",\"status\":422,\"detail\":\"d\",\
             \"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\"{more}}}"
        )
    };
    let reply = |status: u16, more: &[(&str, &str)], body: String| {
        let length = body.len().to_string();
        let mut headers = vec![("content-type", "application/problem+json"), ("content-length", &length)];
        headers.extend(more);
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Reply { status, headers, body: body.into_bytes() }
    };
    let field = r#","errors":[{"field":"a","message":"m"}]"#;
    assert_eq!(check(8084, "POST", &reply(422, &[], problem("validation-failed", field))), Ok(()));
    let twice = r#","errors":[{"field":"a","message":"m"},{"field":"a","message":"n"}]"#;
    let mut short = reply(422, &[], problem("validation-failed", field));
    short.body.pop();
    for (method, wrong) in [
        ("POST", reply(422, &[], problem("validation-failed", twice))),
        ("POST", reply(422, &[], problem("validation-failed", ""))),
        ("POST", reply(422, &[], problem("not-found", field))),
        ("POST", reply(404, &[], problem("not-found", ""))),
        ("POST", reply(500, &[], problem("internal", ""))),
        ("POST", reply(503, &[], problem("overloaded", "").replace("422", "503"))),
        (
            "POST",
            reply(405, &[("allow", "GET,POST")], problem("method-not-allowed", "").replace("422", "405")),
        ),
        ("POST", reply(401, &[], problem("unauthenticated", "").replace("422", "401"))),
        ("POST", reply(422, &[], "no JSON".to_owned())),
        ("POST", short),
        ("POST", reply(204, &[], String::new())),
    ] {
        assert!(check(8084, method, &wrong).is_err(), "{wrong:?}");
    }
    let conflict = |kind| reply(409, &[], problem(kind, "").replace("422", "409"));
    for (role, kind, may) in [
        (8089, "not-refundable", true),
        (8080, "not-refundable", false),
        (8085, "not-refundable", false),
        (8081, "email-taken", true),
        (8080, "email-taken", true),
        (8083, "email-taken", false),
    ] {
        assert_eq!(check(role, "POST", &conflict(kind)).is_ok(), may, "{kind} of {role}");
    }
}
