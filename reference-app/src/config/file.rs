//! The settings of a TOML file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The settings that the file of `--config` or `TICKETBLITZ_CONFIG` makes, as the texts that the command line
/// would have; none without such a file.
pub(super) fn settings(
    argv: &[OsString],
    environment: &[(OsString, OsString)],
    known: &[String],
) -> Result<Vec<(String, String)>, ConfigError> {
    let Some(path) = path(argv, environment) else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| wrong(&path, format_args!("cannot be read: {error}")))?;
    read(&path, &text, known)
}

/// The settings that `text` makes, the file at `path`.
pub(super) fn read(path: &Path, text: &str, known: &[String]) -> Result<Vec<(String, String)>, ConfigError> {
    let sentence = |what: String| wrong(path, what);
    let table: toml::Table = text.parse().map_err(|error| sentence(format!("is no TOML: {error}")))?;
    let mut settings = Vec::new();
    for (name, value) in table {
        if !known.contains(&name) || name == "config" {
            return Err(sentence(format!(
                "sets {name}, which is no setting; see `ticketblitz serve --help`"
            )));
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(on) => on.to_string(),
            _ => {
                return Err(sentence(format!(
                    "sets {name} to neither a text, a whole number, true nor false"
                )));
            }
        };
        settings.push((name, value));
    }
    Ok(settings)
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> ConfigError {
    ConfigError::Sentence(format!("the file {} {what}", path.display()))
}

/// The file has to be known before the command line is read in full: it makes that line's defaults.
fn path(argv: &[OsString], environment: &[(OsString, OsString)]) -> Option<PathBuf> {
    let mut args = argv.iter();
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(path) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    environment.iter().find(|(name, _)| name == "TICKETBLITZ_CONFIG").map(|(_, path)| path.into())
}
