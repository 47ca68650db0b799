//! Answers that come from no application: a problem document all the same.

use axum::response::IntoResponse;
use http::HeaderMap;

use crate::problem::Problem;
use crate::telemetry::{self, TRACEPARENT, TraceContext};

/// The whole answer as it goes over the wire, the connection's last.
pub(super) fn bytes(problem: Problem) -> Vec<u8> {
    let context = TraceContext::root();
    let status = problem.status();
    let (body, headers) = telemetry::within(context, || {
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        (body, problem.into_response().into_parts().0.headers)
    });
    let reason = status.canonical_reason().unwrap_or_default();
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    write(&mut out, &headers);
    let rest = format!(
        "{TRACEPARENT}: {context}\r\nx-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    out.extend(rest.bytes());
    out.extend(body);
    out
}

fn write(out: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        out.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
}
