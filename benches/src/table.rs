//! What was measured, beside its floor and its goal, in Markdown.

use std::fmt;

/// Rows in the order in which they are to be read.
#[derive(Debug, Default)]
pub struct Table(Vec<Row>);

/// What was measured, and its floor: medians, in a unit.
#[derive(Debug)]
pub struct Row {
    pub what: String,
    pub unit: &'static str,
    pub measured: f64,
    pub floor: Option<f64>,
    pub goals: Vec<Goal>,
}

/// What is wished for.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// The ratio to the floor is at least this.
    RatioAtLeast(f64),
    /// The ratio to the floor is at most this.
    RatioAtMost(f64),
    AtLeast(f64),
    AtMost(f64),
    /// Neither more nor less: of what is counted.
    Exactly(f64),
}

impl Goal {
    fn met(self, measured: f64, ratio: Option<f64>) -> bool {
        match self {
            Self::RatioAtLeast(least) => ratio.is_some_and(|ratio| ratio >= least),
            Self::RatioAtMost(most) => ratio.is_some_and(|ratio| ratio <= most),
            Self::AtLeast(least) => measured >= least,
            Self::AtMost(most) => measured <= most,
            Self::Exactly(count) => (measured - count).abs() < f64::EPSILON,
        }
    }
}

impl Table {
    pub fn add(&mut self, row: Row) {
        self.0.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | measured | floor | ratio | goal |")?;
        write!(f, "|---|--:|--:|--:|---|")?;
        for Row { what, unit, measured, floor, goals } in &self.0 {
            let ratio = floor.map(|floor| measured / floor);
            let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
            let goals: Vec<_> = goals.iter().map(|goal| verdict(*goal, unit, *measured, ratio)).collect();
            let goals = if goals.is_empty() { "-".to_owned() } else { goals.join("; ") };
            let floor = floor.map_or_else(|| "-".to_owned(), |floor| with_unit(floor, unit));
            let measured = with_unit(*measured, unit);
            write!(f, "\n| {what} | {measured} | {floor} | {} | {goals} |", shown(ratio))?;
        }
        Ok(())
    }
}

fn verdict(goal: Goal, unit: &str, measured: f64, ratio: Option<f64>) -> String {
    let wish = match goal {
        Goal::RatioAtLeast(least) => format!("at least {} x", number(least)),
        Goal::RatioAtMost(most) => format!("at most {} x", number(most)),
        Goal::AtLeast(least) => format!("at least {}", with_unit(least, unit)),
        Goal::AtMost(most) => format!("at most {}", with_unit(most, unit)),
        Goal::Exactly(count) => format!("exactly {}", with_unit(count, unit)),
    };
    if goal.met(measured, ratio) { wish } else { format!("{wish}: **missed**") }
}

/// `1,234/s` and `1.23 ms`.
fn with_unit(value: f64, unit: &str) -> String {
    let space = if unit.is_empty() || unit.starts_with('/') { "" } else { " " };
    format!("{}{space}{unit}", number(value))
}

/// Three digits that count; whole from a hundred on, with commas.
fn number(value: f64) -> String {
    match value.abs() {
        small if small < 9.995 => format!("{value:.2}"),
        middle if middle < 99.95 => format!("{value:.1}"),
        _ => grouped(&format!("{value:.0}")),
    }
}

/// `10,000`.
pub fn counted(count: usize) -> String {
    grouped(&count.to_string())
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value that so many of a hundred do not exceed.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_that_is_missed_is_called_that() {
        let mut table = Table::default();
        let goals = vec![Goal::RatioAtLeast(0.5), Goal::AtLeast(1_300.0)];
        table.add(Row { what: "sold".into(), unit: "/s", measured: 1_234.5, floor: Some(2_000.0), goals });
        let goals = vec![Goal::RatioAtMost(3.0), Goal::AtMost(20.0)];
        table.add(Row { what: "took".into(), unit: "ms", measured: 12.34, floor: Some(4.0), goals });
        table.add(Row { what: "hello".into(), unit: "/s", measured: 1e6, floor: None, goals: vec![] });
        for measured in [1.0, 2.0] {
            let goals = vec![Goal::Exactly(1.0)];
            table.add(Row { what: "won".into(), unit: "winners", measured, floor: None, goals });
        }
        let rows: Vec<_> = table.to_string().lines().skip(2).map(str::to_owned).collect();
        assert_eq!(
            rows,
            [
                "| sold | 1,234/s | 2,000/s | 0.62 | at least 0.50 x; at least 1,300/s: **missed** |",
                "| took | 12.3 ms | 4.00 ms | 3.08 | at most 3.00 x: **missed**; at most 20.0 ms |",
                "| hello | 1,000,000/s | - | - | - |",
                "| won | 1.00 winners | - | - | exactly 1.00 winners |",
                "| won | 2.00 winners | - | - | exactly 1.00 winners: **missed** |",
            ]
        );
    }

    #[test]
    fn medians_and_percentiles_are_values_that_were_measured() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        for (percent, value) in [(50, 100.0), (99, 198.0), (100, 200.0)] {
            assert!((percentile(&values, percent) - value).abs() < f64::EPSILON);
        }
    }
}
