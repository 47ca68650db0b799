//! Each property, for bytes of all kinds and for what is nearly right.

use properties::{ALL, Property};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

/// What is done to a seed.
#[derive(Debug, Clone)]
enum Change {
    Removed(Index, Index),
    Inserted(Index, Vec<u8>),
    Replaced(Index, u8),
    Doubled(Index, Index),
}

fn changes() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        3 => select("0 1 9 - + . \" \\ { } [ ] , : ; = & % \0 \n a A Z é 😀 null 99999999999999999999 1e400 \\u0000 \\ud800"
            .split(' ').collect::<Vec<_>>()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    let at = any::<Index>;
    prop_oneof![
        (at(), at()).prop_map(|(from, to)| Change::Removed(from, to)),
        (at(), piece).prop_map(|(at, piece)| Change::Inserted(at, piece)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Replaced(at, byte)),
        (at(), at()).prop_map(|(from, to)| Change::Doubled(from, to)),
    ]
}

fn changed(seed: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for change in changes {
        let place = |index: &Index| index.index(bytes.len() + 1);
        let between =
            |one: &Index, other: &Index| (place(one).min(place(other)), place(one).max(place(other)));
        match change {
            Change::Removed(one, other) => {
                let (from, to) = between(one, other);
                bytes.drain(from..to);
            }
            Change::Inserted(at, piece) => {
                let at = place(at);
                bytes.splice(at..at, piece.iter().copied());
            }
            Change::Replaced(at, byte) => {
                let at = place(at);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Change::Doubled(one, other) => {
                let (from, to) = between(one, other);
                let piece = bytes[from..to].to_vec();
                bytes.splice(from..from, piece);
            }
        }
    }
    bytes
}

fn holds(property: &Property) {
    let near = (select(property.seeds.to_vec()), proptest::collection::vec(changes(), 0..5))
        .prop_map(|(seed, changes)| changed(seed, &changes));
    let input = prop_oneof![
        6 => near,
        2 => any::<String>().prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ];
    let config = Config { cases: 3_000, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&input, |bytes| {
        (property.check)(&bytes);
        Ok(())
    });
    if let Err(why) = outcome {
        panic!("{}: {why}", property.name);
    }
}

#[test]
fn every_property_holds_for_its_seeds() {
    for property in ALL {
        property.seeds.iter().for_each(|seed| (property.check)(seed.as_bytes()));
    }
}

#[test]
fn every_property_holds_for_generated_input() {
    ALL.iter().for_each(holds);
}

/// Deep, long and empty: what a generator of short things does not make.
#[test]
fn every_property_holds_for_extremes() {
    let deep = |open: &str, close: &str, depth: usize| open.repeat(depth) + &close.repeat(depth);
    for property in ALL {
        for text in [
            String::new(),
            "9".repeat(100_000),
            "A".repeat(100_000),
            "\"".repeat(10_000),
            deep("[", "]", 126),
            deep("[", "]", 127),
            deep("[", "]", 128),
            deep("[", "]", 129),
            deep("[", "]", 50_000),
            deep("{\"a\":", "}", 50_000),
            format!("{}=1", "a.".repeat(50_000)),
            format!("hold_ttl={}", deep("[", "]", 50_000)),
            format!("cursor={}", "A".repeat(60_000)),
        ] {
            (property.check)(text.as_bytes());
        }
    }
}
