//! Amounts and currencies.

use serde_json::json;
use ticketblitz_core::{Currency, Money};

/// Sums are those of whole numbers or refused; what people read is the whole amount.
pub(crate) fn money(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let mut words = text.split(' ');
    let Some(code) = words.next() else { return };
    let in_json: Option<Currency> = serde_json::from_value(json!(code)).ok();
    let Ok(currency) = code.parse::<Currency>() else { return assert_eq!(in_json, None) };
    assert_eq!((currency.as_str(), in_json), (code, Some(currency)));
    let (minor, quantity) = (words.next().and_then(|word| word.parse().ok()), words.next());
    let (minor, quantity): (i64, u32) =
        (minor.unwrap_or_default(), quantity.and_then(|word| word.parse().ok()).unwrap_or(2));
    let money = Money::new(minor, currency);
    let read = serde_json::from_str::<Money>(&json!(money).to_string()).expect("reads back");
    assert_eq!((read, read.minor()), (money, minor));

    let other = Money::new(i64::from(quantity) << 31, currency);
    let fits = |exact: i128| i64::try_from(exact).ok();
    let sum = fits(i128::from(minor) + i128::from(other.minor()));
    assert_eq!(money.plus(other).ok().map(Money::minor), sum);
    assert_eq!(money.plus(other), other.plus(money));
    let product = fits(i128::from(minor) * i128::from(quantity));
    assert_eq!(money.times(quantity).ok().map(Money::minor), product);
    let elsewhere = if currency == Currency::EUR { Currency::USD } else { Currency::EUR };
    assert!(money.plus(Money::new(1, elsewhere)).is_err());

    let shown = money.to_string();
    let (amount, unit) = shown.rsplit_once(' ').expect("a currency");
    let digits: String = amount.chars().filter(|c| *c != '.').collect();
    assert_eq!((digits.parse(), unit), (Ok(minor), code), "{shown}");
    let behind = amount.split_once('.').map_or(0, |(_, behind)| behind.len());
    assert_eq!(u32::try_from(behind), Ok(currency.minor_digits()), "{shown}");
}
