//! Lists, events and layouts.

use contract::event::{Event, Layout};
use platform::extract::Listed;

use super::*;

async fn layout(rig: &Rig, path: &str, known: Option<&str>) -> (u16, HeaderMap, Value) {
    let mut request = Request::builder().uri(format!("{path}/seats"));
    if let Some(known) = known {
        request = request.header("if-none-match", known);
    }
    rig.send(request.body(Body::empty()).expect("a request"), None).await
}

#[tokio::test]
async fn a_layout_has_a_tag_and_is_not_sent_again() {
    let rig = Rig::new().await;
    let owner = organizer();
    let mut body = concert();
    body["salesStart"] = json!("2026-06-02T10:00:00Z");
    let event = rig.created(&owner, &body).await;
    let (status, headers, first) = layout(&rig, &path(&event), None).await;
    assert_eq!((status, &first["eventId"], &first["currency"]), (200, &event["id"], &json!("EUR")));
    assert_eq!(first["sections"][0]["seats"][9], "A10");
    let tag = headers["etag"].to_str().expect("text").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let (status, headers, body) = layout(&rig, &path(&event), Some(&known)).await;
        assert_eq!((status, &headers["etag"], body), (304, &headers["etag"], Value::Null), "{known}");
    }
    assert_eq!(layout(&rig, &path(&event), Some("\"other\"")).await.0, 200);
    body["totalSeats"] = json!(20);
    assert_eq!(rig.as_staff(&owner, "PUT", &path(&event), &body).await.0, 200);
    let (status, _, changed) = layout(&rig, &path(&event), Some(&tag)).await;
    assert_eq!((status, changed["sections"].as_array().map(Vec::len)), (200, Some(1)));
}

#[tokio::test]
async fn what_is_unknown_is_not_found() {
    let rig = Rig::new().await;
    let unknown = format!("/api/events/{}", ticketblitz_core::EventId::new());
    assert_eq!(kind(&rig.get(&unknown).await), refused(404, "not-found"));
    assert_eq!(kind(&rig.get(&format!("{unknown}/seats")).await), refused(404, "not-found"));
    assert_eq!(kind(&rig.get("/api/events/nonsense").await), refused(404, "not-found"));
}

#[tokio::test]
async fn the_status_follows_the_clock_though_nothing_else_changes() {
    let rig = Rig::new().await;
    let mut body = concert();
    body["salesStart"] = json!("2026-06-02T10:00:00Z");
    body["salesEnd"] = json!("2026-06-03T10:00:00Z");
    let event = rig.created(&organizer(), &body).await;
    for status in ["SCHEDULED", "ON_SALE", "ENDED"] {
        for _ in 0..2 {
            assert_eq!(rig.get(&path(&event)).await.1["status"], status);
            assert_eq!(rig.get("/api/events").await.1["items"][0]["status"], status);
        }
        rig.clock.advance(Duration::from_secs(86_400));
    }
}

#[tokio::test]
async fn events_and_lists_are_the_contract_to_the_byte() {
    let rig = Rig::new().await;
    let event = rig.created(&organizer(), &concert()).await;
    let mut body = concert();
    body["bookingMode"] = json!("TATKAL");
    rig.created(&organizer(), &body).await;
    let sent: Event = serde_json::from_str(&rig.text(&path(&event)).await).expect("an event");
    assert_eq!(rig.text(&path(&event)).await, serde_json::to_string(&sent).expect("JSON"));
    let list: Listed<Event> = serde_json::from_str(&rig.text("/api/events").await).expect("a list");
    assert_eq!(list.items.len(), 2);
    assert_eq!(rig.text("/api/events").await, serde_json::to_string(&list).expect("JSON"));
    let layout = rig.text(&format!("{}/seats", path(&event))).await;
    let sent: Layout = serde_json::from_str(&layout).expect("a layout");
    assert_eq!(layout, serde_json::to_string(&sent).expect("JSON"));
}

#[tokio::test]
async fn a_summary_is_for_services() {
    let rig = Rig::new().await;
    let event = rig.created(&organizer(), &concert()).await;
    let (id, unknown) = (text(&event, "id").parse().expect("an id"), ticketblitz_core::EventId::new());
    let summary = rig.client(true).summary(id).await.expect("an answer");
    let named = [&summary.name, &summary.venue, &summary.time_zone];
    assert_eq!(
        (summary.id, named),
        (id, [&text(&event, "name"), &text(&event, "venue"), &text(&event, "timeZone")])
    );
    assert_eq!(summary.starts_at.to_string(), text(&event, "startsAt"));
    let refused = rig.client(true).summary(unknown).await.expect_err("unknown");
    assert!(refused.is(&platform::kinds::NOT_FOUND), "{refused}");
    let refused = rig.client(false).summary(id).await.expect_err("no token");
    assert!(refused.is(&platform::kinds::UNAUTHENTICATED), "{refused}");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let rig = Rig::new().await;
    let owner = organizer();
    for day in [3, 1, 2] {
        let mut body = concert();
        body["name"] = json!(format!("Day {day}"));
        body["startsAt"] = json!(format!("2026-07-0{day}T20:00:00Z"));
        rig.created(&owner, &body).await;
    }
    let names = |body: &Value| {
        body["items"].as_array().expect("items").iter().map(|e| text(e, "name")).collect::<Vec<_>>()
    };
    let (_, first) = rig.get("/api/events?limit=2").await;
    assert_eq!(names(&first), ["Day 1", "Day 2"]);
    let (_, second) = rig.get(&format!("/api/events?limit=2&cursor={}", text(&first, "nextCursor"))).await;
    assert_eq!((names(&second), &second["nextCursor"]), (vec!["Day 3".to_owned()], &Value::Null));
    let (_, whole) = rig.get("/api/events?limit=3").await;
    assert_eq!(whole["nextCursor"], Value::Null);
    let (_, named) = rig.get("/api/events?filter=available&name=day%202&venue=ARENA").await;
    assert_eq!(names(&named), ["Day 2"]);
    for wrong in ["limit=0", "limit=201", "cursor=nonsense", "filter=nonsense"] {
        assert_eq!(
            kind(&rig.get(&format!("/api/events?{wrong}")).await),
            refused(400, "malformed-request"),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn lists_and_events_show_a_change_at_once() {
    let rig = Rig::new().await;
    let owner = organizer();
    let event = rig.created(&owner, &concert()).await;
    for n in 0..20 {
        rig.get("/api/events").await;
        rig.get(&path(&event)).await;
        let mut body = concert();
        body["name"] = json!(format!("Concert {n}"));
        assert_eq!(rig.as_staff(&owner, "PUT", &path(&event), &body).await.0, 200);
        assert_eq!(rig.get(&path(&event)).await.1["name"], body["name"]);
        assert_eq!(rig.get("/api/events").await.1["items"][0]["name"], body["name"]);
    }
}
