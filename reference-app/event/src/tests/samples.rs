//! The sample events of a first start.

use super::*;
use crate::samples::{keep, publish_all};

async fn shown(rig: &Rig) -> Vec<(String, Value, Value)> {
    let (_, list) = rig.get("/api/events").await;
    let items = list["items"].as_array().expect("items").iter();
    items.map(|e| (text(e, "name"), e["totalSeats"].clone(), e["status"].clone())).collect()
}

fn expected() -> Vec<(String, Value, Value)> {
    let sample = |name: &str, total: u32| (name.to_owned(), json!(total), json!("ON_SALE"));
    vec![sample("Rock Concert", 100), sample("Express Train to Mumbai", 200)]
}

#[tokio::test]
async fn samples_are_on_sale_after_the_first_start_and_not_doubled_by_the_next() {
    let rig = Rig::new().await;
    keep(&rig.catalog).await.expect("kept");
    assert!(shown(&rig).await.is_empty(), "the inventory does not know them yet");
    publish_all(&rig.catalog).await.expect("published");
    assert_eq!(shown(&rig).await, expected());
    assert_eq!(rig.inventory.calls().len(), 2);
    rig.clock.advance(Duration::from_secs(3_600));
    let rig = rig.restarted().await;
    keep(&rig.catalog).await.expect("kept");
    publish_all(&rig.catalog).await.expect("published");
    assert_eq!(shown(&rig).await, expected());
    assert_eq!(rig.told().await.len(), 2);
}

#[tokio::test]
async fn samples_that_a_crash_left_unpublished_are_published_by_the_next_start() {
    let rig = Rig::new().await;
    keep(&rig.catalog).await.expect("kept");
    rig.inventory.set_down(true);
    assert!(publish_all(&rig.catalog).await.is_err());
    rig.inventory.set_down(false);
    let rig = rig.restarted().await;
    keep(&rig.catalog).await.expect("kept");
    publish_all(&rig.catalog).await.expect("published");
    assert_eq!(shown(&rig).await, expected());
}

#[tokio::test]
async fn a_cancelled_sample_stays_cancelled() {
    let rig = Rig::new().await;
    keep(&rig.catalog).await.expect("kept");
    publish_all(&rig.catalog).await.expect("published");
    let admin = Caller { role: Role::Admin, ..organizer() };
    let (_, list) = rig.get("/api/events").await;
    assert_eq!(rig.as_staff(&organizer(), "DELETE", &path(&list["items"][0]), &Value::Null).await.0, 403);
    assert_eq!(rig.as_staff(&admin, "DELETE", &path(&list["items"][0]), &Value::Null).await.0, 204);
    let rig = rig.restarted().await;
    keep(&rig.catalog).await.expect("kept");
    publish_all(&rig.catalog).await.expect("published");
    assert_eq!(shown(&rig).await.iter().filter(|(_, _, status)| status == "CANCELLED").count(), 1);
    assert_eq!(shown(&rig).await.len(), 2);
}

#[tokio::test]
async fn the_worker_goes_on_until_the_inventory_is_there() {
    let rig = Rig::new().await;
    keep(&rig.catalog).await.expect("kept");
    rig.inventory.set_down(true);
    let shutdown = tokio_util::sync::CancellationToken::new();
    let worker = tokio::spawn(crate::samples::publish(Arc::clone(&rig.catalog), shutdown));
    tokio::task::yield_now().await;
    rig.inventory.set_down(false);
    tokio::time::timeout(Duration::from_secs(10), worker).await.expect("ends").expect("no panic");
    assert_eq!(shown(&rig).await, expected());
}
