//! The HTTP side: customers look at their notifications; mails that were left as files can be read.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json as JsonBody, Router};
use contract::NotificationId;
use contract::notification::{Notification as NotificationBody, NotificationStatus};
use platform::Problem;
use platform::auth::Caller;
use platform::extract::{Listed, Parameters, Path, Query};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::{Notification, Sent, Status};
use crate::mailer::Mailer;
use crate::store::{Store, StoreError};

/// Mails on one page.
const SHOWN: u32 = 200;

#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) mailer: Arc<dyn Mailer>,
}

pub(crate) fn router(state: AppState) -> (Router, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(list))
        // Pages for people, no part of the API.
        .route("/mail", get(mails))
        .route("/mail/{id}", get(mail))
        .with_state(state)
        .split_for_parts()
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::of_store(&error, error.is_unavailable())
    }
}

impl From<Notification> for NotificationBody {
    fn from(notification: Notification) -> Self {
        Self {
            id: notification.id,
            booking_id: notification.booking,
            kind: notification.kind.to_string(),
            status: match notification.status {
                Status::Pending => NotificationStatus::Pending,
                Status::Sent => NotificationStatus::Sent,
                Status::Failed => NotificationStatus::Failed,
            },
            sent_at: notification.sent.map(|sent| sent.at),
        }
    }
}

/// The caller's notifications, newest first.
#[utoipa::path(get, path = "/api/notifications", tag = "notifications",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if absent"),
        ("cursor" = Option<String>, Query, description = "As the page before gave it"),
    ),
    responses((status = 200, body = Listed<NotificationBody>), (status = 400, description = "malformed-request")),
)]
async fn list(
    caller: Caller,
    State(state): State<AppState>,
    query: Query,
) -> Result<JsonBody<Listed<NotificationBody>>, Problem> {
    let page = query.read(Parameters::page)?;
    let found = state.store.list(caller.user, page.after, page.one_more()).await?;
    Ok(JsonBody(Listed::page(found, page.limit, |notification| notification.id, NotificationBody::from)))
}

/// The mails that were sent, newest first.
async fn mails(State(state): State<AppState>) -> Result<Response, Problem> {
    let sent = state.store.sent_lately(SHOWN).await?;
    let rows: String = sent.iter().filter_map(|mail| Some(row(mail.id, mail.sent.as_ref()?))).collect();
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>Mail sent</title>\
         <style>body{{font:16px sans-serif;margin:2em}}td{{padding:.3em 1em}}</style>\
         <h1>Mail sent</h1><table><tr><th>when<th>to<th>subject</tr>{rows}</table>"
    );
    Ok(([(CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'")], Html(page))
        .into_response())
}

fn row(id: NotificationId, sent: &Sent) -> String {
    let (to, subject) = (escaped(&sent.recipient), escaped(&sent.subject));
    format!("<tr><td>{}<td>{to}<td><a href=\"/mail/{id}\">{subject}</a></tr>", sent.at)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// One mail as it was sent.
async fn mail(State(state): State<AppState>, Path(id): Path<NotificationId>) -> Result<Response, Problem> {
    let mail = state.mailer.sent(id).await.map_err(|error| Problem::of_store(&error, true))?;
    let mail = mail.ok_or_else(|| Problem::not_found(format!("there is no mail {id}")))?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], mail).into_response())
}
