//! The description of a role's API, and a page to try it.

use axum::Router;
use http::Method;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Info, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

/// What operations that take an access token call it.
const BEARER: &str = "bearer";

/// Serves `/openapi.json` and, for people, `/docs`. The page's files are part of the binary.
pub fn routes(openapi: OpenApi) -> Router {
    SwaggerUi::new("/docs").url("/openapi.json", openapi).into()
}

/// Says whose description it is, and of each operation whether it takes a token, so that the page can be given one.
pub fn introduce(
    openapi: &mut OpenApi,
    title: &str,
    version: &str,
    takes_token: impl Fn(&Method, &str) -> bool,
) {
    openapi.info = Info::new(title, version);
    let mut any = false;
    for (path, item) in &mut openapi.paths.paths {
        let operations = [
            (Method::GET, &mut item.get),
            (Method::PUT, &mut item.put),
            (Method::POST, &mut item.post),
            (Method::DELETE, &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation
                && takes_token(&method, path)
            {
                operation.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
                any = true;
            }
        }
    }
    if any {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    }
}
