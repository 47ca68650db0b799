//! Against the trait: every backend has to pass.

use std::sync::Arc;
use std::time::Duration;

use contract::event::BookingMode;
use platform::bus;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};
use ticketblitz_core::sqlite::Sqlite;
use ticketblitz_core::{BookingId, Currency, EventId, MessageId, Timestamp};

use super::*;
use crate::domain::{Phase, default_layout};

struct Rig {
    _dir: tempfile::TempDir,
    db: Sqlite,
    store: Arc<dyn Store>,
}

fn now() -> Timestamp {
    "2026-06-01T10:00:00Z".parse().expect("a moment")
}

fn record(name: &str, days: u64, phase: Phase) -> Record {
    let spec = Spec {
        name: name.to_owned(),
        venue: "Zürich Arena".to_owned(),
        starts_at: now() + Duration::from_secs(days * 86_400),
        time_zone: "Europe/Zurich".to_owned(),
        currency: Currency::EUR,
        mode: BookingMode::Tatkal,
        max_per_customer: 10,
        sales_start: None,
        sales_end: None,
        waiting_room: false,
        sections: default_layout(BookingMode::Tatkal, 50),
    };
    Record::draft(None, spec, phase)
}

fn told(kind: &str, id: EventId) -> Envelope {
    bus::event(kind, id.to_string(), 1, &serde_json::json!({}), now())
}

impl Rig {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let db = platform::db::open(dir.path(), "event", &crate::MIGRATIONS).await.expect("opens");
        Self { _dir: dir, store: Arc::new(SqliteStore::new(db.clone())), db }
    }

    async fn published(&self, name: &str, days: u64) -> Record {
        let draft = record(name, days, Phase::Draft);
        self.store.keep_draft(draft.clone()).await.expect("kept");
        self.store.publish(draft.id, told("event.created", draft.id)).await.expect("published");
        Record { phase: Phase::Published, ..draft }
    }

    async fn told(&self) -> Vec<String> {
        let topics = ticketblitz_core::sqlite::query_scalar("SELECT topic FROM outbox ORDER BY seq");
        topics.fetch_all(self.db.readers()).await.expect("read")
    }

    async fn taken(&self, id: EventId) -> u32 {
        let stored = self.store.get(id).await.expect("read").expect("known");
        assert_eq!(self.store.state(id).await.expect("read"), Some(stored.state()));
        stored.taken
    }

    async fn names(&self, query: Query) -> Vec<String> {
        let query = Query { limit: if query.limit == 0 { 50 } else { query.limit }, ..query };
        let found = self.store.list(query.clone(), now()).await.expect("listed");
        let states = self.store.states(query, now()).await.expect("listed");
        assert_eq!(states, found.iter().map(Record::state).collect::<Vec<_>>());
        found.into_iter().map(|record| record.spec.name.clone()).collect()
    }
}

#[tokio::test]
async fn a_draft_is_seen_by_nobody_and_told_once_it_is_published() {
    let rig = Rig::new().await;
    let draft = record("Draft", 1, Phase::Draft);
    rig.store.keep_draft(draft.clone()).await.expect("kept");
    assert_eq!(rig.store.get(draft.id).await.expect("read"), None);
    assert_eq!(rig.store.state(draft.id).await.expect("read"), None);
    assert!(rig.names(Query::default()).await.is_empty());
    for _ in 0..2 {
        rig.store.publish(draft.id, told("event.created", draft.id)).await.expect("published");
    }
    let stored = rig.store.get(draft.id).await.expect("read");
    assert_eq!(stored, Some(Record { phase: Phase::Published, ..draft.clone() }));
    assert_eq!(rig.told().await, ["event.created"]);
    rig.store.discard(draft.id).await.expect("nothing");
    assert!(rig.store.get(draft.id).await.expect("read").is_some(), "what is published is not discarded");
}

/// The row of an event as the first schema had it, its layout within.
fn old_row(id: EventId, phase: &str, sections: &str) -> String {
    format!(
        "INSERT INTO events (id, organizer, name, venue, name_folded, venue_folded, starts_at, time_zone, currency, \
         mode, max_per_customer, sales_start, sales_end, waiting_room, sections, total, taken, phase, version) \
         VALUES ('{id}', NULL, 'Concert', 'Arena', 'concert', 'arena', 1, 'Europe/Zurich', 'EUR', 'VISUAL', 4, \
         NULL, 2, 0, '{sections}', 3, 2, '{phase}', 7)"
    )
}

