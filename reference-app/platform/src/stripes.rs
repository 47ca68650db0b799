//! One thing for each key, more or less.

use std::hash::{BuildHasher, Hash, RandomState};

/// A fixed number of locks, signals or counters, whatever keys are asked for: two keys that share one cost each other a
/// little time and nothing else.
///
/// ```
/// use platform::Stripes;
/// let counters = Stripes::<std::sync::atomic::AtomicU64>::new(64);
/// assert!(std::ptr::eq(counters.of("a"), counters.of("a")));
/// ```
#[derive(Debug)]
pub struct Stripes<T> {
    all: Box<[T]>,
    // Seeded, so that nobody can choose keys that all share one.
    hasher: RandomState,
}

impl<T: Default> Stripes<T> {
    /// So many, at least one.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let all = std::iter::repeat_with(T::default).take(count.max(1)).collect();
        Self { all, hasher: RandomState::new() }
    }
}

impl<T> Stripes<T> {
    /// The one of this key.
    pub fn of(&self, key: impl Hash) -> &T {
        // Shortened to the machine's words: which bits are kept is all the same.
        #[allow(clippy::cast_possible_truncation)]
        let hash = self.hasher.hash_one(key) as usize;
        &self.all[hash % self.all.len()]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_has_one_always_and_many_keys_have_them_all() {
        let stripes = Stripes::<std::sync::Mutex<()>>::new(8);
        let first = |key: u32| std::ptr::from_ref(stripes.of(key));
        assert!((0..1_000).all(|key| first(key) == first(key)));
        assert_eq!((0..1_000).map(first).collect::<HashSet<_>>().len(), 8);
        assert_eq!(Stripes::<u8>::new(0).of("any"), &0);
    }
}
