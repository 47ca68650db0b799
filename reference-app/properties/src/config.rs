//! Settings, by the files of the binary that read them.

#[path = "../../src/config/duration.rs"]
mod durations;
#[allow(dead_code)] // where the file is
#[path = "../../src/config/file.rs"]
mod files;

use std::path::Path;
use std::time::Duration;

/// As in the binary.
#[derive(Debug)]
enum ConfigError {
    Sentence(String),
}

const KNOWN: [&str; 4] = ["hold_ttl", "port_offset", "sample_data", "psp_url"];

/// A duration is more than nothing, no longer than ten years, and the same in milliseconds.
pub(crate) fn duration(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    match durations::parse(text) {
        Ok(duration) => {
            assert!(
                duration > Duration::ZERO && duration <= Duration::from_secs(3_660 * 24 * 3_600),
                "{text:?}"
            );
            assert_eq!(durations::parse(&format!("{}ms", duration.as_millis())), Ok(duration));
            assert_eq!(durations::seconds(text).is_ok(), duration >= Duration::from_secs(1), "{text:?}");
        }
        Err(sentence) => {
            assert!(!sentence.is_empty());
            assert_eq!(durations::seconds(text), Err(sentence));
        }
    }
}

/// A file is refused with a sentence that names it, or says the same when it is written again.
pub(crate) fn file(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let known = KNOWN.map(str::to_owned);
    let path = Path::new("ticketblitz.toml");
    match files::read(path, text, &known) {
        Ok(settings) => {
            assert!(settings.iter().all(|(name, _)| known.contains(name)), "{settings:?}");
            let written: toml::Table = settings
                .iter()
                .map(|(name, value)| (name.clone(), toml::Value::String(value.clone())))
                .collect();
            let again = files::read(path, &written.to_string(), &known);
            assert_eq!(again.ok(), Some(settings));
        }
        Err(ConfigError::Sentence(sentence)) => assert!(sentence.contains("ticketblitz.toml"), "{sentence}"),
    }
}
