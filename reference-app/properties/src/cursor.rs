//! Pages of lists.

use axum::extract::FromRequestParts;
use futures::FutureExt;
use http::Uri;
use platform::Problem;
use platform::extract::{Listed, Page};
use ticketblitz_core::{BookingId, EventId, Timestamp};

fn page(query: &str) -> Option<Result<Page, Problem>> {
    let uri: Uri = format!("/things?{query}").parse().ok()?;
    let (mut parts, ()) = http::Request::builder().uri(uri).body(()).ok()?.into_parts();
    let page = Page::from_request_parts(&mut parts, &()).now_or_never();
    Some(page.expect("nothing to wait for"))
}

/// Any query is a page or is malformed; and a page leads to the one after it.
pub(crate) fn cursor(bytes: &[u8]) {
    let Some(query) = crate::text(bytes) else { return };
    let Some(page_asked) = page(query) else { return };
    match page_asked {
        Err(problem) => assert_eq!(problem.status(), 400, "{problem}"),
        Ok(asked) => {
            assert!((1..=200).contains(&asked.limit) && asked.one_more() == asked.limit + 1);
            leads_on(asked.after::<(Timestamp, EventId)>());
            leads_on(asked.after::<BookingId>());
            leads_on(asked.after::<String>());
        }
    }
    // A position of any text is found again, as long as a URI can carry it.
    if query.len() < 10_000 {
        leads_on(Ok(Some(query.to_owned())));
    }
}

fn leads_on<K>(after: Result<Option<K>, Problem>)
where
    K: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let key = match after {
        Err(problem) => {
            return assert_eq!((problem.status().as_u16(), problem.field_errors().len()), (400, 1));
        }
        Ok(None) => return,
        Ok(Some(key)) => key,
    };
    let listed = Listed::page(vec![1, 2], 1, |_| &key, |n| n);
    let next = listed.next_cursor.expect("another page");
    let next = page(&format!("cursor={next}")).expect("a query").expect("a page");
    assert_eq!(next.after::<K>(), Ok(Some(key)));
}
