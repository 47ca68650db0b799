//! Operations whose answer counts decide: what has lapsed is cleaned up before they answer.

use ticketblitz_core::EventId;

use super::driver::Value;
use super::link::Failure;
use super::scripts::Script;
use super::wire::{self, Args};
use super::{RedisStore, scripts};

impl RedisStore {
    /// Runs a script. If more has lapsed than one call may clean up, which would keep the server from everybody else,
    /// further calls go on with it before the script is asked again. What each of them did stays done.
    pub(super) async fn run_cleaned(
        &self,
        script: &Script,
        event: EventId,
        args: &Args,
    ) -> Result<Value, Failure> {
        let keys = self.keys(event);
        loop {
            let answer = self.link.run(script, &keys, args).await?;
            if !wire::is_more(&answer) {
                return Ok(answer);
            }
            loop {
                let cleaned = self.link.run(&scripts::RECLAIM, &keys, &self.args()).await;
                if !wire::is_more(&cleaned.map_err(Failure::before)?) {
                    break;
                }
            }
        }
    }
}
