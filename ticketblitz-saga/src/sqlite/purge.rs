//! Forgetting what nobody needs any more, a bounded batch at a time, so that other writes wait for no more than one.

use ticketblitz_core::Timestamp;
use ticketblitz_core::sqlite::{self, Sqlite};

use crate::Error;

/// Up to here everybody who has to be told has been, but for what `outbox_delivery` lists. A consumer that has no
/// position yet has been told nothing; where nobody has to be told, there is no end.
macro_rules! told {
    () => {
        "(SELECT coalesce(min(coalesce(p.seq, 0)), 9223372036854775807) FROM json_each($1) c
          LEFT JOIN outbox_position p ON p.consumer = c.value)"
    };
}

pub(super) fn names<S: AsRef<str>>(consumers: &[S]) -> String {
    let names: Vec<&str> = consumers.iter().map(AsRef::as_ref).collect();
    // Texts always have a JSON form.
    serde_json::to_string(&names).unwrap_or_default()
}

/// Deletes at most `limit` messages of the outbox in `db` that happened before `before` and that all of `consumers`
/// have handled; answers how many. A message that is still to be delivered, to be tried again or dead stays, however
/// old it is. It goes in the order in which they were pushed: where the first `limit` were pushed by a clock that was
/// ahead, those behind them stay until that time.
///
/// `consumers` are the names of all that the bus delivers to. A consumer that is added later does not get what was
/// deleted.
///
/// ```
/// # use std::time::Duration;
/// # use ticketblitz_core::{Clock, SystemClock, sqlite::Sqlite};
/// # async fn tidy(db: &Sqlite) -> Result<(), ticketblitz_saga::Error> {
/// let week_ago = SystemClock.now() - Duration::from_secs(7 * 86_400);
/// while ticketblitz_saga::outbox::purge(db, &["billing", "mail"], week_ago, 500).await? == 500 {}
/// # Ok(())
/// # }
/// ```
///
/// Cancel safe as [`Sqlite::write`] is.
///
/// # Errors
/// The database failed.
pub async fn outbox<S: AsRef<str> + Sync>(
    db: &Sqlite,
    consumers: &[S],
    before: Timestamp,
    limit: u32,
) -> Result<u64, Error> {
    let names = names(consumers);
    db.write(move |conn| {
        Box::pin(async move {
            // The time is looked at within the batch: else, where the oldest is too new, all would be read for one that is not.
            let purge = concat!(
                "DELETE FROM outbox WHERE seq IN (
                     SELECT seq FROM (
                         SELECT o.seq, o.occurred_at FROM outbox o WHERE o.seq <= ",
                told!(),
                " AND NOT EXISTS (SELECT 1 FROM outbox_delivery d WHERE d.seq = o.seq) ORDER BY o.seq LIMIT $3)
                     WHERE occurred_at < $2)"
            );
            Ok(sqlite::query(purge).bind(names).bind(before).bind(limit).execute(conn).await?)
        })
    })
    .await
}

/// When the oldest message happened that one of `consumers` has not handled, a dead one too; none if there is none.
/// What was claimed for an older message is not asked for again: see [`inbox::purge`](crate::inbox::purge).
///
/// # Errors
/// The database failed.
pub async fn oldest_undelivered<S: AsRef<str> + Sync>(
    db: &Sqlite,
    consumers: &[S],
) -> Result<Option<Timestamp>, Error> {
    let oldest = concat!(
        "SELECT min(at) FROM (
             SELECT min(occurred_at) AS at FROM outbox WHERE seq > ",
        told!(),
        " UNION ALL SELECT min(o.occurred_at) FROM outbox_delivery d JOIN outbox o USING (seq))"
    );
    Ok(sqlite::query_scalar(oldest).bind(names(consumers)).fetch_one(db.readers()).await?)
}

/// Notes that at most `limit` of the ids in the inbox of `db` are there at `now`; answers how many. Ids are
/// [purged](crate::inbox::purge) by the time at which they were first noted: claiming one costs no look at a clock.
///
/// # Errors
/// The database failed.
pub async fn note(db: &Sqlite, now: Timestamp, limit: u32) -> Result<u64, Error> {
    db.write(move |conn| {
        Box::pin(async move {
            let note = "UPDATE inbox SET noted_at = $1 WHERE (consumer, id) IN
                            (SELECT consumer, id FROM inbox WHERE noted_at IS NULL LIMIT $2)";
            Ok(sqlite::query(note).bind(now).bind(limit).execute(conn).await?)
        })
    })
    .await
}

/// Forgets at most `limit` ids in the inbox of `db` that were [noted](crate::inbox::note) before `before`; answers how many. A
/// message whose id is forgotten would take effect again if it were delivered again.
///
/// A message is delivered again as long as its outbox has it for undelivered, and that can be for as long as a crash,
/// a standstill or a dead letter before it lasts: no fixed time is long enough. So count `before` back from the time
/// of the [oldest undelivered](crate::outbox::oldest_undelivered) message of every outbox that is delivered here, or
/// from now if there is none. By how much is then only a matter of how far clocks go back.
///
/// ```
/// # use std::time::Duration;
/// # use ticketblitz_core::{Clock, SystemClock, sqlite::Sqlite};
/// use ticketblitz_saga::{inbox, outbox};
/// # async fn tidy(producer: &Sqlite, consumer: &Sqlite) -> Result<(), ticketblitz_saga::Error> {
/// let now = SystemClock.now();
/// inbox::note(consumer, now, 500).await?;
/// let oldest = outbox::oldest_undelivered(producer, &["billing"]).await?;
/// let before = oldest.map_or(now, |oldest| oldest.min(now)) - Duration::from_secs(7 * 86_400);
/// while inbox::purge(consumer, before, 500).await? == 500 {}
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The database failed.
pub async fn inbox(db: &Sqlite, before: Timestamp, limit: u32) -> Result<u64, Error> {
    db.write(move |conn| {
        Box::pin(async move {
            let purge = "DELETE FROM inbox WHERE (consumer, id) IN
                             (SELECT consumer, id FROM inbox WHERE noted_at < $1 ORDER BY noted_at LIMIT $2)";
            Ok(sqlite::query(purge).bind(before).bind(limit).execute(conn).await?)
        })
    })
    .await
}

/// Deletes at most `limit` sagas of `db` that ended before `before`; answers how many. One that is in progress,
/// parked or owes an undo stays.
///
/// From then on nobody knows that there was one: a signal to it is [`Delivery::Unknown`](crate::Delivery::Unknown)
/// where it was [`Late`](crate::Delivery::Late), and a start under its key starts another. Where either can come after
/// `before`, the service has to know from its own rows what the saga has done.
///
/// ```
/// # use std::time::Duration;
/// # use ticketblitz_core::{Clock, SystemClock, sqlite::Sqlite};
/// # async fn tidy(db: &Sqlite) -> Result<(), ticketblitz_saga::Error> {
/// let week_ago = SystemClock.now() - Duration::from_secs(7 * 86_400);
/// while ticketblitz_saga::purge(db, week_ago, 500).await? == 500 {}
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The database failed.
pub async fn sagas(db: &Sqlite, before: Timestamp, limit: u32) -> Result<u64, Error> {
    db.write(move |conn| {
        Box::pin(async move {
            let purge = "DELETE FROM saga_instance WHERE (name, key) IN
                 (SELECT name, key FROM saga_instance
                  WHERE phase IN ('completed', 'failed') AND updated_at < $1 ORDER BY updated_at LIMIT $2)";
            Ok(sqlite::query(purge).bind(before).bind(limit).execute(conn).await?)
        })
    })
    .await
}
