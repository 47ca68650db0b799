//! The HTTP side: everybody reads, organizers write.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json as JsonBody, Router};
use contract::event::{Event, EventRequest, EventSummary, Layout};
use platform::Problem;
use platform::auth::{ServiceCaller, Staff};
use platform::extract::{Json, Listed, Path, Query};
use ticketblitz_core::EventId;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::catalog::{Catalog, Shown};
use crate::store;

const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

pub(crate) fn router(catalog: Arc<Catalog>) -> (Router, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, change, cancel))
        .routes(routes!(layout))
        .routes(routes!(summary))
        .with_state(catalog)
        .split_for_parts()
}

/// Events in the order of their start.
#[utoipa::path(get, path = "/api/events", tag = "events",
    params(
        ("filter" = Option<String>, Query,
            description = "`upcoming`: not begun, not cancelled; `available`: on sale, with places left"),
        ("name" = Option<String>, Query, description = "Part of the name, case aside"),
        ("venue" = Option<String>, Query, description = "Part of the venue, case aside"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if absent"),
        ("cursor" = Option<String>, Query, description = "The nextCursor of the page before")),
    responses((status = 200, body = Listed<Event>), (status = 400, description = "malformed-request")))]
async fn list(State(catalog): State<Arc<Catalog>>, query: Query) -> Result<Response, Problem> {
    let (wanted, limit) = query.read(|parameters| {
        let filter = parameters.read("filter", "must be upcoming or available", filter);
        let part = |text: String| Some(text).filter(|text| !text.is_empty());
        let name = parameters.text("name").and_then(part);
        let venue = parameters.text("venue").and_then(part);
        let page = parameters.page();
        (store::Query { filter, name, venue, limit: page.one_more(), after: page.after }, page.limit)
    })?;
    let found = catalog.list(wanted).await?;
    let now = catalog.clock.now();
    let listed = Listed::page(
        found.iter().collect(),
        limit,
        |shown: &&Arc<Shown>| (shown.record.spec.starts_at, shown.record.id),
        |shown| shown.event(now),
    );
    Ok(JsonBody(listed).into_response())
}

fn filter(text: &str) -> Option<store::Filter> {
    match text {
        "upcoming" => Some(store::Filter::Upcoming),
        "available" => Some(store::Filter::Available),
        _ => None,
    }
}

/// One event.
#[utoipa::path(get, path = "/api/events/{id}", tag = "events",
    params(("id" = String, Path, description = "The event")),
    responses((status = 200, body = Event), (status = 404, description = "not-found")))]
async fn get(State(catalog): State<Arc<Catalog>>, Path(id): Path<EventId>) -> Result<Response, Problem> {
    Ok((JSON, catalog.answer(id).await?).into_response())
}

/// The static layout: which places there are, and what they cost.
#[utoipa::path(get, path = "/api/events/{id}/seats", tag = "events",
    params(("id" = String, Path, description = "The event"),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of a layout that is known already")),
    responses(
        (status = 200, body = Layout, headers(("ETag" = String))),
        (status = 304, description = "The layout is still that one"),
        (status = 404, description = "not-found"),
    ))]
async fn layout(
    State(catalog): State<Arc<Catalog>>,
    Path(id): Path<EventId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shown = catalog.get(id).await?;
    let layout = shown.layout();
    // Kept, but asked for again each time: before the sale it may change.
    let caching = [(header::ETAG, layout.tag.as_str()), (header::CACHE_CONTROL, "public, no-cache")];
    if is_known(&headers, &layout.tag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    Ok((caching, JSON, layout.json.clone()).into_response())
}

/// Makes an event. It can be held as soon as this is answered.
#[utoipa::path(post, path = "/api/events", tag = "events", request_body = EventRequest,
    responses(
        (status = 201, body = Event),
        (status = 401, description = "unauthenticated"),
        (status = 403, description = "forbidden: takes the role ORGANIZER or ADMIN"),
        (status = 422, description = "validation-failed, every wrong field listed"),
        (status = 503, description = "dependency-unavailable"),
    ))]
async fn create(
    State(catalog): State<Arc<Catalog>>,
    Staff(caller): Staff,
    Json(request): Json<EventRequest>,
) -> Result<Response, Problem> {
    let created = catalog.create(&caller, &request).await?;
    let location = [(header::LOCATION, format!("/api/events/{}", created.id))];
    Ok((StatusCode::CREATED, location, JsonBody(created.event(catalog.clock.now()))).into_response())
}

/// Changes an event: all of it is sent.
#[utoipa::path(put, path = "/api/events/{id}", tag = "events", request_body = EventRequest,
    params(("id" = String, Path, description = "The event")),
    responses(
        (status = 200, body = Event),
        (status = 401, description = "unauthenticated"),
        (status = 403, description = "forbidden: another organizer's"),
        (status = 404, description = "not-found"),
        (status = 409, description = "event-on-sale: what is fixed would change; sales-closed: it was cancelled"),
        (status = 422, description = "validation-failed, every wrong field listed"),
    ))]
async fn change(
    State(catalog): State<Arc<Catalog>>,
    Staff(caller): Staff,
    Path(id): Path<EventId>,
    Json(request): Json<EventRequest>,
) -> Result<JsonBody<Event>, Problem> {
    let changed = catalog.change(&caller, id, &request).await?;
    Ok(JsonBody(changed.event(catalog.clock.now())))
}

/// Cancels an event: its sale ends, what is paid is refunded.
#[utoipa::path(delete, path = "/api/events/{id}", tag = "events",
    params(("id" = String, Path, description = "The event")),
    responses(
        (status = 204, description = "It is cancelled, now or before"),
        (status = 401, description = "unauthenticated"),
        (status = 403, description = "forbidden: another organizer's"),
        (status = 404, description = "not-found"),
    ))]
async fn cancel(
    State(catalog): State<Arc<Catalog>>,
    Staff(caller): Staff,
    Path(id): Path<EventId>,
) -> Result<StatusCode, Problem> {
    catalog.cancel(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What other services have to know of an event.
#[utoipa::path(get, path = "/internal/events/{id}", tag = "internal",
    params(("id" = String, Path, description = "The event")),
    responses(
        (status = 200, body = EventSummary),
        (status = 401, description = "unauthenticated"),
        (status = 403, description = "forbidden: a user's token"),
        (status = 404, description = "not-found"),
    ))]
async fn summary(
    _service: ServiceCaller,
    State(catalog): State<Arc<Catalog>>,
    Path(id): Path<EventId>,
) -> Result<JsonBody<EventSummary>, Problem> {
    Ok(JsonBody(catalog.get(id).await?.record.summary()))
}

/// Whether one of the tags in `If-None-Match` is this one (RFC 9110: compared weakly), or all are welcome.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known == tag)
}
