//! Durations as people write them: `500ms`, `600s`, `10m`, `2h`, `30d`.

use std::time::Duration;

/// Longer than any setting means; keeps sums of times within a calendar.
const MOST: Duration = Duration::from_secs(10 * 366 * 24 * 3_600);

pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration is a whole number and its unit: 500ms, 600s, 10m, 2h, 30d".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let duration = number.checked_mul(millis).map(Duration::from_millis).filter(|duration| *duration <= MOST);
    match duration {
        None => Err("a duration is at most ten years".to_owned()),
        Some(Duration::ZERO) => Err("a duration is more than zero".to_owned()),
        Some(duration) => Ok(duration),
    }
}

/// As [`parse`], for what is counted in seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        short if short < Duration::from_secs(1) => Err("it is at least one second".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_in_seconds_is_at_least_one() {
        assert_eq!(seconds("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(seconds("1000ms"), Ok(Duration::from_secs(1)));
        assert_eq!(seconds("999ms"), Err("it is at least one second".to_owned()));
        assert!(seconds("1").is_err());
    }

    #[test]
    fn a_duration_is_a_number_and_its_unit() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("600s"), Ok(Duration::from_secs(600)));
        assert_eq!(parse("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for text in
            ["", "10", "s", "-1s", "1.5s", "10 m", "10M", "0s", "99999999999999999999s", "4000d", "1é"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