#[tokio::test]
async fn events_of_the_first_schema_are_carried_over_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = crate::MIGRATIONS.iter().take(1).cloned().collect();
    let first = sqlx::migrate::Migrator::with_migrations(first);
    let db = platform::db::open(dir.path(), "event", &first).await.expect("opens");
    let (published, draft) = (EventId::new(), EventId::new());
    let seats = r#"[{"name":"STALLS","price":7500,"seats":["A1","A2","AA1"]}]"#;
    let hall = r#"[{"name":"HALL","price":0,"capacity":3}]"#;
    for row in [old_row(published, "PUBLISHED", seats), old_row(draft, "SAMPLE", hall)] {
        let kept: Result<_, Error> = db
            .write(|conn| {
                Box::pin(async move { Ok(ticketblitz_core::sqlite::query(row).execute(conn).await?) })
            })
            .await;
        kept.expect("kept");
    }
    db.close().await;

    let db = platform::db::open(dir.path(), "event", &crate::MIGRATIONS).await.expect("is migrated");
    let store = SqliteStore::new(db);
    let record = store.get(published).await.expect("read").expect("known");
    assert_eq!(serde_json::to_string(&record.spec.sections).expect("JSON"), seats);
    assert_eq!((record.taken, record.version, record.phase), (2, 7, Phase::Published));
    assert_eq!((record.spec.max_per_customer, record.spec.sales_end), (4, Some(Timestamp::from_micros(2))));
    let drafts = store.sample_drafts().await.expect("read");
    assert_eq!(drafts.iter().map(|draft| draft.id).collect::<Vec<_>>(), [draft]);
    assert_eq!(serde_json::to_string(&drafts[0].spec.sections).expect("JSON"), hall);
    assert!(
        store
            .update(published, 7, drafts[0].spec.clone(), told("event.changed", published))
            .await
            .expect("an answer")
    );
    let changed = store.get(published).await.expect("read").expect("known");
    assert_eq!((changed.spec, changed.taken), (drafts[0].spec.clone(), 2));
}

#[tokio::test]
async fn no_layout_outlives_its_event() {
    let rig = Rig::new().await;
    let draft = record("Draft", 1, Phase::Draft);
    rig.store.keep_draft(draft.clone()).await.expect("kept");
    rig.store.discard(draft.id).await.expect("dropped");
    rig.store.keep_draft(record("Abandoned", 1, Phase::Draft)).await.expect("kept");
    rig.store.discard_abandoned().await.expect("dropped");
    let kept = rig.published("Concert", 1).await.id;
    let layouts = ticketblitz_core::sqlite::query_scalar::<EventId>("SELECT event FROM layouts");
    assert_eq!(layouts.fetch_all(rig.db.readers()).await.expect("read"), [kept]);
}

#[tokio::test]
async fn after_a_crash_requests_drafts_are_dropped_and_samples_are_not() {
    let rig = Rig::new().await;
    rig.store.keep_draft(record("Draft", 1, Phase::Draft)).await.expect("kept");
    rig.store.keep_samples(vec![record("Sample", 1, Phase::Sample)], now()).await.expect("kept");
    assert_eq!(rig.store.discard_abandoned().await.expect("dropped"), 1);
    assert_eq!(rig.store.sample_drafts().await.expect("read").len(), 1);
}

#[tokio::test]
async fn samples_are_made_once_and_never_again() {
    let rig = Rig::new().await;
    for _ in 0..2 {
        rig.store.keep_samples(vec![record("Sample", 1, Phase::Sample)], now()).await.expect("kept");
    }
    let drafts = rig.store.sample_drafts().await.expect("read");
    assert_eq!(drafts.len(), 1);
    rig.store.publish(drafts[0].id, told("event.created", drafts[0].id)).await.expect("published");
    rig.store.cancel(drafts[0].id, told("event.cancelled", drafts[0].id)).await.expect("cancelled");
    rig.store.keep_samples(vec![record("Sample", 1, Phase::Sample)], now()).await.expect("kept");
    assert!(rig.store.sample_drafts().await.expect("read").is_empty());
}

#[tokio::test]
async fn a_change_of_an_older_version_is_refused() {
    let rig = Rig::new().await;
    let stored = rig.published("Concert", 1).await;
    let spec = Arc::new(Spec { name: "Other".to_owned(), ..(*stored.spec).clone() });
    let update = async || {
        let told = told("event.changed", stored.id);
        rig.store.update(stored.id, 1, spec.clone(), told).await.expect("an answer")
    };
    assert!(update().await);
    assert!(!update().await);
    assert_eq!(rig.told().await, ["event.created", "event.changed"]);
    let now_stored = rig.store.get(stored.id).await.expect("read").expect("known");
    assert_eq!((now_stored.version, now_stored.spec), (2, spec));
}

