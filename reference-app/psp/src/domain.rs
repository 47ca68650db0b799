//! Charges, refunds, and how each payment method behaves.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const REFERENCE_MAX: usize = 200;
const KEY_MAX: usize = 255;

/// A card, so to speak, and what happens when it is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PaymentMethod {
    /// The charge succeeds.
    #[serde(rename = "pm_ok")]
    Ok,
    /// The charge fails.
    #[serde(rename = "pm_declined")]
    Declined,
    /// The charge succeeds at once; the answer takes its time.
    #[serde(rename = "pm_slow")]
    Slow,
    /// The charge succeeds; the connection breaks before the answer of the first attempt.
    #[serde(rename = "pm_lost_reply_charged")]
    LostReplyCharged,
    /// The connection breaks at the first attempt, and nothing is charged by it.
    #[serde(rename = "pm_lost_reply_not_charged")]
    LostReplyNotCharged,
}

impl PaymentMethod {
    const ALL: [Self; 5] =
        [Self::Ok, Self::Declined, Self::Slow, Self::LostReplyCharged, Self::LostReplyNotCharged];

    /// As it is written in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "pm_ok",
            Self::Declined => "pm_declined",
            Self::Slow => "pm_slow",
            Self::LostReplyCharged => "pm_lost_reply_charged",
            Self::LostReplyNotCharged => "pm_lost_reply_not_charged",
        }
    }

    /// Whether the first attempt for a reference gets no answer.
    pub fn loses_first_reply(self) -> bool {
        matches!(self, Self::LostReplyCharged | Self::LostReplyNotCharged)
    }

    /// Whether an attempt leaves a charge in the ledger.
    pub fn records(self, first_attempt: bool) -> bool {
        !(first_attempt && self == Self::LostReplyNotCharged)
    }

    /// How an attempt that made a charge, or would have, is answered.
    pub fn reply(self, first_attempt: bool) -> Reply {
        match self {
            Self::LostReplyCharged | Self::LostReplyNotCharged if first_attempt => Reply::Lost,
            Self::Slow => Reply::Late,
            _ => Reply::Prompt,
        }
    }

    /// What the charge comes to.
    pub fn result(self) -> (ChargeStatus, Option<&'static str>) {
        match self {
            Self::Declined => (ChargeStatus::Failed, Some("card_declined")),
            _ => (ChargeStatus::Succeeded, None),
        }
    }
}

impl FromStr for PaymentMethod {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or(
            "must be one of pm_ok, pm_declined, pm_slow, pm_lost_reply_charged, pm_lost_reply_not_charged",
        )
    }
}

/// How the caller learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Prompt,
    Late,
    Lost,
}

/// A charge that is asked for, checked. Its JSON is what an Idempotency-Key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "charge")]
pub struct ChargeRequest {
    pub reference: String,
    pub amount: i64,
    pub currency: String,
    pub payment_method: PaymentMethod,
}

/// A refund that is asked for: of a charge, as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "refund")]
pub struct RefundRequest {
    pub charge_id: String,
}

/// What the merchant calls the thing that is paid for.
pub fn check_reference(text: &str) -> Result<(), &'static str> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > REFERENCE_MAX || text.chars().any(char::is_control) {
        return Err("must be 1 to 200 characters, not blank, without control characters");
    }
    Ok(())
}

/// Minor units.
pub fn check_amount(amount: i64) -> Result<(), &'static str> {
    if amount < 1 { Err("must be at least 1 minor unit") } else { Ok(()) }
}

/// An ISO 4217 code.
pub fn check_currency(text: &str) -> Result<(), &'static str> {
    let code = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    if code { Ok(()) } else { Err("must be three capital letters (ISO 4217), such as INR") }
}

/// An Idempotency-Key as Stripe takes them: up to 255 characters.
pub fn check_key(text: &str) -> Result<(), &'static str> {
    let visible = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if visible && text.len() <= KEY_MAX {
        Ok(())
    } else {
        Err("an Idempotency-Key is 1 to 255 visible ASCII characters")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChargeStatus {
    Succeeded,
    Failed,
}

/// A charge in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// `ch_...`
    pub id: String,
    /// The merchant's own.
    pub reference: String,
    /// Minor units.
    pub amount: i64,
    pub currency: String,
    pub status: ChargeStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
}

/// A refund in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// `re_...`
    pub id: String,
    pub charge_id: String,
    /// Minor units of the charge's currency.
    pub amount: i64,
}

/// Everything that ever happened, in the order in which it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ledger {
    pub charges: Vec<Charge>,
    pub refunds: Vec<Refund>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_is_written_as_it_is_read() {
        for method in PaymentMethod::ALL {
            assert_eq!(method.as_str().parse(), Ok(method));
            assert_eq!(serde_json::to_value(method).expect("serializes"), method.as_str());
        }
        for text in ["", "pm_OK", "ok", "pm_ok "] {
            assert!(text.parse::<PaymentMethod>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_the_first_reply_is_lost() {
        for method in PaymentMethod::ALL {
            assert_eq!(method.reply(true) == Reply::Lost, method.loses_first_reply(), "{method:?}");
            assert_ne!(method.reply(false), Reply::Lost, "{method:?}");
            assert!(method.records(false), "{method:?}");
            assert_eq!(method.records(true), method != PaymentMethod::LostReplyNotCharged, "{method:?}");
        }
    }

    #[test]
    fn requests_to_two_endpoints_are_never_the_same() {
        let refund = RefundRequest { charge_id: "ch_1".into() };
        let json = serde_json::to_string(&refund).expect("serializes");
        assert_eq!(json, r#"{"refund":"RefundRequest","chargeId":"ch_1"}"#);
    }

    #[test]
    fn fields_out_of_range_are_refused() {
        assert!(check_reference(" ").is_err() && check_reference(&"r".repeat(201)).is_err());
        assert!(check_reference(&"é".repeat(200)).is_ok());
        assert!(check_amount(0).is_err() && check_amount(i64::MIN).is_err() && check_amount(1).is_ok());
        assert!(
            check_currency("inr").is_err() && check_currency("€").is_err() && check_currency("INR").is_ok()
        );
        assert!(check_key("").is_err() && check_key("a b").is_err() && check_key(&"k".repeat(256)).is_err());
        assert!(check_key(&"k".repeat(255)).is_ok());
    }
}
