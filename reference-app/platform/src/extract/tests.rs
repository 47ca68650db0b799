use axum::body::Body;
use axum::extract::FromRequestParts;
use http::Request;

use super::*;

async fn query(query: &str) -> Query {
    let request = Request::builder().uri(format!("/things?{query}")).body(Body::empty()).expect("a request");
    Query::from_request_parts(&mut request.into_parts().0, &()).await.expect("infallible")
}

async fn page(text: &str) -> Result<Page<(String, i32)>, Problem> {
    query(text).await.read(Parameters::page)
}

#[tokio::test]
async fn a_page_goes_on_where_the_one_before_ended() {
    let listed = Listed::page(vec![6, 7, 8], 2, |n| ("key", *n), |n| n * 10);
    assert_eq!(listed.items, [60, 70]);
    let cursor = listed.next_cursor.expect("another page");
    let next = page(&format!("limit=2&cursor={cursor}")).await.expect("a page");
    assert_eq!((next.limit, &next.after), (2, &Some(("key".to_owned(), 7))));
    assert_eq!(next.one_more(), 3);
    assert_eq!(Listed::page(vec![6, 7], 2, |n| *n, |n| n).next_cursor, None, "the last page");
    assert_eq!(page("").await, Ok(Page { limit: 50, after: None }));
}

#[tokio::test]
async fn a_wrong_page_is_malformed() {
    for text in ["limit=0", "limit=201", "limit=x", "limit=-1", "limit=", "limit=1&limit=1"] {
        let refused = page(text).await.expect_err(text);
        assert_eq!((refused.status().as_u16(), &*refused.field_errors()[0].field), (400, "limit"));
    }
    for cursor in ["nonsense", "", "e30", "%F0%9F%98%80", "%00", "%ff"] {
        let refused = page(&format!("cursor={cursor}")).await.expect_err(cursor);
        assert_eq!((refused.status().as_u16(), &*refused.field_errors()[0].field), (400, "cursor"));
    }
}

#[tokio::test]
async fn every_wrong_parameter_is_named_at_once() {
    let read = |parameters: &mut Parameters| {
        let number = parameters.parsed::<u8>("number", "must be a small number");
        (number, parameters.text("name"), parameters.page::<i32>())
    };
    let (number, name, page) =
        query("number=7&name=a%20b&unknown=1&unknown=2").await.read(read).expect("right");
    assert_eq!((number, name.as_deref(), page.limit), (Some(7), Some("a b"), 50));
    let refused = query("cursor=zzz&limit=0&number=x&name=a&name=b").await.read(read).expect_err("all wrong");
    let told: Vec<_> = refused.field_errors().iter().map(|e| (&*e.field, &*e.message)).collect();
    assert_eq!(
        told,
        [
            ("number", "must be a small number"),
            ("name", "must be given once"),
            ("limit", "must be a whole number from 1 to 200"),
            ("cursor", "must be one that a page before gave"),
        ]
    );
}
