//! Bodies: JSON that is hard to read, store or compare, and what is no JSON at all.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{fields, object, replaced};
use crate::hostile::endpoints::Endpoint;
use crate::hostile::known::Known;

/// Texts that are hard to read, store or compare, as JSON.
fn texts(known: &Known) -> impl Strategy<Value = String> + use<> {
    let mut texts: Vec<String> = [
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"a\\u0000b\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"é\"",
        "\"e\\u0301\"",
        "\"\\u202e\\ufeff\"",
        "\"A1\"",
        "\"a1\"",
        "\"1\"",
        "\"'; DROP TABLE events; --\"",
        "\"%s%n\"",
        "\"<script>\"",
        "\"\\r\\nX: y\"",
        "\"9999-12-31T23:59:60Z\"",
        "\"-009999-01-01T00:00:00Z\"",
        "\"2031-02-30T00:00:00Z\"",
        "\"2031-05-01T10:00:00+99:99\"",
        "\"2031-05-01T10:00:00.123456789123Z\"",
        "\"2031-05-01T10:00:00Z[Europe/Paris]\"",
        "\"2001-01-01T00:00:00Z\"",
        "\"2031-04-01T00:00:00Z\"",
        "\"../../etc/localtime\"",
        "\"Etc/Unknown\"",
        "\"VISUAL\"",
        "\"TATKAL\"",
        "\"GENERAL\"",
        "\"pm_declined\"",
        "\"a@b\"",
        "\"a@b.c\\u0000\"",
        "\"JPY\"",
        "\"018f0000-0000-7000-8000-000000000000\"",
        "\"00000000-0000-0000-0000-000000000000\"",
        "\"@@NEW@@@example.com\"",
    ]
    .map(str::to_owned)
    .into();
    texts.push(known.user.session["email"].to_string());
    prop_oneof![
        10 => select(texts),
        1 => select(vec![100usize, 200, 201, 5_000, 60_000]).prop_map(|length| json!("a".repeat(length)).to_string()),
        1 => any::<String>().prop_map(|text| json!(text).to_string()),
    ]
}

fn numbers() -> impl Strategy<Value = String> {
    let numbers: Vec<String> = [
        "0",
        "-0",
        "-1",
        "1",
        "1.5",
        "1e0",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "4294967295",
        "4294967296",
        "2147483648",
        "1e308",
        "1e400",
        "-1e400",
        "1E-400",
        "0.1",
        "100000",
        "100001",
    ]
    .map(str::to_owned)
    .into();
    prop_oneof![
        6 => select(numbers),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()).prop_map(|n| n.to_string()),
    ]
}

fn lists() -> impl Strategy<Value = String> {
    let lists: Vec<String> = [
        "[]", "[null]", "[[]]", "[\"A1\"]", "[\"A2\",\"A3\"]", "[\"A1\",\"A1\"]", "[\"a1\",\"A01\",\"ZZZZ99999\",\"\"]", "[\"B1\",1]",
        "[{\"name\":\"x\",\"price\":-1,\"seats\":[\"A1\",\"A1\",\"a\"]},{\"name\":\"x\",\"price\":1e400}]",
        "[{\"name\":\"x\",\"price\":-1,\"seats\":[\"A1\",\"A1\",\"a\"]},{\"name\":\"x\",\"price\":1,\"seats\":[\"A1\"]}]",
        "[{\"name\":\"x\",\"price\":9223372036854775807,\"seats\":[\"A1\",\"A2\"]}]", "[{},{},{}]",
        "[{\"name\":\"x\",\"price\":1,\"capacity\":0},{\"name\":\"x\",\"price\":1,\"seats\":[]}]",
        "[{\"name\":\"x\",\"price\":1,\"capacity\":5,\"seats\":[\"A1\"]}]", "[{\"name\":\"x\",\"price\":0,\"seats\":[\"A1\",\"A3\"]}]",
    ]
    .map(str::to_owned)
    .into();
    prop_oneof![
        8 => select(lists),
        1 => select(vec![127usize, 128, 129, 20_000]).prop_map(|d| format!("{}{}", "[".repeat(d), "]".repeat(d))),
        1 => select(vec![10_001usize, 30_000, 100_000]).prop_map(|count| format!("[{}0]", "0,".repeat(count - 1))),
        1 => Just(format!("[{}\"B1\"]", "\"B1\",".repeat(12_000))),
    ]
}

