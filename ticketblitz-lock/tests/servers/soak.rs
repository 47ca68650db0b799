//! How large a test is.

/// `short` in the ordinary suite; where `SOAK` is set, so many times `full`.
#[allow(clippy::disallowed_methods)] // a test's own setting
pub fn soak(short: u32, full: u32) -> u32 {
    match std::env::var("SOAK") {
        Ok(times) => full * times.parse::<u32>().expect("SOAK is a whole number"),
        Err(_) => short,
    }
}
