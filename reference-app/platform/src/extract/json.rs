//! JSON bodies.

mod wrong;

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::layers::body;
use crate::problem::{Problem, kinds};

/// A JSON body, at most [`body::MOST`] bytes: 415 without a JSON content type, 413 above that size, 400 for
/// what is not JSON or of a wrong type, naming each such field. Unknown fields are ignored. Also a JSON answer.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "send the body as Content-Type: application/json";
            return Err(Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        body::refuse_too_large(request.extensions())?;
        let most = body::most(request.uri().path());
        let bytes = body::read(request.into_body(), most).await?.ok_or_else(|| body::too_large(most))?;
        parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// `application/json`, or a type made of it, with parameters or without.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let malformed = |detail: &str| Problem::new(kinds::MALFORMED_REQUEST, detail);
    // Also within fields that nobody reads.
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("the body is not UTF-8"))?;
    // An array would be read as a struct's fields in their order; a request is an object.
    if !text.trim_start().starts_with('{') {
        return Err(malformed("the body is no JSON object"));
    }
    match serde_json::from_str(text) {
        Ok(read) => Ok(read),
        Err(error) if error.is_data() => Err(wrong::fields::<T>(text)),
        Err(error) => Err(not_json(&error)),
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    let detail = if error.is_eof() {
        "the body is no JSON: it breaks off".to_owned()
    } else {
        // A syntax error, a number or a nesting beyond what is read: the parser says which, and where.
        format!("the body cannot be read as JSON: {error}")
    };
    Problem::new(kinds::MALFORMED_REQUEST, detail)
}
