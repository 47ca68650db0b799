//! Whatever is sent to any endpoint of any role, the answer is one of the contract's, and afterwards everything
//! still holds: generated requests around right ones.
//!
//! `HOSTILE_CASES` says how many there are for each endpoint, `HOSTILE_SEED` which ones. The endpoints come from
//! the descriptions that the roles serve, so that a new one is covered by being there.
#![allow(clippy::print_stdout)] // what was tried

mod contract;
mod endpoints;
mod known;
mod values;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::common::wire::{Lost, Reply, Wire};
use crate::common::{System, setting};
use endpoints::Endpoint;
use known::Known;
use values::Request;

/// For each endpoint, in the ordinary suite.
const CASES: u32 = 60;

const ALIVE: &[u8] = b"GET /actuator/health/liveness HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_the_answer_is_one_of_the_contracts() {
    let system = System::start(&[("TICKETBLITZ_SERVICE_SECRET", known::SECRET)]).await;
    let provider = System::start(&[("TICKETBLITZ_ROLE", "psp")]).await;
    let mut known = Known::of(&system, &provider).await;
    let (sent, seen) = (AtomicU32::new(0), Mutex::new(BTreeMap::new()));
    for (number, endpoint) in (0..).zip(endpoints::all(&system, &provider).await) {
        if endpoint.described {
            known.refresh(&system, &provider).await;
            let right = values::right(&endpoint, &known);
            let reply = send(&endpoint, &right, &sent).await;
            let reply = reply.unwrap_or_else(|what| panic!("{right:?}: {what}"));
            // Otherwise what is behind it is never reached, and nothing about it is shown.
            assert!(reply.status < 400, "{right:?}: {} {}", reply.status, reply.text());
        }
        let (sent, seen) = (&sent, &seen);
        let outcome = runner(number, &endpoint).run(&values::requests(&endpoint, &known), |request| {
            let answered = send(&endpoint, &request, sent);
            let answered =
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(answered));
            let reply = answered.map_err(TestCaseError::fail)?;
            *seen.lock().expect("whole").entry((reply.status, reply.kind())).or_insert(0) += 1;
            Ok(())
        });
        match outcome {
            Ok(()) => known.give_back(&system).await,
            Err(TestError::Fail(why, request)) => panic!("port {}: {request:?}\n{why}", endpoint.port),
            Err(TestError::Abort(why)) => panic!("no cases: {why}"),
        }
    }
    still_sells(&system).await;
    let seen = seen.into_inner().expect("whole");
    println!("{} requests: {seen:?}", sent.into_inner());
    for status in [200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422] {
        assert!(seen.keys().any(|(answered, _)| *answered == status), "none was answered {status}: {seen:?}");
    }
}

/// Counts the cases that it has run, so each endpoint has one of its own.
fn runner(number: u32, endpoint: &Endpoint) -> TestRunner {
    let cases = setting("HOSTILE_CASES").unwrap_or(CASES);
    let cases = if endpoint.described { cases } else { cases / 6 };
    let seed = setting("HOSTILE_SEED").unwrap_or(1);
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Sends a request on a connection of its own; what is wrong with the answer, if anything is. A connection that
/// is not announced to end answers the next request too.
async fn send(endpoint: &Endpoint, request: &Request, sent: &AtomicU32) -> Result<Reply, String> {
    let bytes = request.bytes(sent.fetch_add(1, Ordering::Relaxed));
    let mut wire = Wire::connect(endpoint.port).await;
    let head = request.method == "HEAD";
    let reply = wire.exchange(&bytes, head).await.map_err(|lost| format!("no answer: {lost}"))?;
    contract::check(endpoint.role, &request.method, &reply)?;
    if !reply.is_last() {
        let next = wire.exchange(ALIVE, false).await;
        let alive = matches!(&next, Ok(next) if next.status == 200 && next.text() == r#"{"status":"UP"}"#);
        // What was sent behind a refusal may have met the end of the connection.
        let ended = matches!(next, Err(Lost::Closed(0) | Lost::Broken(_))) && reply.status >= 400;
        if !alive && !ended {
            return Err(format!("then {next:?} after {reply:?}"));
        }
    }
    Ok(reply)
}

/// A seat is sold on the event that nothing was sent to, and the books are in order.
async fn still_sells(system: &System) {
    let buyer = system.buyer("Bob").await;
    let booking = buyer.buy(&buyer.sample("VISUAL").await, &["A1"], "pm_ok").await;
    assert_eq!(booking["status"], "CONFIRMED", "{booking}");
    assert_eq!(buyer.tickets(&booking).await.len(), 1);
    let audit = system.run(&["audit", "--port-offset", &system.offset.to_string()]).await;
    let said = String::from_utf8_lossy(&audit.stdout).into_owned() + &String::from_utf8_lossy(&audit.stderr);
    assert!(audit.status.success(), "{said}");
}
