//! What the criterion benches and the on-sale measure alike: the floors that everything else is held against.

pub mod disk;
pub mod table;
