//! W3C trace context: <https://www.w3.org/TR/trace-context/>.

use std::fmt;
use std::future::Future;
use std::str::FromStr;

use http::HeaderName;

/// The header that carries the context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// Which trace something belongs to, and which part of it this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
}

/// Why a text is no trace context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct ParseTraceError;

impl TraceContext {
    /// A new trace.
    #[must_use]
    pub fn root() -> Self {
        // Zero is no id; the chance is the same as never.
        Self { trace: rand::random::<u128>().max(1), span: rand::random::<u64>().max(1), flags: 1 }
    }

    /// The next part of the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span: rand::random::<u64>().max(1), ..self }
    }

    /// The context that a caller sent, continued; without one, a new trace.
    #[must_use]
    pub fn continued(traceparent: Option<&str>) -> Self {
        traceparent.and_then(|text| text.parse().ok()).map_or_else(Self::root, Self::child)
    }

    /// 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

impl FromStr for TraceContext {
    type Err = ParseTraceError;

    fn from_str(text: &str) -> Result<Self, ParseTraceError> {
        let mut parts = text.split('-');
        let mut hex = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits).ok_or(ParseTraceError)?;
            let lower = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if lower {
                u128::from_str_radix(part, 16).map_err(|_| ParseTraceError)
            } else {
                Err(ParseTraceError)
            }
        };
        let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        // A later version may say more after the flags; what this one says stands where it stood.
        let known = version == 0 && parts.next().is_none() || (1..0xff).contains(&version);
        if !known || trace == 0 || span == 0 {
            return Err(ParseTraceError);
        }
        let span = u64::try_from(span).map_err(|_| ParseTraceError)?;
        let flags = u8::try_from(flags).map_err(|_| ParseTraceError)?;
        Ok(Self { trace, span, flags })
    }
}

/// The context of what runs now.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.try_get().ok()
}

/// The trace of what runs now, 32 hexadecimal digits.
#[must_use]
pub fn trace_id() -> Option<String> {
    current().map(|context| context.trace_id())
}

/// The context of what runs now as a `traceparent`: for an event's envelope, or a call.
#[must_use]
pub fn traceparent() -> Option<String> {
    current().map(|context| context.to_string())
}

/// Runs `work` as part of a trace. A task that `work` spawns is outside of it, unless it is scoped again.
pub fn scope<F: Future>(context: TraceContext, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, work)
}

/// Does `work` at once as part of a trace.
pub fn within<R>(context: TraceContext, work: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(context, work)
}

/// Runs `work` as the next part of the trace that a message names, or as a new one.
pub fn in_trace<F: Future>(traceparent: Option<&str>, work: F) -> impl Future<Output = F::Output> + use<F> {
    scope(TraceContext::continued(traceparent), work)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[tokio::test]
    async fn a_callers_trace_goes_on_with_a_new_part() {
        let (id, parent) = in_trace(Some(SENT), async { (trace_id(), traceparent()) }).await;
        assert_eq!(id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let parent = parent.expect("a context");
        assert_ne!(parent, SENT);
        assert!(parent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{parent}");
        assert_eq!(current(), None);
    }

    #[test]
    fn what_is_no_context_begins_a_new_trace() {
        let sent: TraceContext = SENT.parse().expect("a context");
        assert_eq!(sent.to_string(), SENT);
        for text in [
            "",
            "00",
            "00-0-0-0",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-ééééééééééééééé4736-00f067aa0ba902b7-01",
        ] {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
            assert_ne!(TraceContext::continued(Some(text)).trace_id(), sent.trace_id());
        }
        assert!(
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more".parse::<TraceContext>().is_ok()
        );
    }
}
