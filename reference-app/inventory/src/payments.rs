//! The inventory's side of a booking: from a hold to a sale or back.
//!
//! The lock goes first into payment, so that nobody takes the places while the store decides, and last out of
//! it. Whatever a crash leaves between the two heals by itself: a hold in payment that the store knows nothing of
//! ends with its grace, and what the store knows is loaded into the lock again.

use std::time::Duration;

use contract::inventory::{BeginPayment, SellOutcome};
use ticketblitz_core::BookingId;
use ticketblitz_lock::{HoldRef, LockError, Owner};

use crate::desk::{Desk, LockFailure};
use crate::error::Error;
use crate::store::{self, Begin, Claim, ClaimState, Refusal};

impl Desk {
    /// Moves a hold into payment. Answers the claim of the first booking that asked.
    pub(crate) async fn begin(&self, ask: &BeginPayment) -> Result<Claim, Error> {
        if let Some(first) = self.store.claim_on(ask.hold_id).await? {
            return self.answer(first, ask);
        }
        let owner = Owner::from(ask.user_id);
        let grace = Duration::from_secs(ask.deadline_seconds.saturating_add(ask.grace_seconds));
        for &event in self.events_of(ask.hold_id).await?.iter() {
            let hold = HoldRef { event, hold: ask.hold_id };
            match self.loaded(event, || self.begin_at(hold, &owner, grace, ask)).await {
                Ok(Ok(claim)) => return self.answer(claim, ask),
                Ok(Err(error)) => return Err(self.undo(hold, error).await),
                Err(LockFailure::Lock(LockError::NotHeld)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(Error::NotLive)
    }

    /// Lock, then store, with loads kept away from between the two.
    async fn begin_at(
        &self,
        hold: HoldRef,
        owner: &Owner,
        grace: Duration,
        ask: &BeginPayment,
    ) -> Result<Result<Claim, store::Error>, LockError> {
        let _pass = self.pass(hold.event).await;
        let held = self.locks.begin_commit(hold, owner, grace).await?;
        let now = self.clock.now();
        let begin = Begin {
            booking: ask.booking_id,
            owner: ask.user_id,
            hold,
            want: held.want,
            fence: held.fence,
            deadline: now + Duration::from_secs(ask.deadline_seconds),
            until: now + grace,
            now,
        };
        Ok(self.store.begin_payment(begin).await)
    }

    /// The store refused: such a hold can never be paid, so its places go back.
    async fn undo(&self, hold: HoldRef, error: store::Error) -> Error {
        let store::Error::Refused(refusal) = error else { return error.into() };
        // Alone, because another booking may just be beginning with the same hold: then the hold is its.
        let alone = self.alone(hold.event).await;
        if matches!(self.store.claim_on(hold.hold).await, Ok(None)) {
            self.abort(hold).await;
        }
        drop(alone);
        if refusal == Refusal::Taken {
            // The lock gave out what somebody else has.
            self.catch_up(hold.event).await;
        }
        error.into()
    }

    /// A claim is answered to its owner while it can still become a sale, or has become one.
    fn answer(&self, claim: Claim, ask: &BeginPayment) -> Result<Claim, Error> {
        let alive = claim.in_payment(self.clock.now())
            || matches!(claim.state, ClaimState::Sold | ClaimState::Reopened);
        if claim.owner == ask.user_id && alive { Ok(claim) } else { Err(Error::NotLive) }
    }

    /// Sells a booking its places.
    pub(crate) async fn sell(&self, booking: BookingId) -> Result<SellOutcome, Error> {
        let Some(claim) = self.store.claim_of(booking).await? else {
            // Through the store, which remembers that this booking was refused.
            return Ok(outcome(self.store.sell(booking, self.clock.now()).await?.sold));
        };
        let event = claim.hold.event;
        let pass = self.pass(event).await;
        let sale = self.store.sell(booking, self.clock.now()).await?;
        let told = if sale.sold {
            self.locks.sold(claim.hold, claim.fence, booking).await
        } else {
            self.abort(claim.hold).await;
            Ok(())
        };
        drop(pass);
        // Not loaded is well: the load will say it is sold. All else is a lock that knows less than the store.
        if !matches!(told, Ok(()) | Err(LockError::NotLoaded)) {
            self.catch_up(event).await;
        }
        Ok(outcome(sale.sold))
    }

    /// Frees the places of a booking that will not be paid.
    pub(crate) async fn release(&self, booking: BookingId) -> Result<(), Error> {
        let event = self.store.claim_of(booking).await?.map(|claim| claim.hold.event);
        let _pass = match event {
            Some(event) => Some(self.pass(event).await),
            None => None,
        };
        let claim = self.store.release(booking, self.clock.now()).await?;
        if let Some(claim) = claim.filter(|claim| claim.state == ClaimState::Released) {
            self.abort(claim.hold).await;
        }
        Ok(())
    }

    /// Frees the places of a booking that was refunded.
    pub(crate) async fn reopen(&self, booking: BookingId) -> Result<(), Error> {
        let Some(claim) = self.store.claim_of(booking).await? else { return Ok(()) };
        let _pass = self.pass(claim.hold.event).await;
        let reopened = self.store.reopen(booking, self.clock.now()).await?;
        if reopened.is_some_and(|claim| claim.state == ClaimState::Reopened) {
            match self.locks.reopen(claim.hold.event, booking).await {
                Ok(()) | Err(LockError::NotLoaded) => {}
                // Asked again, by whoever wants it reopened: it is idempotent.
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn outcome(sold: bool) -> SellOutcome {
    if sold { SellOutcome::Sold } else { SellOutcome::Refused }
}
