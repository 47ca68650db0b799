//! Every field of a JSON body that is of a wrong type.
//!
//! Reading stops at the first one. So its value is replaced by one that can be read there, which also tells what it
//! has to be, and the body is read again.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_path_to_error::{Path, Segment};

use super::not_json;
use crate::problem::{Invalid, Problem, kinds};

/// Each costs some more readings of the body: nobody is helped by a longer list.
const MOST: usize = 64;
/// `duplicate field` and its name in backticks: serde tells of these in words alone.
const TWICE: &str = "duplicate field `";

/// What is wrong with the fields of a body that cannot be read as a `T`.
pub(super) fn fields<T: DeserializeOwned>(text: &str) -> Problem {
    let mut invalid = Invalid::default();
    // Only the text has a field twice; the value below keeps the last one.
    let mut reader = serde_json::Deserializer::from_str(text);
    if let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut reader)
        && let Some(field) = twice(error.path(), &error.inner().to_string())
    {
        invalid.push(field, "is there twice");
    }
    let mut body: Value = match serde_json::from_str(text) {
        Ok(body) => body,
        Err(error) => return not_json(&error),
    };
    for _ in 0..MOST {
        let Err(error) = read::<T>(&body) else { break };
        let path = error.path();
        let Some(value) = at(&mut body, path) else { break };
        let given = value.take();
        let Some(must) = replace::<T>(&mut body, path) else {
            invalid.push(path.to_string(), "cannot be read");
            break;
        };
        invalid.push(path.to_string(), if must == WHOLE && is_too_long(&given) { TOO_LONG } else { must });
    }
    problem(invalid)
}

const WHOLE: &str = "must be a whole number";
const TOO_LONG: &str = "must be a whole number of at most 18 digits";

fn problem(invalid: Invalid) -> Problem {
    let errors = invalid.into_errors();
    if errors.is_empty() {
        return Problem::new(kinds::MALFORMED_REQUEST, "the body lacks what it must have");
    }
    let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
    let detail = format!("These fields cannot be read: {}", fields.join(", "));
    Problem::new(kinds::MALFORMED_REQUEST, detail).errors(errors)
}

fn read<T: DeserializeOwned>(body: &Value) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
    serde_path_to_error::deserialize(body)
}

/// Puts a value there that can be read, and says what it is.
fn replace<T: DeserializeOwned>(body: &mut Value, path: &Path) -> Option<&'static str> {
    let words = [
        (json!(""), "must be a text"),
        (json!(0), WHOLE),
        (json!(false), "must be true or false"),
        (json!([]), "must be a list"),
        (json!({}), "must be an object"),
    ];
    words.into_iter().find_map(|(stand_in, must)| {
        *at(body, path)? = stand_in;
        let fits = match read::<T>(body) {
            Ok(_) => true,
            Err(error) => error.path().to_string() != path.to_string(),
        };
        fits.then_some(must)
    })
}

/// The value that a path leads to; none for the body itself.
fn at<'v>(body: &'v mut Value, path: &Path) -> Option<&'v mut Value> {
    path.iter().next()?;
    path.iter().try_fold(body, |value, segment| match segment {
        Segment::Seq { index } => value.get_mut(*index),
        Segment::Map { key } => value.get_mut(key.as_str()),
        Segment::Enum { .. } | Segment::Unknown => None,
    })
}

/// Whether the number has so many digits that no field takes it; it may have been read as one with a point.
fn is_too_long(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number.abs() >= 1e18)
}

fn twice(parent: &Path, message: &str) -> Option<String> {
    let field = message.strip_prefix(TWICE)?.split('`').next()?;
    let parent = parent.to_string();
    Some(if parent == "." { field.to_owned() } else { format!("{parent}.{field}") })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[allow(dead_code)] // read, or not
    struct Request {
        name: Option<String>,
        total: Option<i64>,
        small: Option<u8>,
        open: Option<bool>,
        seat_ids: Option<Vec<String>>,
        sections: Option<Vec<Section>>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Section {
        name: Option<String>,
        price: Option<i64>,
    }

    fn wrong(text: &str) -> Vec<(String, String)> {
        let problem = super::super::parse::<Request>(text.as_bytes()).expect_err(text);
        assert_eq!(problem.status(), 400);
        problem.field_errors().iter().map(|error| (error.field.clone(), error.message.clone())).collect()
    }

    fn field(field: &str, message: &str) -> (String, String) {
        (field.to_owned(), message.to_owned())
    }

    #[test]
    fn every_field_of_a_wrong_type_is_named_with_what_it_must_be() {
        let text = r#"{"name": 1, "total": "many", "small": -1, "open": "yes", "seatIds": "A1", "sections": [5, {"name": 6,
            "price": 1.5}]}"#;
        assert_eq!(
            wrong(text),
            [
                field("name", "must be a text"),
                field("open", "must be true or false"),
                field("seatIds", "must be a list"),
                field("sections[0]", "must be an object"),
                field("sections[1].name", "must be a text"),
                field("sections[1].price", WHOLE),
                field("small", WHOLE),
                field("total", WHOLE),
            ]
        );
        assert_eq!(
            wrong(r#"{"seatIds": ["A1", 2, null]}"#),
            [field("seatIds[1]", "must be a text"), field("seatIds[2]", "must be a text")]
        );
    }

    #[test]
    fn a_number_that_fits_nowhere_is_no_floating_point_to_its_sender() {
        for number in ["100000000000000000000", "-100000000000000000000", "18446744073709551615", "1e300"] {
            assert_eq!(wrong(&format!("{{\"total\": {number}}}")), [field("total", TOO_LONG)]);
        }
        assert_eq!(wrong(r#"{"name": 1e300}"#), [field("name", "must be a text")]);
    }

    #[test]
    fn what_no_parser_takes_is_said_in_words_that_are_true_of_it() {
        for (text, why) in [
            (r#"{"total": 1e999}"#, "number out of range"),
            (r#"{"name": "\ud800"}"#, "unexpected end of hex escape"),
            (r#"{"name": "\udc00"}"#, "lone leading surrogate in hex escape"),
            (r#"{"name": nothing}"#, "expected ident"),
            (&format!("{{\"name\": 1, \"more\": {}", "[".repeat(20_000)), "recursion limit exceeded"),
        ] {
            let problem = super::super::parse::<Request>(text.as_bytes()).expect_err(why);
            let detail = problem.detail();
            assert_eq!(problem.status(), 400);
            assert!(
                detail.starts_with("the body cannot be read as JSON: ") && detail.contains(why),
                "{detail}"
            );
            assert!(detail.contains("at line 1 column"), "{detail}");
        }
    }

    #[test]
    fn a_field_twice_is_wrong_beside_others() {
        assert_eq!(wrong(r#"{"name": "a", "name": "b"}"#), [field("name", "is there twice")]);
        let text = r#"{"sections": [{"name": "a", "name": "b", "price": "x"}]}"#;
        assert_eq!(
            wrong(text),
            [field("sections[0].name", "is there twice"), field("sections[0].price", WHOLE)]
        );
    }

    #[test]
    fn a_body_with_nothing_right_is_answered_soon() {
        let many = format!("{{\"seatIds\": [{}1]}}", "1,".repeat(30_000));
        assert_eq!(wrong(&many).len(), MOST);
        assert!(wrong(r#"{"name": 1, "total":"#).is_empty(), "it breaks off");
        assert!(wrong(&format!("{{\"name\": 1, \"more\": {}", "[".repeat(20_000))).is_empty(), "too deep");
    }
}
