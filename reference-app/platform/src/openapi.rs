//! The description of a role's API, and a page to try it.

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

/// Serves `/openapi.json` and, for people, `/docs`. The page's files are part of the binary.
pub fn routes(openapi: OpenApi) -> Router {
    SwaggerUi::new("/docs").url("/openapi.json", openapi).into()
}
