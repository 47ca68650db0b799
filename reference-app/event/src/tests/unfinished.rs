//! Changes that come to the inventory and not to the end.

use super::*;

/// An event whose sales open in a day, so that anything of it may be changed.
async fn planned(rig: &Rig, owner: &Caller) -> (Value, Value) {
    let mut body = concert();
    body["salesStart"] = json!("2026-06-02T10:00:00Z");
    let event = rig.created(owner, &body).await;
    body["totalSeats"] = json!(50);
    (event, body)
}

async fn shows(rig: &Rig, event: &Value) -> (Value, Value) {
    let (status, event) = rig.get(&path(event)).await;
    assert_eq!(status, 200, "{event}");
    (event["totalSeats"].clone(), event["status"].clone())
}

async fn intended(rig: &Rig) -> usize {
    rig.catalog.store.intended().await.expect("read").len()
}

#[tokio::test]
async fn a_crash_after_the_inventory_was_told_leaves_no_other_layout_than_is_sold() {
    let rig = Rig::new().await;
    let owner = organizer();
    let (event, smaller) = planned(&rig, &owner).await;
    rig.dies_before_its_commit(true).await;
    assert_eq!(rig.as_staff(&owner, "PUT", &path(&event), &smaller).await.0, 500);
    assert_eq!((rig.inventory.sells(&event), shows(&rig, &event).await.0), (Some(50), json!(100)));
    rig.dies_before_its_commit(false).await;
    let rig = rig.restarted().await;
    assert_eq!((rig.inventory.sells(&event), shows(&rig, &event).await.0), (Some(50), json!(50)));
    assert_eq!(rig.told().await, ["event.created", "event.changed"]);
    assert_eq!(intended(&rig).await, 0);
}

#[tokio::test]
async fn a_crash_between_closing_the_sale_and_cancelling_cancels() {
    let rig = Rig::new().await;
    let owner = organizer();
    let (event, _) = planned(&rig, &owner).await;
    rig.dies_before_its_commit(true).await;
    assert_eq!(rig.as_staff(&owner, "DELETE", &path(&event), &Value::Null).await.0, 500);
    assert_eq!((rig.inventory.sells(&event), shows(&rig, &event).await.1), (None, json!("SCHEDULED")));
    rig.dies_before_its_commit(false).await;
    let rig = rig.restarted().await;
    assert_eq!(shows(&rig, &event).await.1, "CANCELLED");
    assert_eq!(rig.told().await, ["event.created", "event.cancelled"]);
    assert_eq!(intended(&rig).await, 0);
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_finished_by_the_worker() {
    let rig = Rig::new().await;
    let owner = organizer();
    let (event, smaller) = planned(&rig, &owner).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let worker = tokio::spawn(crate::unfinished::finish(Arc::clone(&rig.catalog), stop.clone()));
    rig.inventory.set_loses_answers(true);
    let answer = rig.as_staff(&owner, "PUT", &path(&event), &smaller).await;
    assert_eq!(kind(&answer), refused(503, "dependency-unavailable"));
    rig.inventory.set_loses_answers(false);
    let finished = async {
        while intended(&rig).await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await; // between two looks
        }
    };
    tokio::time::timeout(Duration::from_secs(60), finished).await.expect("in time");
    assert_eq!((rig.inventory.sells(&event), shows(&rig, &event).await.0), (Some(50), json!(50)));
    stop.cancel();
    worker.await.expect("stops");
}

#[tokio::test]
async fn the_next_change_comes_after_the_one_that_was_left_half_done() {
    let rig = Rig::new().await;
    let owner = organizer();
    let (event, mut other) = planned(&rig, &owner).await;
    rig.inventory.set_loses_answers(true);
    assert_eq!(rig.as_staff(&owner, "PUT", &path(&event), &other).await.0, 503);
    // As long as that is not known, nothing else can be refused without being half done.
    other["totalSeats"] = json!(60);
    assert_eq!(rig.as_staff(&owner, "PUT", &path(&event), &other).await.0, 503);
    assert_eq!((rig.inventory.sells(&event), intended(&rig).await), (Some(50), 1));
    rig.inventory.set_loses_answers(false);
    assert_eq!(rig.as_staff(&owner, "PUT", &path(&event), &other).await.0, 200);
    assert_eq!((rig.inventory.sells(&event), shows(&rig, &event).await.0), (Some(60), json!(60)));
    assert_eq!(rig.told().await, ["event.created", "event.changed", "event.changed"]);
}

#[tokio::test]
async fn what_the_inventory_was_never_told_is_not_done_later() {
    let rig = Rig::new().await;
    let owner = organizer();
    let (event, smaller) = planned(&rig, &owner).await;
    rig.inventory.set_down(true);
    assert_eq!(rig.as_staff(&owner, "PUT", &path(&event), &smaller).await.0, 503);
    rig.inventory.set_down(false);
    let rig = rig.restarted().await;
    assert_eq!((rig.inventory.sells(&event), shows(&rig, &event).await.0), (Some(100), json!(100)));
}
