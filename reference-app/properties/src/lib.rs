//! What holds for every parser of ours whatever it is given: it panics at nothing, what it reads it writes again,
//! and what is equal is equal for everybody. A property panics where it does not hold.
//!
//! `tests/hold.rs` tries each with generated input in the ordinary tests; `scripts/fuzz` lets a fuzzer search.

mod config;
mod cursor;
mod envelope;
mod fingerprint;
mod header;
mod money;
mod names;
mod time;

/// A property of bytes.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// What it is called.
    pub name: &'static str,
    /// Panics unless it holds.
    pub check: fn(&[u8]),
    /// What is read without complaint: to begin from.
    pub seeds: &'static [&'static str],
}

const UUID: &str = "018f0000-0000-7000-8000-000000000000";

/// All of them.
pub const ALL: [Property; 14] = [
    Property { name: "seat", check: names::seat, seeds: &["A1", "Z99 AA1", "ZZZZ99999", "A2 A10"] },
    Property {
        name: "id",
        check: names::id,
        seeds: &[
            UUID,
            "018F0000-0000-7000-8000-00000000000A",
            "018f0000000070008000000000000000",
            "{018f0000-0000-7000-8000-000000000000}",
            "urn:uuid:018f0000-0000-7000-8000-000000000000",
        ],
    },
    Property {
        name: "money",
        check: money::money,
        seeds: &["INR 10000 3", "JPY -1 4294967295", "KWD 9223372036854775807 2"],
    },
    Property {
        name: "timestamp",
        check: time::timestamp,
        seeds: &["2026-01-31T20:00:00Z", "9999-12-31T23:59:59.999999+05:30"],
    },
    Property { name: "duration", check: config::duration, seeds: &["500ms", "600s", "10m", "2h", "30d"] },
    Property {
        name: "config",
        check: config::file,
        seeds: &["hold_ttl = \"5s\"\nport_offset = 7\nsample_data = false\n", "psp_url = '''x'''"],
    },
    Property {
        name: "cursor",
        check: cursor::cursor,
        seeds: &["limit=2&cursor=WyJhIiwxXQ", "cursor=%22&limit=200", "limit=1&limit=2"],
    },
    Property {
        name: "traceparent",
        check: time::trace,
        seeds: &[
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ],
    },
    Property {
        name: "idempotency-key",
        check: header::key,
        seeds: &["8e03978e-40d5", "\"a \\\"b\\\" \\\\ c\"", " k "],
    },
    Property {
        name: "prefer",
        check: header::prefer,
        seeds: &[
            "wait=10",
            "respond-async, WAIT = 7",
            "return=minimal; x=1, wait=\"5\"; y\nfoo=\"a, wait=9\"",
        ],
    },
    Property {
        name: "fingerprint",
        check: fingerprint::of_one,
        seeds: &[
            "{\"a\":1,\"b\":{\"c\":[true,null],\"d\":\"x\\u0041\"}}",
            "[1, 1.0, 1e0]",
            "{\"a\":1,\"a\":2}",
        ],
    },
    Property {
        name: "fingerprints",
        check: fingerprint::of_two,
        seeds: &["{\"a\":1,\"b\":2}\0{\"b\":2,\"a\":1}", "[1]\0[1.0]", "\"\\u0041\"\0\"A\""],
    },
    Property { name: "envelope", check: envelope::envelope, seeds: &[ENVELOPE] },
    Property {
        name: "problem",
        check: envelope::problem,
        seeds: &[
            "{\"type\":\"urn:ticketblitz:problem:not-found\",\"title\":\"t\",\"status\":404,\"detail\":\"d\",\"traceId\":\"x\",\"errors\":[{\"field\":\"a\",\"message\":\"b\"}],\"limit\":3}",
        ],
    },
];

const ENVELOPE: &str = r#"{"id":"018f0000-0000-7000-8000-000000000000","type":"booking.created","schemaVersion":1,"occurredAt":"2026-01-31T20:00:00Z","key":"k","sequence":1,"trace":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data":{"bookingId":"018f0000-0000-7000-8000-000000000000","userId":"018f0000-0000-7000-8000-000000000000","eventId":"018f0000-0000-7000-8000-000000000000","amount":100,"currency":"EUR","paymentMethod":"pm_ok","expiresAt":"2026-01-31T20:00:00Z","quantity":1,"wasConfirmed":true,"seatIds":["A1"],"section":null,"tickets":[],"paymentId":"018f0000-0000-7000-8000-000000000000","reason":"r","providerChargeId":null,"status":"FAILED"}}"#;

/// The bytes as text; nothing to check otherwise.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
