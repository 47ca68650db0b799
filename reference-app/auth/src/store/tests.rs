//! What every store keeps to.

use std::sync::Arc;
use std::time::Duration;

use platform::auth::Role;
use tempfile::TempDir;
use ticketblitz_core::{Timestamp, UserId};

use super::{NewFamily, Rotated, Rotation, SqliteStore, Store};
use crate::domain::{Email, FamilyId, Name, NewUser};
use crate::error::StoreError;
use crate::token::{RefreshToken, Seed, TokenDigest};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const TTL: Duration = Duration::from_secs(3_600);

async fn store() -> (TempDir, Arc<dyn Store>) {
    let dir = tempfile::tempdir().expect("a directory");
    let db = crate::open_database(dir.path()).await.expect("opens");
    (dir, Arc::new(SqliteStore::new(db)))
}

fn somebody(email: &str, role: Role) -> NewUser {
    NewUser {
        id: UserId::new(),
        email: Email::parse(email).expect("an address"),
        name: Name::parse("Somebody").expect("a name"),
        role,
        password_hash: Some("hash".into()),
        created_at: NOW,
    }
}

fn family(user: UserId) -> NewFamily {
    let digest = RefreshToken::random().digest();
    NewFamily { id: FamilyId::new(), user, digest, expires_at: NOW + TTL }
}

fn exchange(spent: &TokenDigest, now: Timestamp) -> Rotation {
    Rotation { spent: spent.clone(), next: RefreshToken::random().digest(), next_expires_at: now + TTL, now }
}

async fn registered(store: &dyn Store) -> (NewUser, TokenDigest) {
    let user = somebody("ada@example.org", Role::User);
    let family = family(user.id);
    store.create(&user, Some(&family)).await.expect("created");
    (user, family.digest)
}

#[tokio::test]
async fn an_account_is_found_by_its_address_in_any_case_and_by_its_id() {
    let (_dir, store) = store().await;
    let user = somebody("Ada@Example.org", Role::Organizer);
    store.create(&user, None).await.expect("created");
    let found = store.by_email(&Email::key_of("aDA@exAmple.ORG")).await.expect("read");
    assert_eq!(found, Some((user.user(), Some("hash".into()))));
    assert_eq!(store.by_id(user.id).await.expect("read"), Some(user.user()));
    assert_eq!(store.by_id(UserId::new()).await.expect("read"), None);
}

