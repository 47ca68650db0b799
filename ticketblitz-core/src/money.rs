//! Money: whole minor units beside an ISO 4217 currency, and arithmetic that refuses instead of wrapping.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The codes of ISO 4217 that prices are made in, as of 2026: its list one without those that have no minor unit
/// (precious metals, most units of account of international bodies, tests, no currency).
const ACTIVE: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE \
    CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF \
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR \
    LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN \
    PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS \
    TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XCD XCG XOF XPF YER \
    ZAR ZMW ZWG";

/// An ISO 4217 currency code: three capital letters.
///
/// Any such code can be read: what was stored in a currency outlives it. Whoever takes one from a person asks whether it
/// [is active](Self::is_active).
///
/// ```
/// use ticketblitz_core::Currency;
/// assert!(Currency::INR.is_active());
/// assert!(!"DEM".parse::<Currency>()?.is_active()); // gave way to EUR
/// # Ok::<(), ticketblitz_core::ParseCurrencyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Indian rupee.
    pub const INR: Self = Self(*b"INR");
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");
    /// United States dollar.
    pub const USD: Self = Self(*b"USD");

    /// Whether prices are made in it: ISO 4217 lists it, and it has not been withdrawn.
    #[must_use]
    pub fn is_active(&self) -> bool {
        ACTIVE.split(' ').any(|code| code == self.as_str())
    }

    /// How many digits of an amount in minor units stand behind the point: 2, but for the currencies of ISO 4217
    /// that have none, three or four.
    #[must_use]
    pub fn minor_digits(self) -> u32 {
        match self.as_str() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
            | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        }
    }

    /// The code, `"INR"`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

/// Why a text is no currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three capital letters (ISO 4217), such as INR")]
pub struct ParseCurrencyError;

impl FromStr for Currency {
    type Err = ParseCurrencyError;

    fn from_str(text: &str) -> Result<Self, ParseCurrencyError> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(ParseCurrencyError),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Currency({self})")
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "sqlite")]
crate::sqlite_text!(Currency);

/// An amount in minor units (paise, cents) of one currency.
///
/// ```
/// use ticketblitz_core::{Currency, Money, MoneyError};
/// let seat = Money::new(10_000, Currency::INR);
/// assert_eq!(seat.plus(seat)?.minor(), 20_000);
/// assert_eq!(seat.plus(Money::new(1, Currency::EUR)), Err(MoneyError::CurrencyMismatch));
/// # Ok::<(), MoneyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    #[serde(rename = "amount")]
    minor: i64,
    currency: Currency,
}

/// Why a sum has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// The amounts are of two currencies.
    #[error("amounts of two currencies cannot be added")]
    CurrencyMismatch,
    /// The result does not fit in 64 bits.
    #[error("the amount is too large")]
    Overflow,
}

impl Money {
    /// `minor` units of `currency`.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The amount in minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum of two amounts of the same currency.
    ///
    /// # Errors
    /// Two currencies, or more than 64 bits.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// This amount `quantity` times.
    ///
    /// # Errors
    /// More than 64 bits.
    pub fn times(self, quantity: u32) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(i64::from(quantity)).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }
}

/// For people: `200.00 INR`, `1500 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.minor_digits();
        let unit = 10_u64.pow(digits);
        let (sign, amount) = (if self.minor < 0 { "-" } else { "" }, self.minor.unsigned_abs());
        write!(f, "{sign}{}", amount / unit)?;
        if digits > 0 {
            let width = usize::try_from(digits).unwrap_or_default();
            write!(f, ".{:0width$}", amount % unit)?;
        }
        write!(f, " {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_refuses_instead_of_wrapping() {
        let most = Money::new(i64::MAX, Currency::EUR);
        assert_eq!(most.plus(Money::new(1, Currency::EUR)), Err(MoneyError::Overflow));
        assert_eq!(most.times(2), Err(MoneyError::Overflow));
        assert_eq!(most.plus(Money::new(1, Currency::USD)), Err(MoneyError::CurrencyMismatch));
    }

    #[test]
    fn people_read_amounts_in_whole_units() {
        let text =
            |minor, currency: &str| Money::new(minor, currency.parse().expect("a currency")).to_string();
        assert_eq!(text(20_005, "INR"), "200.05 INR");
        assert_eq!((text(1_500, "JPY"), text(1_500, "KWD")), ("1500 JPY".to_owned(), "1.500 KWD".to_owned()));
        assert_eq!(
            (text(-5, "EUR"), text(i64::MIN, "JPY")),
            ("-0.05 EUR".to_owned(), "-9223372036854775808 JPY".to_owned())
        );
    }

    #[test]
    fn only_what_is_in_use_is_active() {
        assert!(ACTIVE.split(' ').all(|code| code.parse::<Currency>().is_ok_and(|code| code.is_active())));
        assert!(ACTIVE.split(' ').is_sorted_by(|one, next| one < next), "a code twice, or out of place");
        for code in ["ABC", "ZZZ", "XXX", "XTS", "XAU", "DEM", "HRK", "ZWL"] {
            assert!(!code.parse::<Currency>().expect("three capital letters").is_active(), "{code}");
        }
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert_eq!("INR".parse(), Ok(Currency::INR));
        for text in ["", "inr", "IN", "INRR", "1NR", "€UR"] {
            assert_eq!(text.parse::<Currency>(), Err(ParseCurrencyError), "{text:?}");
        }
    }
}
