//! The gateway's one handler: who may pass, how often, and where to.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CONNECTION, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use axum::response::{IntoResponse, Response};
use platform::auth::{AuthContext, Caller, Staff};
use platform::layers::body;
use platform::server::PeerAddress;
use platform::{Problem, kinds};

use crate::limit::Payer;
use crate::{Access, RateLimit, Route, access};

/// Meant for one connection, not for the next one (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 6] =
    [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, HeaderName::from_static("keep-alive")];

#[derive(Debug)]
struct Gateway {
    routes: Vec<Route>,
    auth: AuthContext,
    limit: RateLimit,
}

/// The gateway's routes: everything that a [`Route`] names, for callers who may pass.
pub fn router(routes: Vec<Route>, auth: AuthContext, limit: RateLimit) -> Router {
    Router::new().fallback(forward).with_state(Arc::new(Gateway { routes, auth, limit }))
}

async fn forward(State(gateway): State<Arc<Gateway>>, request: Request) -> Result<Response, Problem> {
    let path = request.uri().path();
    let route =
        gateway.route(path).ok_or_else(|| Problem::not_found(format!("there is nothing at {path}")))?;
    let payer = match access(request.method(), path) {
        Access::Token => Payer::User(gateway.caller(request.headers()).await?.user),
        Access::Staff => Payer::User(Staff::check(gateway.caller(request.headers()).await?)?.user),
        Access::Public => Payer::Address(address(&request)),
    };
    gateway.limit.take(payer).map_err(|wait| {
        Problem::new(kinds::RATE_LIMITED, "too many requests; wait before the next").retry_after(wait)
    })?;
    body::refuse_too_large(request.extensions())?;
    let answer = route.transport.send(without_hop_by_hop(request)).await.map_err(|error| {
        tracing::warn!(role = route.role, %error, "no answer");
        Problem::unavailable(format_args!("the {} service", route.role))
    })?;
    let (mut head, body) = answer.into_parts();
    strip_hop_by_hop(&mut head.headers);
    Ok((head, Body::from(body)).into_response())
}

impl Gateway {
    fn route(&self, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| {
            path.strip_prefix(route.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        Caller::from_headers(headers, &self.auth).await
    }
}

/// Where the request came from; the machine itself if it came from within the process.
fn address(request: &Request) -> IpAddr {
    request.extensions().get::<PeerAddress>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip())
}

fn without_hop_by_hop(mut request: Request) -> Request<Body> {
    strip_hop_by_hop(request.headers_mut());
    request.headers_mut().remove(HOST);
    // What the layers of this role left for its own handlers is not the next role's.
    request.extensions_mut().clear();
    request
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
