//! The whole service on a real database, with the bus's messages and the neighbours' answers made here.

pub(crate) mod world;

use std::sync::atomic::Ordering;

use contract::notification::NotificationStatus;
use world::{World, booking};

#[tokio::test]
async fn a_confirmed_booking_is_mailed_once_however_often_it_is_told() {
    let world = World::new().await;
    let running = world.start().await;
    let message = world.confirmed(&booking());
    for _ in 0..5 {
        running.hear(&message).await;
    }
    // The same booking told by another message.
    running.hear(&world.confirmed(&booking())).await;
    let sent = running.until(NotificationStatus::Sent).await;
    assert!(sent.sent_at.is_some());
    assert_eq!(world.mails(), 1);
    let mail = running.page(&format!("/mail/{}", sent.id)).await;
    assert!(mail.contains(&format!("X-Booking-Id: {}", booking().booking_id)), "{mail}");
    assert!(running.page("/mail").await.contains("Your tickets for Rock Concert"));
}

#[tokio::test]
async fn sent_shows_only_once_the_mail_is_there() {
    let world = World::new().await;
    world.broken.store(true, Ordering::SeqCst);
    let running = world.start().await;
    running.hear(&world.confirmed(&booking())).await;
    world.tried(3).await;
    assert_eq!(running.only().await.status, NotificationStatus::Pending);
    world.broken.store(false, Ordering::SeqCst);
    running.until(NotificationStatus::Sent).await;
    assert_eq!(world.mails(), 1);
}

#[tokio::test]
async fn after_a_crash_the_mail_is_still_sent() {
    let world = World::new().await;
    world.broken.store(true, Ordering::SeqCst);
    let running = world.start().await;
    running.hear(&world.confirmed(&booking())).await;
    world.tried(1).await;
    running.crash().await;
    world.broken.store(false, Ordering::SeqCst);
    let again = world.start().await;
    again.hear(&world.confirmed(&booking())).await;
    again.until(NotificationStatus::Sent).await;
    assert_eq!(world.mails(), 1);
}

#[tokio::test]
async fn nobody_can_be_mailed_who_is_not_there() {
    let world = World::new().await;
    world.nobody.store(true, Ordering::SeqCst);
    let running = world.start().await;
    running.hear(&world.confirmed(&booking())).await;
    running.until(NotificationStatus::Failed).await;
    assert_eq!(world.mails(), 0);
}
