//! The expiry stream.
//!
//! An event's keys are in one slot of a cluster and the stream is in another, so nothing can be moved from the one to
//! the other in one step. What lapses is noted with the event, under a number; asking collects it and adds to the stream
//! what has a higher number than the stream has seen of that event; and the next collection removes it from the event.
//! Whoever goes away in between leaves it to be collected again, and it is still told once.

use futures::future::try_join_all;
use ticketblitz_core::EventId;

use super::driver::Value;
use super::wire::{self, Args};
use super::{RedisStore, scripts};
use crate::error::LockError;
use crate::types::{Cursor, Expired};

/// How many events are looked at, and how many holds of each are told, by one call at most.
const EVENTS: usize = 64;
const HOLDS: usize = 256;
/// More than the stream keeps; the server knows no numbers above 2^63.
const MOST: usize = 1 << 20;

impl RedisStore {
    pub(super) async fn read_expired(&self, after: &Cursor, limit: usize) -> Result<Expired, LockError> {
        let cursor = after.as_str();
        if !cursor.is_empty() && cursor.parse::<u64>().is_err() {
            return Err(LockError::invalid("not a cursor of this store"));
        }
        let keys = self.stream_keys();
        let args = Args::default().number(self.keep_stream()).number(EVENTS);
        let looked = self.link.run(&scripts::LOOK, &keys, &args).await;
        let looked = wire::list(looked.map_err(super::Failure::of_read)?)?;
        let (stamp, events) = looked.split_first().ok_or_else(|| wire::unreadable(&looked))?;

        let collected = try_join_all(events.chunks(2).map(|event| self.collect(event))).await?;
        let (mut gone, mut lapsed) = (Vec::new(), Vec::new());
        for (event, loaded, entries) in &collected {
            if !loaded && entries.is_empty() {
                gone.push(event);
            }
            lapsed.extend(entries.iter().flat_map(|entry| [event.as_bytes(), entry]));
        }
        let args = Args::default().number(self.keep_stream()).text(wire::text(stamp)?);
        let mut args = args.text(cursor).number(limit.min(MOST)).number(gone.len());
        args = gone.iter().fold(args, Args::text);
        args = lapsed.iter().fold(args, |args, part| args.part(part));
        let answer = self.link.run(&scripts::PUBLISH, &keys, &args).await;
        read(answer.map_err(super::Failure::of_read)?)
    }

    /// What lapsed in an event and the stream has not seen: with the event, and whether it is loaded.
    async fn collect(&self, event: &[Value]) -> Result<(String, bool, Vec<Vec<u8>>), LockError> {
        let [event, seen] = event else { return Err(wire::unreadable(event)) };
        let id: EventId = wire::text(event)?.parse().map_err(|_| wire::unreadable(event))?;
        let args = self.args().text(wire::text(seen)?).number(HOLDS);
        let answer = self.link.run(&scripts::COLLECT, &self.keys(id), &args).await;
        let mut answer = wire::list(answer.map_err(super::Failure::of_read)?)?;
        let (Some(entries), Some(state)) = (answer.pop(), answer.pop()) else {
            return Err(wire::unreadable(answer));
        };
        let entries = wire::list(entries)?.into_iter().map(|entry| match entry {
            Value::BulkString(bytes) => Ok(bytes),
            other => Err(wire::unreadable(other)),
        });
        Ok((id.to_string(), wire::text(&state)? == "LOADED", entries.collect::<Result<_, _>>()?))
    }
}

fn read(answer: Value) -> Result<Expired, LockError> {
    let answer = wire::list(answer)?;
    let [Value::Int(missed), next, Value::Array(entries)] = &answer[..] else {
        return Err(wire::unreadable(answer));
    };
    let mut holds = Vec::with_capacity(entries.len());
    for entry in entries {
        let Value::Array(parts) = entry else { return Err(wire::unreadable(entry)) };
        let Some((event, parts)) = parts.split_first() else { return Err(wire::unreadable(entry)) };
        let event = wire::text(event)?.parse().map_err(|_| wire::unreadable(event))?;
        holds.push(wire::read_hold(event, parts, None)?);
    }
    Ok(Expired::new(holds, Cursor::from_text(wire::text(next)?), *missed != 0))
}
