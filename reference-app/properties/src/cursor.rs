//! Pages of lists.

use axum::extract::FromRequestParts;
use futures::FutureExt;
use http::Uri;
use platform::Problem;
use platform::extract::{Listed, Page, Query};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ticketblitz_core::{BookingId, EventId, Timestamp};

fn page<K: DeserializeOwned>(query: &str) -> Option<Result<Page<K>, Problem>> {
    let uri: Uri = format!("/things?{query}").parse().ok()?;
    let (mut parts, ()) = http::Request::builder().uri(uri).body(()).ok()?.into_parts();
    let Ok(query) = Query::from_request_parts(&mut parts, &()).now_or_never().expect("nothing to wait for");
    Some(query.read(|parameters| parameters.page()))
}

/// Any query is a page or is malformed; and a page leads to the one after it.
pub(crate) fn cursor(bytes: &[u8]) {
    let Some(query) = crate::text(bytes) else { return };
    asks::<(Timestamp, EventId)>(query);
    asks::<BookingId>(query);
    asks::<String>(query);
    // A position of any text is found again, as long as a URI can carry it.
    if query.len() < 10_000 {
        leads_on(query.to_owned());
    }
}

fn asks<K: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(query: &str) {
    match page::<K>(query) {
        None => {}
        Some(Err(problem)) => {
            assert_eq!(problem.status(), 400, "{problem}");
            assert!(!problem.field_errors().is_empty(), "{problem}");
        }
        Some(Ok(asked)) => {
            assert!((1..=200).contains(&asked.limit) && asked.one_more() == asked.limit + 1);
            if let Some(key) = asked.after {
                leads_on(key);
            }
        }
    }
}

fn leads_on<K: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(key: K) {
    let listed = Listed::page(vec![1, 2], 1, |_| &key, |n| n);
    let next = listed.next_cursor.expect("another page");
    let next = page::<K>(&format!("cursor={next}")).expect("a query").expect("a page");
    assert_eq!(next.after, Some(key));
}
