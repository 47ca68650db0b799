//! An event that is on sale, and who buys: accounts made in the data directory and tokens signed with the
//! instance's own key, since hashing a password for each of thousands would take longer than their sale.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auth::{Minter, Users};
use platform::auth::Role;
use serde_json::{Value, json};
use ticketblitz_core::{Clock, SystemClock, UserId};

use super::wire::{Connection, request};

/// Longer than any run.
const TOKEN_TTL: Duration = Duration::from_secs(3_600);
const A_MONTH: Duration = Duration::from_secs(30 * 86_400);

/// Who may sign for a system.
#[derive(Debug)]
pub(super) struct Mint {
    users: Users,
    minter: Minter,
}

impl Mint {
    pub(super) async fn of(data_dir: &Path) -> Result<Self, String> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let users = Users::open(data_dir, 1, Arc::clone(&clock)).await.map_err(|error| error.to_string())?;
        let minter = Minter::open(data_dir, clock).await.map_err(|error| error.to_string())?;
        Ok(Self { users, minter })
    }

    /// Tokens of so many buyers who need no account: nobody looks for one until a booking is confirmed.
    pub(super) fn strangers(&self, count: usize) -> Result<Vec<String>, String> {
        (0..count).map(|_| self.token(UserId::new(), Role::User)).collect()
    }

    /// Tokens of so many buyers with accounts.
    pub(super) async fn buyers(&self, count: usize) -> Result<Vec<String>, String> {
        let accounts = (0..count).map(|_| self.account(Role::User));
        futures::future::join_all(accounts).await.into_iter().collect()
    }

    async fn account(&self, role: Role) -> Result<String, String> {
        let address = format!("{}@example.com", UserId::new());
        let user = self.users.create_without_password(&address, "Buyer", role).await;
        self.token(user.map_err(|error| error.to_string())?, role)
    }

    fn token(&self, user: UserId, role: Role) -> Result<String, String> {
        self.minter.mint(user, role, TOKEN_TTL).map_err(|error| error.to_string())
    }
}

/// An event with numbered seats, all of them free.
#[derive(Debug)]
pub(super) struct Sale {
    pub(super) event: String,
    pub(super) seats: Vec<String>,
}

impl Sale {
    pub(super) async fn open(gateway: SocketAddr, mint: &Mint, seats: usize) -> Result<Self, String> {
        let organizer = mint.account(Role::Organizer).await?;
        let wanted = json!({
            "name": format!("Sale of {seats}"), "venue": "Bench Hall", "timeZone": "UTC", "currency": "EUR",
            "startsAt": SystemClock.now() + A_MONTH, "bookingMode": "VISUAL", "totalSeats": seats,
            "maxSeatsPerCustomer": 10_000,
        });
        let mut connection = Connection::open(gateway).await?;
        let make = request("POST /api/events", Some(&organizer), None, &wanted.to_string());
        let event = connection.exchange(&make).await?.json(201)?;
        let event = event["id"].as_str().ok_or("an event without id")?.to_owned();
        let look = request(&format!("GET /api/events/{event}/seats"), None, None, "");
        let layout = connection.exchange(&look).await?.json(200)?;
        let sections = layout["sections"].as_array().into_iter().flatten();
        let seats = sections.filter_map(|section| section["seats"].as_array()).flatten();
        let seats = seats.filter_map(|seat| seat.as_str().map(str::to_owned)).collect();
        Ok(Self { event, seats })
    }

    pub(super) fn hold(&self, seat: &str, token: &str) -> Vec<u8> {
        let body: Value = json!({"eventId": self.event, "seatIds": [seat]});
        request("POST /api/inventory/holds", Some(token), None, &body.to_string())
    }

    /// A request for each seat, by these buyers in turn.
    pub(super) fn hold_each(&self, tokens: &[String]) -> Vec<Vec<u8>> {
        self.seats.iter().zip(tokens.iter().cycle()).map(|(seat, token)| self.hold(seat, token)).collect()
    }
}
