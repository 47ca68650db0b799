//! What the commands print. Whoever reads it may stop (`ticketblitz audit | head -1`): that is no reason for a panic, nor
//! for the work to stop.

use std::fmt::Arguments;
use std::io::{self, Write};

/// Prints a line, if anybody reads it: `println!` would panic.
macro_rules! say {
    ($($line:tt)*) => {
        // Nobody is left to be told of it.
        let _ = $crate::out::line(format_args!($($line)*));
    };
}
pub(crate) use say;

/// Prints a line in one piece.
pub(crate) fn line(line: Arguments<'_>) -> io::Result<()> {
    piece(&format!("{line}\n"))
}

/// Prints what may be less than a line.
pub(crate) fn piece(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says on the error stream why a command failed.
pub(crate) fn failure(sentence: &str) {
    // As with what is printed.
    let _ = io::stderr().write_all(format!("ticketblitz: {sentence}\n").as_bytes());
}