/// A value for a field of this schema: mostly of its type.
fn values(schema: &Value, known: &Known) -> BoxedStrategy<String> {
    let any = prop_oneof![
        texts(known),
        numbers(),
        lists(),
        select(vec!["null", "true", "false", "{}", "{\"a\":{}}"]).prop_map(str::to_owned),
    ];
    match schema["type"].as_str().or_else(|| schema["type"][0].as_str()) {
        Some("integer" | "number") => prop_oneof![3 => numbers(), 1 => any].boxed(),
        Some("string") => prop_oneof![3 => texts(known), 1 => any].boxed(),
        Some("array") => prop_oneof![3 => lists(), 1 => any].boxed(),
        _ => any.boxed(),
    }
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy)]
enum Change {
    Replaced,
    Removed,
    Doubled,
    Added,
}

pub fn bodies(endpoint: &Endpoint, known: &Known, right: &[u8]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let fields = fields(endpoint, known);
    let nobodys = ("a".to_owned(), Value::Null);
    let of_field = endpoint.body.iter().flatten().chain([&nobodys]);
    let change: Vec<_> =
        of_field.map(|(name, schema)| (Just(name.clone()), values(schema, known)).boxed()).collect();
    let how =
        select(vec![Change::Replaced, Change::Replaced, Change::Removed, Change::Doubled, Change::Added]);
    let changes = proptest::collection::vec((how, proptest::strategy::Union::new(change)), 1..4);
    let changed = changes.prop_map(move |changes| {
        let mut fields = fields.clone();
        for (how, (name, value)) in changes {
            if matches!(how, Change::Replaced | Change::Removed) {
                fields.retain(|(known, _)| *known != name);
            }
            let copies = match how {
                Change::Removed => 0,
                Change::Doubled => 2,
                Change::Replaced | Change::Added => 1,
            };
            fields.extend(std::iter::repeat_n((name.clone(), value), copies));
        }
        object(&fields).into_bytes()
    });
    prop_oneof![
        2 => Just(right.to_vec()),
        8 => changed,
        2 => damaged(right),
        1 => prop_oneof![texts(known), numbers(), lists()].prop_map(String::into_bytes),
    ]
}

/// The right body, cut, extended, or in bytes that are no text.
fn damaged(right: &[u8]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let odd: Vec<Vec<u8>> = vec![
        Vec::new(),
        b" ".to_vec(),
        [b"\xef\xbb\xbf", right].concat(),
        [right, b"\xff"].concat(),
        [right, right].concat(),
        [right, b"\0"].concat(),
        [&*b" ".repeat(65_536 - right.len()), right].concat(),
        [&*b" ".repeat(65_537 - right.len()), right].concat(),
        [&*b" ".repeat(1_000_000), right].concat(),
        replaced(right, b":", b":\xc3\x28"),
        [b"{\"a\":\"\xff\xfe\",", right.get(1..).unwrap_or_default()].concat(),
        [b"{\"a\":\"\\ud800\",", right.get(1..).unwrap_or_default()].concat(),
        [b"{\"a\":\"\0\n\",", right.get(1..).unwrap_or_default()].concat(),
        [b"[", right, b"]"].concat(),
        right.iter().flat_map(|byte| [*byte, 0]).collect(),
        b"{\"a\":".repeat(12_000),
    ];
    let cut = right.to_vec();
    prop_oneof![
        4 => select(odd),
        1 => (0..=cut.len()).prop_map(move |at| cut[..at].to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..100),
    ]
}
