//! A payment that is tried three times and made once, without HTTP.
//!
//! `cargo run -p examples --example idempotent_execute`
#![allow(clippy::print_stdout)]

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ticketblitz_core::SystemClock;
use ticketblitz_idempotency::{Error, Key, Keys, MemoryStore, Scope};

#[derive(Serialize)]
struct Charge {
    card: &'static str,
    amount: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Receipt {
    charged: u32,
}

async fn charge(request: &Charge) -> Result<Receipt, Error> {
    println!("charging {} on {}", request.amount, request.card);
    Ok(Receipt { charged: request.amount })
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let keys = Keys::new(MemoryStore::new(Arc::new(SystemClock)));
    let (ann, key) = (Scope::user("ann"), Key::new("order-7")?);
    let request = Charge { card: "4242", amount: 500 };

    // Two at once, as when a client times out and tries again: the second waits for the first.
    let (first, second) = tokio::join!(
        keys.execute(ann.clone(), key.clone(), &request, || charge(&request)),
        keys.execute(ann.clone(), key.clone(), &request, || charge(&request)),
    );
    let later = keys.execute(ann.clone(), key.clone(), &request, || charge(&request)).await?;
    let first = first?;
    assert_eq!((&first, &first), (&second?, &later));
    println!("three tries, one receipt: {first:?}");

    // The same key for something else is a mistake of the caller, not another payment.
    let larger = Charge { amount: 900, ..request };
    let refused = keys.execute(ann, key, &larger, || charge(&larger)).await;
    assert!(matches!(refused, Err(Error::Mismatch)));
    println!("another amount: {}", refused.expect_err("refused"));
    Ok(())
}