#[tokio::test]
async fn of_accounts_that_race_for_an_address_one_is_made() {
    let (_dir, store) = store().await;
    let racers: Vec<_> = ["ada@example.org", "ADA@example.org", "Ada@Example.Org"]
        .into_iter()
        .map(|email| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let user = somebody(email, Role::User);
                let family = family(user.id);
                (store.create(&user, Some(&family)).await, family)
            })
        })
        .collect();
    let mut made = 0;
    for racer in racers {
        let (result, family) = racer.await.expect("no panic");
        match result {
            Ok(()) => made += 1,
            Err(StoreError::EmailTaken) => {
                let rotated = store.rotate(&exchange(&family.digest, NOW)).await.expect("read");
                assert_eq!(rotated, Rotated::Refused, "no session without an account");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn only_the_first_administrator_is_made() {
    let (_dir, store) = store().await;
    assert!(!store.has_admin().await.expect("read"));
    let first = somebody("admin@example.org", Role::Admin);
    assert!(store.create_first_admin(&first).await.expect("made"));
    assert!(!store.create_first_admin(&somebody("other@example.org", Role::Admin)).await.expect("read"));
    assert!(store.has_admin().await.expect("read"));
    assert_eq!(store.by_email("other@example.org").await.expect("read"), None);
}

#[tokio::test]
async fn a_token_is_exchanged_once_and_its_successor_goes_on() {
    let (_dir, store) = store().await;
    let (user, first) = registered(&*store).await;
    let second = exchange(&first, NOW);
    assert_eq!(store.rotate(&second).await.expect("rotated"), Rotated::Renewed(user.user()));
    let third = exchange(&second.next, NOW);
    assert_eq!(store.rotate(&third).await.expect("rotated"), Rotated::Renewed(user.user()));
}

#[tokio::test]
async fn a_spent_token_ends_its_family_and_no_other() {
    let (_dir, store) = store().await;
    let (user, first) = registered(&*store).await;
    let elsewhere = family(user.id);
    store.open_family(&elsewhere, NOW).await.expect("logged in");
    let second = exchange(&first, NOW);
    store.rotate(&second).await.expect("rotated");

    assert_eq!(store.rotate(&exchange(&first, NOW)).await.expect("read"), Rotated::Reused);
    assert_eq!(store.rotate(&exchange(&second.next, NOW)).await.expect("read"), Rotated::Refused);
    let other = store.rotate(&exchange(&elsewhere.digest, NOW)).await.expect("rotated");
    assert_eq!(other, Rotated::Renewed(user.user()));
}

#[tokio::test]
async fn of_exchanges_that_race_with_one_token_one_wins_and_then_the_family_ends() {
    let (_dir, store) = store().await;
    let (_, first) = registered(&*store).await;
    let racers: Vec<_> = (0..8)
        .map(|_| {
            let (store, exchange) = (Arc::clone(&store), exchange(&first, NOW));
            tokio::spawn(async move { (store.rotate(&exchange).await.expect("answered"), exchange.next) })
        })
        .collect();
    let mut won = Vec::new();
    for racer in racers {
        let (rotated, next) = racer.await.expect("no panic");
        if matches!(rotated, Rotated::Renewed(_)) {
            won.push(next);
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(store.rotate(&exchange(&won[0], NOW)).await.expect("read"), Rotated::Refused);
}

#[tokio::test]
async fn tokens_expire_each_at_its_own_time() {
    let (_dir, store) = store().await;
    let (user, first) = registered(&*store).await;
    let late = NOW + TTL;
    assert_eq!(store.rotate(&exchange(&first, late)).await.expect("read"), Rotated::Refused);
    let just_before = late - Duration::from_secs(1);
    let second = exchange(&first, just_before);
    assert_eq!(store.rotate(&second).await.expect("rotated"), Rotated::Renewed(user.user()));
    // The first has expired by now, the family has not.
    assert_eq!(
        store.rotate(&exchange(&second.next, late)).await.expect("rotated"),
        Rotated::Renewed(user.user())
    );
}

#[tokio::test]
async fn a_login_forgets_the_users_expired_families_only() {
    let (_dir, store) = store().await;
    let (user, first) = registered(&*store).await;
    let live = NewFamily { expires_at: NOW + 3 * TTL, ..family(user.id) };
    store.open_family(&live, NOW).await.expect("logged in");
    let third = NewFamily { expires_at: NOW + 3 * TTL, ..family(user.id) };
    store.open_family(&third, NOW + TTL).await.expect("logged in");
    // Were it still known, it would be live at this earlier time.
    assert_eq!(store.rotate(&exchange(&first, NOW)).await.expect("read"), Rotated::Refused);
    let rotated = store.rotate(&exchange(&live.digest, NOW + TTL)).await.expect("rotated");
    assert_eq!(rotated, Rotated::Renewed(user.user()));
}

#[tokio::test]
async fn a_family_ends_by_any_of_its_tokens_and_stays_ended() {
    let (_dir, store) = store().await;
    let (_, first) = registered(&*store).await;
    let second = exchange(&first, NOW);
    store.rotate(&second).await.expect("rotated");
    store.end_family(&first, NOW).await.expect("ended");
    store.end_family(&first, NOW).await.expect("ended already");
    store.end_family(&TokenDigest::of("unknown"), NOW).await.expect("nothing to end");
    assert_eq!(store.rotate(&exchange(&second.next, NOW)).await.expect("read"), Rotated::Refused);
}

#[tokio::test]
async fn the_first_signing_key_stays() {
    let (_dir, store) = store().await;
    let (one, other) = (Seed::random(), Seed::random());
    assert_eq!(store.signing_seed(&one, NOW).await.expect("kept"), one);
    assert_eq!(store.signing_seed(&other, NOW).await.expect("read"), one);
}

#[tokio::test]
async fn sessions_are_forgotten_once_they_have_expired_a_few_at_a_time() {
    let (_dir, store) = store().await;
    let (user, live) = registered(&*store).await;
    let long_ago = NOW - TTL * 10;
    for _ in 0..3 {
        let old = NewFamily { expires_at: long_ago, ..family(user.id) };
        // At a time before it expired, so that the account's own login does not tidy up.
        store.open_family(&old, long_ago - TTL).await.expect("opened");
    }
    let before = NOW - TTL;
    assert_eq!(store.forget_sessions(before, 2).await.expect("forgotten"), 2);
    assert_eq!(
        store.forget_sessions(before, 10).await.expect("forgotten"),
        4,
        "three tokens, three families"
    );
    assert_eq!(store.forget_sessions(before, 10).await.expect("forgotten"), 0);
    assert!(matches!(store.rotate(&exchange(&live, NOW)).await, Ok(Rotated::Renewed(_))));
}
