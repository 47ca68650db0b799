//! Holds: from a request's words to the lock's answer.

use std::time::Duration;

use contract::inventory::Hold;
use sha2::{Digest, Sha256};
use ticketblitz_core::id::Uuid;
use ticketblitz_core::{EventId, UserId};
use ticketblitz_lock::{AttemptId, HoldId, HoldRef, HoldRequest, LockError, Owner, Want};

use crate::desk::{Desk, LockFailure};
use crate::domain::{Asked, check_form};
use crate::error::Error;

impl Desk {
    /// Holds all of what was asked for, or nothing. With a key, whoever asks again gets the same hold.
    pub(crate) async fn hold(
        &self,
        user: UserId,
        event: Option<&str>,
        asked: &Asked<'_>,
        key: Option<&str>,
    ) -> Result<Hold, Error> {
        let mut wrong = check_form(asked);
        let parsed = event.map(str::parse::<EventId>);
        match parsed {
            None => wrong.push(("eventId", "required".to_owned())),
            Some(Err(error)) => wrong.push(("eventId", error.to_string())),
            Some(Ok(_)) => {}
        }
        let (Some(Ok(event)), true) = (parsed, wrong.is_empty()) else { return Err(Error::Invalid(wrong)) };
        let plan = self.plan(event).await?;
        let want = plan.want(asked).map_err(Error::Invalid)?;
        if !plan.on_sale(self.clock.now()) {
            return Err(Error::SalesClosed);
        }
        let limit = plan.event.max_seats_per_customer;
        if want.units() > limit {
            return Err(Error::OverLimit { limit, taken: 0 });
        }
        let mut request =
            HoldRequest::new(event, user, want).ttl(self.hold_ttl).ceiling(self.hold_ceiling).limit(limit);
        let Some(key) = key else { return self.place(&request).await };
        request = request.attempt(attempt(user, key));
        self.place_once(&request).await
    }

    async fn place(&self, request: &HoldRequest) -> Result<Hold, Error> {
        let hold = self.loaded(request.event, || self.locks.hold(request)).await?;
        Ok(wire(hold))
    }

    /// The lock remembers an attempt within its event; this notices the same key for another event.
    async fn place_once(&self, request: &HoldRequest) -> Result<Hold, Error> {
        let print = fingerprint(request.event, &request.want);
        let entry = self.attempts.entry(request.attempt).or_insert(print).await;
        let first = entry.is_fresh();
        if entry.into_value() != print {
            return Err(Error::KeyReused);
        }
        let placed = self.place(request).await;
        let refused = matches!(placed, Err(Error::Taken(_) | Error::OverLimit { .. } | Error::NotFound(_)));
        if first && refused {
            // Nothing came of it: the key is free for another choice of seats.
            self.attempts.invalidate(&request.attempt).await;
        }
        placed
    }

    /// The caller's own live hold.
    pub(crate) async fn get(&self, user: UserId, hold: HoldId) -> Result<Hold, Error> {
        let (_, live) = self.find(user, hold).await?;
        Ok(wire(live))
    }

    /// Makes the hold end `ttl` from now, at most at its ceiling.
    pub(crate) async fn extend(&self, user: UserId, hold: HoldId, ttl: Duration) -> Result<Hold, Error> {
        let (reference, owner) = self.movable(user, hold).await?;
        let extended = self.loaded(reference.event, || self.locks.extend(reference, &owner, ttl)).await?;
        Ok(wire(extended))
    }

    /// Gives the places back.
    pub(crate) async fn release_hold(&self, user: UserId, hold: HoldId) -> Result<(), Error> {
        let (reference, owner) = self.movable(user, hold).await?;
        match self.loaded(reference.event, || self.locks.release(reference, &owner)).await {
            Err(LockFailure::Lock(LockError::InPayment)) => self.release_unclaimed(reference).await,
            answer => Ok(answer?),
        }
    }

    /// In payment for the lock alone: the store could not note it, say because the disk was full. Its buyer may book it
    /// again, or give it back.
    async fn release_unclaimed(&self, hold: HoldRef) -> Result<(), Error> {
        // Alone: nobody is between the lock and the store with it.
        let _alone = self.alone(hold.event).await;
        if self.store.claim_on(hold.hold).await?.is_some() {
            return Err(Error::InPayment);
        }
        self.abort(hold).await;
        Ok(())
    }

    /// A hold that its owner may extend or release. The store is asked too: a lock that came back older may
    /// take a hold in payment for one that is merely held.
    async fn movable(&self, user: UserId, hold: HoldId) -> Result<(HoldRef, Owner), Error> {
        if let Some(claim) = self.store.claim_on(hold).await? {
            if claim.owner != user || !claim.in_payment(self.clock.now()) {
                return Err(Error::NotFound("hold"));
            }
            return Err(Error::InPayment);
        }
        let (reference, live) = self.find(user, hold).await?;
        Ok((reference, live.owner))
    }

    async fn find(&self, user: UserId, hold: HoldId) -> Result<(HoldRef, ticketblitz_lock::Hold), Error> {
        let owner = Owner::from(user);
        for &event in self.events_of(hold).await?.iter() {
            let reference = HoldRef { event, hold };
            match self.loaded(event, || self.locks.get(reference)).await {
                Ok(live) if live.owner == owner => return Ok((reference, live)),
                Ok(_) | Err(LockFailure::Lock(LockError::NotHeld)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(Error::NotFound("hold"))
    }
}

/// One attempt a user and key, whatever process asks.
fn attempt(user: UserId, key: &str) -> AttemptId {
    let digest = Sha256::new().chain_update(user.as_uuid().as_bytes()).chain_update(key).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    AttemptId::from_uuid(Uuid::from_bytes(bytes))
}

fn fingerprint(event: EventId, want: &Want) -> [u8; 32] {
    let digest = Sha256::new().chain_update(event.as_uuid().as_bytes());
    match want {
        Want::Seats(seats) => {
            seats.iter().fold(digest, |digest, seat| digest.chain_update(seat.to_string()).chain_update(","))
        }
        Want::Area { section, quantity } => {
            digest.chain_update(quantity.to_be_bytes()).chain_update(";").chain_update(section)
        }
    }
    .finalize()
    .into()
}

fn wire(hold: ticketblitz_lock::Hold) -> Hold {
    let quantity = hold.want.units();
    let (seat_ids, section) = match hold.want {
        Want::Seats(seats) => (seats, None),
        Want::Area { section, .. } => (Vec::new(), Some(section)),
    };
    Hold {
        hold_id: hold.id,
        event_id: hold.event,
        seat_ids,
        section,
        quantity,
        fence: hold.fence.as_u64(),
        expires_at: hold.expires_at,
        // Rounded up, so that a hold of ten minutes says 600 and no live hold says 0.
        ttl_seconds: hold.ttl.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX),
    }
}
