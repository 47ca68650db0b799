//! JSON bodies.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Path;

use crate::layers::body;
use crate::problem::{Problem, kinds};

/// A JSON body, at most [`body::MOST`] bytes: 415 without a JSON content type, 413 above that size, 400 for
/// what is not JSON or of a wrong type, naming the field. Unknown fields are ignored. Also a JSON answer.
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
    let malformed = |detail: String| Problem::new(kinds::MALFORMED_REQUEST, detail);
    // Also within fields that nobody reads.
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("the body is not UTF-8".to_owned()))?;
    // An array would be read as a struct's fields in their order; a request is an object.
    if !text.trim_start().starts_with('{') {
        return Err(malformed("the body is no JSON object".to_owned()));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let message = error.inner().to_string();
        if error.inner().is_data() && names_a_field(error.path()) {
            let field = error.path().to_string();
            malformed(format!("{field} is of a wrong type")).field(field, message)
        } else {
            malformed(format!("the body cannot be read: {message}"))
        }
    })?;
    reader.end().map_err(|error| malformed(format!("the body cannot be read: {error}")))?;
    Ok(value)
}

fn names_a_field(path: &Path) -> bool {
    path.iter().next().is_some()
}
