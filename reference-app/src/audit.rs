//! `ticketblitz audit`: what must hold over all stores and the provider's ledger, beside a running server or without.
//!
//! The stores are read one after another while a server may be writing, so a difference between two of them counts
//! only if it is in every reading for longer than the system takes to carry a thing from one to the next.

mod invariants;
mod work;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::inventory::LiveSeats;
use http::StatusCode;
use serde::de::DeserializeOwned;
use ticketblitz_core::{Clock, EventId, SystemClock, Timestamp};

use crate::config::AuditArgs;
use crate::out::say;
use crate::role::Role;
use invariants::{Found, Ledger, Reading, check};

/// Readings while a violation is watched, the first left out.
const LOOKS: u32 = 5;
/// For one answer of the server or the provider: a ledger may be long.
const ANSWER: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: AuditArgs) -> Result<(), String> {
    if !args.data_dir.is_dir() {
        let dir = args.data_dir.display();
        return Err(format!("there is no data directory {dir}; name it with --data-dir"));
    }
    let auditor = Auditor::new(args, Arc::new(SystemClock))?;
    let (reading, Found { broken, notes }) = auditor.settled().await?;
    if broken.is_empty() {
        say!("{}", summary(&reading));
    }
    for violation in &broken {
        say!("{violation}");
    }
    for note in &notes {
        say!("note: {note}");
    }
    if broken.is_empty() {
        return Ok(());
    }
    // A booking that was cut off half way looks broken until it is finished.
    let idle = if reading.live.is_empty() {
        "; no server answers on this data: what one left unfinished is finished when it is started again"
    } else {
        ""
    };
    let violations = if broken.len() == 1 { "violation" } else { "violations" };
    Err(format!("the audit found {} {violations}{idle}", broken.len()))
}

pub(crate) struct Auditor {
    args: AuditArgs,
    clock: Arc<dyn Clock>,
    client: reqwest::Client,
}

impl Auditor {
    pub(crate) fn new(args: AuditArgs, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let client = reqwest::Client::builder().timeout(ANSWER).build();
        let client = client.map_err(|error| format!("no HTTP client: {error}"))?;
        Ok(Self { args, clock, client })
    }

    /// The last reading with its notes, and what was broken in it and in each one before it, for as long as it takes to
    /// settle.
    pub(crate) async fn settled(&self) -> Result<(Reading, Found), String> {
        let mut reading = self.read().await?;
        let mut found = check(&reading, self.clock.now());
        let began = Instant::now();
        while !found.broken.is_empty() && began.elapsed() < self.args.settle {
            tokio::time::sleep(self.args.settle / LOOKS).await; // between two looks
            reading = self.read().await?;
            let still = check(&reading, self.clock.now());
            found.broken.retain(|violation| still.broken.contains(violation));
            found.notes = still.notes;
        }
        Ok((reading, found))
    }

    async fn read(&self) -> Result<Reading, String> {
        let sentence = |error: platform::StartError| error.to_string();
        let dir = &self.args.data_dir;
        let inventory = inventory::audit::snapshot(dir).await.map_err(sentence)?;
        let now = self.clock.now();
        Ok(Reading {
            live: self.live(&inventory, now).await?,
            bookings: booking::audit::snapshot(dir).await.map_err(sentence)?,
            payments: payment::audit::payments(dir).await.map_err(sentence)?,
            notifications: notification::audit::notifications(dir).await.map_err(sentence)?,
            events: event::audit::snapshot(dir).await.map_err(sentence)?,
            ledger: self.ledger(dir).await?,
            work: work::read(dir).await.map_err(sentence)?,
            mails: mails(dir).await?,
            inventory,
        })
    }

    /// What the server shows of each event that it sells. A server that does not know an event serves other data.
    async fn live(
        &self,
        inventory: &inventory::audit::Snapshot,
        now: Timestamp,
    ) -> Result<Vec<LiveSeats>, String> {
        let port = Role::Inventory.port() + self.args.port_offset;
        let mut live = Vec::new();
        for event in inventory.events.iter().filter(|event| !event.closed && now < event.sales_end) {
            let url = format!("http://127.0.0.1:{port}/api/inventory/events/{}/seats", event.id);
            match self.client.get(&url).send().await {
                Ok(answer) if answer.status() == StatusCode::NOT_FOUND => {}
                Ok(answer) => live.push(json(&url, answer).await?),
                Err(error) if error.is_connect() => break,
                Err(error) => return Err(format!("{url}: {error}")),
            }
        }
        Ok(live)
    }

    /// The built-in provider's books, and those of the provider that the settings name: whoever went from one to
    /// the other has charges in both.
    async fn ledger(&self, dir: &Path) -> Result<Ledger, String> {
        let mut parts = Vec::new();
        if dir.join("psp.db").exists() {
            parts.push(psp::audit::ledger(dir).await.map_err(|error| error.to_string())?);
        }
        if let Some(base) = &self.args.psp_url {
            let url = format!("{}/v1/ledger", base.trim_end_matches('/'));
            let answer = self.client.get(&url).send().await;
            let answer = answer.map_err(|error| format!("the provider's ledger cannot be read: {error}"))?;
            parts.push(json(&url, answer).await?);
        }
        if parts.is_empty() {
            let dir = dir.display();
            return Err(format!("there is no psp.db in {dir}; name the payment provider with --psp-url"));
        }
        let (mut ledger, mut seen) = (Ledger::default(), HashSet::new());
        for part in parts {
            ledger.charges.extend(part.charges.into_iter().filter(|charge| seen.insert(charge.id.clone())));
            ledger.refunds.extend(part.refunds.into_iter().filter(|refund| seen.insert(refund.id.clone())));
        }
        Ok(ledger)
    }
}

/// The names of the files that mails are left in.
async fn mails(dir: &Path) -> Result<Option<HashSet<String>>, String> {
    let dir = dir.join("mail");
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", dir.display());
    let mut entries = match tokio::fs::read_dir(&dir).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = HashSet::new();
    while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
        names.insert(entry.file_name().to_string_lossy().into_owned());
    }
    Ok(Some(names))
}

async fn json<T: DeserializeOwned>(url: &str, answer: reqwest::Response) -> Result<T, String> {
    let answer = answer.error_for_status().map_err(|error| error.to_string())?;
    answer.json().await.map_err(|error| format!("{url} is not answered as expected: {error}"))
}

fn summary(reading: &Reading) -> String {
    let bookings = &reading.bookings.bookings;
    let confirmed = bookings.iter().filter(|b| b.status == booking::domain::Status::Confirmed).count();
    let places: u64 = reading.events.events.iter().map(|event| u64::from(event.total)).sum();
    let live: HashSet<EventId> = reading.live.iter().map(|live| live.event_id).collect();
    format!(
        "Every invariant holds: {} bookings ({confirmed} confirmed), {} tickets, {} payments, {} charges, {} refunds, \
         {} notifications, {} claims on {places} places of {} events, {} of them compared with what a server shows.",
        bookings.len(),
        reading.bookings.tickets.len(),
        reading.payments.len(),
        reading.ledger.charges.len(),
        reading.ledger.refunds.len(),
        reading.notifications.len(),
        reading.inventory.claims.len(),
        reading.events.events.len(),
        live.len(),
    )
}
