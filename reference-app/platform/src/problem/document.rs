//! The JSON of a problem, written and read back.

use std::borrow::Cow;

use http::StatusCode;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{FieldError, Inner, Problem, TYPE_PREFIX};
use crate::telemetry;

/// The shape of every error, for the API's description. Kinds add members of their own.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDocument {
    /// `urn:ticketblitz:problem:<kind>`
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every problem of this type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, for a person.
    pub detail: String,
    /// What to look for in the logs.
    pub trace_id: String,
    /// Every wrong field, when the request's own content is wrong.
    pub errors: Option<Vec<FieldError>>,
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Inner { name, title, status, detail, errors, members, trace_id, .. } = &*self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("{TYPE_PREFIX}{name}"))?;
        map.serialize_entry("title", title)?;
        map.serialize_entry("status", &status.as_u16())?;
        map.serialize_entry("detail", detail)?;
        map.serialize_entry("traceId", &telemetry::trace_id().or_else(|| trace_id.clone()))?;
        if !errors.is_empty() {
            map.serialize_entry("errors", errors)?;
        }
        for (name, value) in members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Problem {
    /// The problem in another service's answer, with all its members, so that it can be passed on. `None` if
    /// the body is no problem document of ours.
    #[must_use]
    pub fn from_json(status: StatusCode, body: &[u8]) -> Option<Self> {
        let mut members: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let name = text("type")?.strip_prefix(TYPE_PREFIX)?.to_owned();
        let title = text("title").unwrap_or_default();
        let detail = text("detail").unwrap_or_default();
        let trace_id = text("traceId");
        members.remove("status");
        let errors = members.remove("errors");
        let errors = errors.and_then(|errors| serde_json::from_value(errors).ok()).unwrap_or_default();
        Some(Self(Box::new(Inner {
            name: Cow::Owned(name),
            title: Cow::Owned(title),
            status,
            detail,
            errors,
            members,
            retry_after: None,
            trace_id,
        })))
    }
}
