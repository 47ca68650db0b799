//! Request bodies of a bounded size, read before the handler starts.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use http::Extensions;
use http_body_util::BodyExt;

use crate::problem::{Problem, kinds};

/// The largest body of a client, in bytes.
pub const MOST: usize = 64 * 1_024;
/// The largest body that one service sends another: the layout of a stadium has a hundred thousand seats.
const MOST_INTERNAL: usize = 4 * 1_024 * 1_024;
/// A client that sends more does not read before it has sent: so much is read off and thrown away to answer it.
const READ_OFF: usize = 1_024 * 1_024;
/// For the whole body where the server does not say how long.
const PATIENCE: Duration = Duration::from_secs(30);

/// For the whole body of a request: who drips it in holds a connection, and no more. The server leaves it there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyPatience(pub(crate) Duration);

/// That the body was too large, and has been thrown away.
#[derive(Debug, Clone, Copy)]
struct TooLarge(usize);

/// Reads the body, so that no handler waits for a client in the middle of its work. One that is too large is
/// refused by whoever would read it: who may not ask at all is told so first.
pub(super) async fn bounded(request: Request) -> Result<Request, Problem> {
    let (mut head, body) = request.into_parts();
    let most = most(head.uri.path());
    let patience = head.extensions.get().map_or(PATIENCE, |BodyPatience(patience)| *patience);
    let body = if let Some(bytes) = read_within(body, most, patience).await? {
        Body::from(bytes)
    } else {
        head.extensions.insert(TooLarge(most));
        Body::empty()
    };
    Ok(Request::from_parts(head, body))
}

/// Refuses a request whose body was too large.
///
/// # Errors
/// 413.
pub fn refuse_too_large(extensions: &Extensions) -> Result<(), Problem> {
    match extensions.get() {
        Some(TooLarge(most)) => Err(too_large(*most)),
        None => Ok(()),
    }
}

pub(crate) fn too_large(most: usize) -> Problem {
    Problem::new(kinds::TOO_LARGE, format!("a body has at most {most} bytes"))
}

/// How large a body may be that is sent to this path.
pub(crate) fn most(path: &str) -> usize {
    if path.starts_with("/internal/") { MOST_INTERNAL } else { MOST }
}

/// The whole body, or none if it has more than `most` bytes.
///
/// # Errors
/// 400 if it breaks off or drips in for too long.
pub(crate) async fn read(body: Body, most: usize) -> Result<Option<Bytes>, Problem> {
    read_within(body, most, PATIENCE).await
}

async fn read_within(body: Body, most: usize, patience: Duration) -> Result<Option<Bytes>, Problem> {
    let malformed = |detail: &str| Problem::new(kinds::MALFORMED_REQUEST, detail);
    match tokio::time::timeout(patience, collect(body, most)).await {
        Ok(read) => read.map_err(|_| malformed("the body breaks off")),
        Err(_) => Err(malformed("the body did not arrive in time")),
    }
}

/// The bytes, or none if they are too many.
async fn collect(mut body: Body, most: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut kept = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen += data.len();
        if seen <= most {
            kept.extend_from_slice(&data);
        } else if seen > most.max(READ_OFF) {
            break;
        }
    }
    Ok((seen <= most).then(|| kept.freeze()))
}
