//! Clients as they are on a bad day: slow, endless, cut off, in a crowd, or none that speak HTTP.

mod crowd;
mod framing;
mod slow;

use serde_json::Value;

use crate::common::wire::{Reply, Wire};
use crate::common::{Buyer, System};

/// A refusal as the contract writes it, of this status and kind.
#[track_caller]
fn refused(reply: &Reply, status: u16, kind: &str) {
    assert_eq!((reply.status, &*reply.kind()), (status, kind), "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{reply:?}");
    let problem = reply.json();
    assert_eq!(problem["status"], status, "{problem}");
    for member in ["title", "detail", "traceId"] {
        assert!(problem[member].is_string(), "no {member}: {problem}");
    }
}

fn gateway(system: &System) -> u16 {
    8080 + system.offset
}

async fn connected(system: &System) -> Wire {
    Wire::connect(gateway(system)).await
}

/// A POST with a JSON body, its head and its body.
fn post(path: &str, buyer: &Buyer, more: &str, body: &str) -> (String, String) {
    let token = buyer.token.as_deref().expect("a token");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{more}\r\n",
        body.len()
    );
    (head, body.to_owned())
}

fn id(value: &Value) -> &str {
    value.as_str().expect("an id")
}
