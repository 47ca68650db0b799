//! The names that callers choose: of owners, sections and channels.

use crate::error::LockError;

/// Some hundred characters of any script, and no more than a database has in an index.
const MOST_BYTES: usize = 512;

/// Refuses a name that not every backend could keep. `what` says whose it is.
///
/// # Errors
/// [`LockError::Invalid`]: no name, one of more than 512 bytes, one with a control character.
pub(super) fn validate_name(what: &str, name: &str) -> Result<(), LockError> {
    if name.is_empty() {
        return Err(LockError::Invalid(format!("{what} without a name")));
    }
    if name.len() > MOST_BYTES {
        return Err(LockError::Invalid(format!(
            "{what} with a name of {} bytes: it may have {MOST_BYTES} at most",
            name.len()
        )));
    }
    // Most names are of these alone, and this is on the way of every hold.
    if name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    match name.chars().find(|c| c.is_control()) {
        Some(found) => {
            Err(LockError::Invalid(format!("{what} with the control character {found:?} in its name")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_line_of_bounded_length() {
        for name in ["a", " ", "~", "Ünter den Linden 7", "東京", &"a".repeat(512), &"é".repeat(256)] {
            validate_name("an owner", name).unwrap();
        }
        let refused = |name: &str| validate_name("an owner", name).unwrap_err().to_string();
        assert_eq!(refused(""), "invalid: an owner without a name");
        let long = "invalid: an owner with a name of 514 bytes: it may have 512 at most";
        assert_eq!(refused(&"é".repeat(257)), long);
        for name in ["\0", "a\0b", "a\n", "\u{7f}", "é\u{85}"] {
            assert!(refused(name).contains("control character"), "{name:?}");
        }
    }
}
