//! What the criterion benches and the on-sale measure alike: the floors that everything else is held against, and the
//! event that the lock's backends sell.

pub mod disk;
pub mod sale;
pub mod table;
