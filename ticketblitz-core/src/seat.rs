//! Seats: a row of letters and a number, `A1` to `Z99`, then `AA1` and on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Rows of at most four letters: A to ZZZZ are 475,254 rows, more than any venue has.
const MAX_LETTERS: usize = 4;
const MAX_NUMBER: u32 = 99_999;

/// A seat, `A1`. Ordered as people order seats: `A2` before `A10`, row `Z` before row `AA`.
///
/// One seat has one spelling: `a1`, `A01`, `A0` and ` A1` are refused, so equal text means equal seat.
///
/// ```
/// use ticketblitz_core::SeatId;
/// let seat: SeatId = "AA7".parse().unwrap();
/// assert_eq!((seat.row(), seat.number()), (27, 7));
/// assert_eq!(SeatId::new(27, 7), Some(seat));
/// assert!("A0".parse::<SeatId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeatId {
    row: u32,
    number: u32,
}

/// Why a text is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a seat is one to four capital letters and a number without leading zeros, such as A1 or AA12")]
pub struct ParseSeatError;

impl SeatId {
    /// The seat `number` (from 1) in the `row`-th row (from 1: `A`); `None` out of range.
    #[must_use]
    pub const fn new(row: u32, number: u32) -> Option<Self> {
        // 26 + 26^2 + 26^3 + 26^4
        if row == 0 || row > 475_254 || number == 0 || number > MAX_NUMBER {
            return None;
        }
        Some(Self { row, number })
    }

    /// The row, counted from 1: `A` is 1, `Z` 26, `AA` 27.
    #[must_use]
    pub const fn row(self) -> u32 {
        self.row
    }

    /// The number within the row, from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }
}

impl FromStr for SeatId {
    type Err = ParseSeatError;

    fn from_str(text: &str) -> Result<Self, ParseSeatError> {
        let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
        let digits = text.as_bytes().get(letters..).unwrap_or_default();
        let well_formed = (1..=MAX_LETTERS).contains(&letters)
            && (1..=5).contains(&digits.len())
            && digits.iter().all(u8::is_ascii_digit)
            && digits.first() != Some(&b'0');
        if !well_formed {
            return Err(ParseSeatError);
        }
        let row = text.bytes().take(letters).fold(0, |row, letter| row * 26 + u32::from(letter - b'A') + 1);
        let number = digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        Self::new(row, number).ok_or(ParseSeatError)
    }
}

impl fmt::Display for SeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = [b'A'; MAX_LETTERS];
        let mut at = MAX_LETTERS;
        let mut row = self.row;
        while row > 0 {
            at -= 1;
            letters[at] = b'A' + u8::try_from((row - 1) % 26).unwrap_or_default();
            row = (row - 1) / 26;
        }
        for letter in &letters[at..] {
            write!(f, "{}", char::from(*letter))?;
        }
        write!(f, "{}", self.number)
    }
}

impl fmt::Debug for SeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeatId({self})")
    }
}

impl Serialize for SeatId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SeatId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "sqlite")]
crate::sqlite_text!(SeatId);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_is_numeric_and_rows_go_past_z() {
        let mut seats: Vec<SeatId> =
            ["AA1", "A10", "Z9", "A2", "B1", "A1"].iter().map(|s| s.parse().expect("a seat")).collect();
        seats.sort();
        let text: Vec<String> = seats.iter().map(SeatId::to_string).collect();
        assert_eq!(text, ["A1", "A2", "A10", "B1", "Z9", "AA1"]);
    }

    #[test]
    fn another_spelling_is_no_seat() {
        for text in ["", "A", "1", "a1", "A0", "A01", " A1", "A1 ", "A-1", "ABCDE1", "A100000", "Ä1", "A1B"]
        {
            assert_eq!(text.parse::<SeatId>(), Err(ParseSeatError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_and_seat_are_one_to_one(row in 1u32..=475_254, number in 1u32..=MAX_NUMBER) {
            let seat = SeatId::new(row, number).expect("in range");
            prop_assert_eq!(seat.to_string().parse::<SeatId>(), Ok(seat));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            if let Ok(seat) = text.parse::<SeatId>() {
                prop_assert_eq!(seat.to_string(), text);
            }
        }
    }
}
