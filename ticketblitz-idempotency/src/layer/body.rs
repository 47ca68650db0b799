//! Bodies read whole, and answers to and from what is stored.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, DATE, HeaderMap, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::response::Parts;
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, Limited};

use super::Refusal;
use crate::StoredResponse;

/// How much of a body that is too large is read off, so that a client that sends before it reads gets the
/// answer and no broken connection.
const READ_OFF: usize = 1024 * 1024;

/// The whole body, of at most `limit` bytes.
pub(super) async fn read(body: Body, limit: usize, at_most: Duration) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limit.max(READ_OFF) as u64 {
        return Err(Refusal::TooLarge);
    }
    tokio::time::timeout(at_most, read_capped(body, limit)).await.unwrap_or(Err(Refusal::TooSlow))
}

async fn read_capped(mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut read = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        // Trailers are nothing that handlers see.
        let Ok(data) = frame.map_err(|_| Refusal::Incomplete)?.into_data() else { continue };
        length += data.len();
        if length <= limit {
            read.extend_from_slice(&data);
        } else if length > limit.max(READ_OFF) {
            break;
        }
    }
    if length > limit { Err(Refusal::TooLarge) } else { Ok(read.freeze()) }
}

/// Reads the answer whole: the response to pass on and what to store of it. `None` if it is larger than `limit`
/// or breaks off.
pub(super) async fn keep(response: Response, limit: usize) -> Option<(Response, StoredResponse)> {
    let (parts, body) = response.into_parts();
    let body = match Limited::new(body, limit).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => {
            tracing::error!(%error, limit, "cannot keep an answer");
            return None;
        }
    };
    let stored = stored(&parts, &body);
    Some((Response::from_parts(parts, Body::from(body)), stored))
}

fn stored(parts: &Parts, body: &Bytes) -> StoredResponse {
    let kept = |name: &HeaderName| !is_of_one_connection(name, &parts.headers);
    let headers = parts.headers.iter().filter(|(name, _)| kept(name));
    StoredResponse {
        status: parts.status.as_u16(),
        headers: headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect(),
        body: body.to_vec(),
    }
}

/// Hop-by-hop (RFC 9110 section 7.6.1), or the date of an answer, which is that of the replay.
fn is_of_one_connection(name: &HeaderName, headers: &HeaderMap) -> bool {
    let listed = || {
        let lists = headers.get_all(CONNECTION).into_iter().filter_map(|list| list.to_str().ok());
        lists.flat_map(|list| list.split(',')).any(|item| item.trim().eq_ignore_ascii_case(name.as_str()))
    };
    [CONNECTION, DATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(
            name.as_str(),
            "keep-alive" | "proxy-connection" | "proxy-authenticate" | "proxy-authorization"
        )
        || listed()
}

/// The answer again.
pub(super) fn replay(stored: StoredResponse) -> Response {
    let mut response = stored.into_response();
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}

impl IntoResponse for StoredResponse {
    /// A status or header that HTTP does not have, which the layer never stores, becomes 500 or is left out.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
