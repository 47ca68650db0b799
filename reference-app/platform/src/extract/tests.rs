use axum::body::Body;
use axum::extract::FromRequestParts;
use http::Request;

use super::*;

async fn page(query: &str) -> Result<Page, Problem> {
    let request = Request::builder().uri(format!("/things?{query}")).body(Body::empty()).expect("a request");
    Page::from_request_parts(&mut request.into_parts().0, &()).await
}

#[tokio::test]
async fn a_page_goes_on_where_the_one_before_ended() {
    let listed = Listed::page(vec![6, 7, 8], 2, |n| ("key", *n), |n| n * 10);
    assert_eq!(listed.items, [60, 70]);
    let cursor = listed.next_cursor.expect("another page");
    let next = page(&format!("limit=2&cursor={cursor}")).await.expect("a page");
    assert_eq!((next.limit, next.after::<(String, i32)>()), (2, Ok(Some(("key".to_owned(), 7)))));
    assert_eq!(next.one_more(), 3);
    assert_eq!(Listed::page(vec![6, 7], 2, |n| *n, |n| n).next_cursor, None, "the last page");
    let first = page("").await.expect("a page");
    assert_eq!((first.limit, first.after::<(String, i32)>()), (50, Ok(None)));
}

#[tokio::test]
async fn a_wrong_page_is_malformed() {
    for query in ["limit=0", "limit=201", "limit=x", "limit=-1", "limit="] {
        assert_eq!(page(query).await.expect_err(query).status(), 400);
    }
    for cursor in ["nonsense", "", "e30", "%F0%9F%98%80"] {
        let page = page(&format!("cursor={cursor}")).await.expect("a page");
        assert_eq!(page.after::<(String, i32)>().expect_err(cursor).status(), 400);
    }
}