#[tokio::test]
async fn a_cancellation_is_told_once() {
    let rig = Rig::new().await;
    let stored = rig.published("Concert", 1).await;
    let cancel = async || {
        let told = told("event.cancelled", stored.id);
        rig.store.cancel(stored.id, told).await.expect("an answer")
    };
    assert_eq!((cancel().await, cancel().await), (true, false));
    assert_eq!(rig.told().await, ["event.created", "event.cancelled"]);
    let spec = stored.spec.clone();
    let updated = rig.store.update(stored.id, 2, spec, told("event.changed", stored.id)).await;
    assert!(!updated.expect("an answer"));
}

/// Every order of a booking's messages, each of them delivered twice, and both told anew under other ids.
#[tokio::test]
async fn a_booking_counts_once_in_whatever_order_it_is_told() {
    let rig = Rig::new().await;
    let event = rig.published("Concert", 1).await.id;
    let other = BookingId::new();
    let counted = |booking, what| Counted { message: MessageId::new(), booking, event, quantity: 3, what };
    rig.store.count(counted(other, What::Confirmed)).await.expect("counted");
    for order in [
        vec![What::Confirmed],
        vec![What::Confirmed, What::Confirmed],
        vec![What::Confirmed, What::Cancelled],
        vec![What::Cancelled, What::Confirmed],
        vec![What::Cancelled, What::Confirmed, What::Cancelled, What::Confirmed],
        vec![What::Confirmed, What::Cancelled, What::Confirmed],
        vec![What::Cancelled],
    ] {
        let booking = BookingId::new();
        let before = rig.taken(event).await;
        for what in &order {
            let message = counted(booking, *what);
            for _ in 0..2 {
                rig.store.count(message).await.expect("counted");
            }
        }
        let expected = if order.contains(&What::Cancelled) { 0 } else { 3 };
        assert_eq!(rig.taken(event).await, before + expected, "{order:?}");
    }
}

#[tokio::test]
async fn a_booking_of_an_unknown_event_is_no_error() {
    let rig = Rig::new().await;
    let (message, booking, event) = (MessageId::new(), BookingId::new(), EventId::new());
    let counted = Counted { message, booking, event, quantity: 1, what: What::Confirmed };
    rig.store.count(counted).await.expect("taken note of");
}

#[tokio::test]
async fn lists_are_in_the_order_of_the_start_and_go_on_where_they_ended() {
    let rig = Rig::new().await;
    for (name, days) in [("C", 3), ("A", 1), ("B", 2), ("B2", 2)] {
        rig.published(name, days).await;
    }
    assert_eq!(rig.names(Query::default()).await, ["A", "B", "B2", "C"]);
    let first = rig.store.list(Query { limit: 2, ..Query::default() }, now()).await.expect("listed");
    let last = first.last().map(|record| (record.spec.starts_at, record.id));
    assert_eq!(rig.names(Query { after: last, ..Query::default() }).await, ["B2", "C"]);
}

#[tokio::test]
async fn lists_are_filtered() {
    let rig = Rig::new().await;
    rig.published("ÉTÉ Festival", 1).await;
    rig.published("Past", 0).await;
    let cancelled = rig.published("Cancelled", 2).await.id;
    rig.store.cancel(cancelled, told("event.cancelled", cancelled)).await.expect("cancelled");
    let full = rig.published("Full", 3).await.id;
    let (message, booking) = (MessageId::new(), BookingId::new());
    let sold = Counted { message, booking, event: full, quantity: 50, what: What::Confirmed };
    rig.store.count(sold).await.expect("counted");
    let filtered = async |filter| rig.names(Query { filter, ..Query::default() }).await;
    assert_eq!(filtered(None).await, ["Past", "ÉTÉ Festival", "Cancelled", "Full"]);
    assert_eq!(filtered(Some(Filter::Upcoming)).await, ["ÉTÉ Festival", "Full"]);
    assert_eq!(filtered(Some(Filter::Available)).await, ["ÉTÉ Festival"]);
    let named = async |name: &str| rig.names(Query { name: Some(name.to_owned()), ..Query::default() }).await;
    assert_eq!(named("été").await, ["ÉTÉ Festival"]);
    assert_eq!(named("%").await, Vec::<String>::new());
    let venue = Query { venue: Some("ZÜRICH".to_owned()), ..Query::default() };
    assert_eq!(rig.names(venue).await.len(), 4);
}

#[tokio::test]
async fn a_mode_that_is_none_is_not_taken_for_another() {
    let rig = Rig::new().await;
    let event = rig.published("Concert", 1).await;
    let options = SqliteConnectOptions::new().filename(rig.db.path());
    let mut connection = options.connect().await.expect("opens");
    connection.execute("PRAGMA ignore_check_constraints = ON").await.expect("set");
    connection.execute("UPDATE events SET mode = 'TATKAI'").await.expect("written");
    let refused = rig.store.get(event.id).await.expect_err("it cannot be read").to_string();
    assert!(refused.contains("TATKAI is no booking mode"), "{refused}");
}
