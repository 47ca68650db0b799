//! Moments and traces.

use std::time::Duration;

use platform::telemetry::TraceContext;
use serde_json::json;
use ticketblitz_core::Timestamp;

/// A moment is written as it reads back, and time stops at its ends.
pub(crate) fn timestamp(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let in_json: Option<Timestamp> = serde_json::from_value(json!(text)).ok();
    let Ok(moment) = text.parse::<Timestamp>() else { return assert_eq!(in_json, None) };
    assert_eq!(in_json, Some(moment));
    assert_eq!(moment.to_string().parse(), Ok(moment));
    assert_eq!(Timestamp::from_micros(moment.as_micros()), moment);
    for step in [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(1 << 40), Duration::MAX] {
        let (later, earlier) = (moment + step, moment - step);
        assert!(earlier <= moment && moment <= later);
        assert_eq!(later.to_string().parse(), Ok(later));
        assert_eq!(earlier.to_string().parse(), Ok(earlier));
        assert_eq!(earlier.since(later), Duration::ZERO);
        assert!(later.since(moment) <= step);
    }
}

/// A trace context goes on under its id; what is none begins another.
pub(crate) fn trace(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let next = TraceContext::continued(Some(text));
    assert_eq!(next.to_string().parse(), Ok(next));
    if let Ok(sent) = text.parse::<TraceContext>() {
        assert_eq!(sent.to_string().parse(), Ok(sent));
        assert_eq!(next.trace_id(), sent.trace_id());
        assert!(text.contains(&sent.trace_id()));
    }
}
