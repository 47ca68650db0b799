//! The fuzzer. `FUZZ_PROPERTY` names the property; its seeds are written to the directory `FUZZ_CORPUS` first.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use properties::{ALL, Property};

static PROPERTY: OnceLock<Property> = OnceLock::new();

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; see scripts/fuzz"))
}

fn begin() {
    let name = setting("FUZZ_PROPERTY");
    let property = ALL.into_iter().find(|property| property.name == name);
    let property = property.unwrap_or_else(|| panic!("there is no property {name}"));
    let corpus = std::path::PathBuf::from(setting("FUZZ_CORPUS"));
    for (number, seed) in property.seeds.iter().enumerate() {
        std::fs::write(corpus.join(format!("seed-{number}")), seed).expect("a seed is written");
    }
    assert!(PROPERTY.set(property).is_ok(), "begun twice");
}

fuzz_target!(init: begin(), |bytes: &[u8]| {
    (PROPERTY.get().expect("begun").check)(bytes);
});
