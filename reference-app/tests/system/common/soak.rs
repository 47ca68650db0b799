//! How large a run is, and the seed of what it leaves to chance.
#![allow(clippy::disallowed_methods)] // a test's own settings, not the product's
#![allow(clippy::print_stdout)] // the figures of a soak

use rand::SeedableRng;
use rand::rngs::StdRng;

/// `short` in the ordinary suite; where `SOAK` is set, so many times `full`.
pub fn size(short: usize, full: usize) -> usize {
    match std::env::var("SOAK") {
        Ok(times) => full * times.parse::<usize>().expect("SOAK is a whole number"),
        Err(_) => short,
    }
}

/// Chance, from `SEED` if that is set. What the machine's own timing decides is not in it.
pub fn chance(what: &str) -> StdRng {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a whole number"),
        Err(_) => rand::random(),
    };
    println!("{what}: SEED={seed}");
    StdRng::seed_from_u64(seed)
}
