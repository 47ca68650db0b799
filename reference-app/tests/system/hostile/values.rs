//! Requests of every kind: right ones, right ones with one thing wrong, and nonsense.

mod bodies;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::endpoints::Endpoint;
use super::known::{Known, NEW};

/// Names and values, in the order of their lines.
type Headers = Vec<(String, Vec<u8>)>;

/// What is sent. Shown short when it fails.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub target: Vec<u8>,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub chunked: bool,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |bytes: &[u8]| match bytes.len() {
            0..600 => String::from_utf8_lossy(bytes).into_owned(),
            long => format!("{} and on, {long} bytes", String::from_utf8_lossy(&bytes[..200])),
        };
        write!(f, "{} {}", self.method, short(&self.target))?;
        for (name, value) in &self.headers {
            write!(f, " | {name}: {}", short(value))?;
        }
        write!(f, " | {}{}", if self.chunked { "in chunks: " } else { "" }, short(&self.body))
    }
}

impl Request {
    /// As bytes, with what is to be new made of `number`.
    pub fn bytes(&self, number: u32) -> Vec<u8> {
        let seat = format!(
            "{}{}",
            char::from(b'B' + u8::try_from(number / 10 % 24).expect("small")),
            number % 10 + 1
        );
        let filled = |bytes: &[u8]| {
            let bytes = replaced(bytes, NEW.as_bytes(), format!("new-{number}").as_bytes());
            replaced(&bytes, super::known::SEAT.as_bytes(), seat.as_bytes())
        };
        let body = filled(&self.body);
        let mut out = [self.method.as_bytes(), b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        for (name, value) in &self.headers {
            out.extend([name.as_bytes(), b": ", &filled(value), b"\r\n"].concat());
        }
        if self.chunked {
            out.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in body.chunks(1_000) {
                out.extend(format!("{:x};a=b\r\n", chunk.len()).bytes());
                out.extend([chunk, b"\r\n"].concat());
            }
            out.extend(b"0\r\n\r\n");
        } else {
            out.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
            out.extend(body);
        }
        out
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from) {
        out.extend([&bytes[at..at + found], to].concat());
        at += found + from.len();
    }
    out.extend(&bytes[at..]);
    out
}

/// A request that is right.
pub fn right(endpoint: &Endpoint, known: &Known) -> Request {
    let mut target = endpoint.template.clone();
    for name in parameters(&endpoint.template) {
        target = target.replace(&format!("{{{name}}}"), &known.parameter(endpoint, &name));
    }
    let pairs: Vec<String> =
        endpoint.query.iter().filter_map(|name| Some(format!("{name}={}", known.query(name)?))).collect();
    if !pairs.is_empty() {
        target = format!("{target}?{}", pairs.join("&"));
    }
    let mut headers = vec![
        ("Host".to_owned(), b"localhost".to_vec()),
        ("Authorization".to_owned(), format!("Bearer {}", known.token(endpoint)).into_bytes()),
        ("Idempotency-Key".to_owned(), NEW.as_bytes().to_vec()),
    ];
    let mut body = Vec::new();
    if endpoint.body.is_some() {
        headers.push(("Content-Type".to_owned(), b"application/json".to_vec()));
        body = object(&fields(endpoint, known)).into_bytes();
    }
    Request { method: endpoint.method.clone(), target: target.into_bytes(), headers, body, chunked: false }
}

/// The names between braces.
fn parameters(template: &str) -> Vec<String> {
    template.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())).collect()
}

/// The fields of a body that is right, each with its JSON as text.
fn fields(endpoint: &Endpoint, known: &Known) -> Vec<(String, String)> {
    let fields = endpoint.body.iter().flatten();
    let known = fields.filter_map(|(name, schema)| {
        let left_out = ["section", "sections", "quantity", "salesStart", "salesEnd", "waitingRoom"];
        let value = known.field(endpoint, name);
        let value = value.or_else(|| (!left_out.contains(&&**name)).then(|| of_schema(schema)))?;
        Some((name.clone(), value.to_string()))
    });
    known.collect()
}

/// Something of the type that a schema names, for a field that nobody has told a better value of.
fn of_schema(schema: &Value) -> Value {
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!("a"),
    }
}

fn object(fields: &[(String, String)]) -> String {
    let members: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", members.join(","))
}

/// Requests around the right one: most parts of most of them are right.
pub fn requests(endpoint: &Endpoint, known: &Known) -> impl Strategy<Value = Request> + use<> {
    let right = right(endpoint, known);
    (
        mostly(15, right.method.clone(), methods()),
        mostly(4, right.target.clone(), targets(&right.target)),
        headers(&right, known),
        bodies::bodies(endpoint, known, &right.body),
        any::<bool>(),
    )
        .prop_map(|(method, target, headers, body, chunked)| Request {
            method,
            target,
            headers,
            body,
            chunked,
        })
}

/// What is right, `weight` times as often as something else.
fn mostly<T, S>(weight: u32, right: T, other: S) -> impl Strategy<Value = T> + use<T, S>
where
    T: Clone + std::fmt::Debug + 'static,
    S: Strategy<Value = T> + 'static,
{
    prop_oneof![weight => Just(right), 1 => other]
}

fn methods() -> impl Strategy<Value = String> {
    let usual = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
    let made_up = ["BREW", "get", "G", "PROPFIND", "M-SEARCH"];
    prop_oneof![
        8 => select(usual.to_vec()).prop_map(str::to_owned),
        2 => select(made_up.to_vec()).prop_map(str::to_owned),
        1 => Just("X".repeat(5_000)),
    ]
}

/// Bytes that a part of a path or a query can be, percent-encoded and not.
fn parts() -> impl Strategy<Value = Vec<u8>> {
    let odd: Vec<&[u8]> = vec![
        b"",
        b"x",
        b"0",
        b"-1",
        b"%00",
        b"%FF%FE",
        b"%C3%28",
        b"%2F",
        b"%2e%2e",
        b"..",
        b".",
        b"%zz",
        b"%",
        b"*",
        b"{id}",
        b";a=b",
        b"\xff\xfe",
        b"\xf0\x9f\x98\x80",
        b"%F0%9F%98%80",
        b"%0d%0aX:%20y",
        b"a%20b",
        b"a+b",
        b"'--",
        b"00000000-0000-0000-0000-000000000000",
        b"ffffffff-ffff-ffff-ffff-ffffffffffff",
        b"018f0000-0000-7000-8000-000000000000",
        b"018F0000-0000-7000-8000-00000000000G",
        b"%30%31%38f0000-0000-7000-8000-000000000000",
        b"{018f0000-0000-7000-8000-000000000000}",
        b"a\\b",
        b"\"",
        b"<",
        b"^`|",
        b"#a",
        b"\x01",
        b"[::1]",
        b"99999999999999999999999999",
        b"1e400",
        b"true",
        b"null",
    ];
    prop_oneof![
        12 => select(odd).prop_map(<[u8]>::to_vec),
        2 => (1usize..9_000).prop_map(|length| vec![b'a'; length]),
        1 => Just(b"a".repeat(70_000)),
        3 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(without_breaks),
    ]
}

/// A line break would be another header or another request, which is not what these are about.
fn without_breaks(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
}

fn targets(right: &[u8]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let text = String::from_utf8_lossy(right).into_owned();
    let (path, query) = text.split_once('?').map_or((text.as_str(), ""), |(path, query)| (path, query));
    let (path, query) = (path.to_owned(), query.to_owned());
    let segments: Vec<Vec<u8>> = path.split('/').skip(1).map(|part| part.as_bytes().to_vec()).collect();
    let (first, count) = (path.clone(), segments.len());
    let segment = (0..count, parts()).prop_map(move |(at, part)| {
        let mut segments = segments.clone();
        segments[at] = part;
        [b"/".to_vec(), segments.join(&b'/')].concat()
    });
    let (one, two) = (path.clone(), path.clone());
    prop_oneof![
        6 => segment,
        8 => queries(query).prop_map(move |query| [one.as_bytes(), b"?", &query].concat()),
        1 => parts().prop_map(move |tail| [two.as_bytes(), b"/", &tail].concat()),
        1 => parts(),
        1 => Just(format!("http://elsewhere.example{first}").into_bytes()),
        1 => Just(format!("//{path}//").into_bytes()),
    ]
}

fn queries(right: String) -> impl Strategy<Value = Vec<u8>> {
    let names = vec![
        "limit",
        "cursor",
        "filter",
        "name",
        "venue",
        "bookingId",
        "reference",
        "a",
        "",
        "%6Cimit",
        "limit[]",
    ];
    let limits =
        ["0", "1", "200", "201", "-1", "1.5", "4294967296", "18446744073709551616", "+1", "%31", "x", ""];
    let cursors: Vec<String> = [
        "null",
        "[]",
        "{}",
        "1",
        "\"\"",
        "\"018f0000-0000-7000-8000-000000000000\"",
        "[\"2031-05-01T10:00:00Z\"]",
        "[\"2031-05-01T10:00:00Z\",\"018f0000-0000-7000-8000-000000000000\"]",
        "[\"-009999-01-01T00:00:00Z\",0]",
        "[null,null]",
        "[[[[[[[[[[[[[[[[[[",
        "1e999",
        "\u{0}",
    ]
    .map(|json| URL_SAFE_NO_PAD.encode(json))
    .into();
    let pair = prop_oneof![
        2 => (select(names), parts()).prop_map(|(name, value)| [name.as_bytes(), b"=", &value].concat()),
        2 => select(limits.to_vec()).prop_map(|limit| format!("limit={limit}").into_bytes()),
        2 => select(cursors).prop_map(|cursor| format!("cursor={cursor}").into_bytes()),
        1 => select(vec!["filter=upcoming", "filter=available", "filter=", "filter=Upcoming"])
            .prop_map(|filter| filter.as_bytes().to_vec()),
        1 => parts(),
    ];
    (any::<bool>(), proptest::collection::vec(pair, 0..4)).prop_map(move |(also_right, pairs)| {
        let mut all = if also_right { vec![right.clone().into_bytes()] } else { Vec::new() };
        all.extend(pairs);
        all.join(&b'&')
    })
}

/// The right headers, each of them sometimes changed, doubled or missing, and others beside them.
fn headers(right: &Request, known: &Known) -> impl Strategy<Value = Headers> + use<> {
    let others = vec![
        "Prefer",
        "Prefer",
        "X-Admission",
        "traceparent",
        "tracestate",
        "If-None-Match",
        "Accept",
        "Accept-Encoding",
        "Content-Encoding",
        "Range",
        "Expect",
        "Connection",
        "Upgrade",
        "TE",
        "Cookie",
        "X-Forwarded-For",
        "X-HTTP-Method-Override",
        "Origin",
        "Trailer",
        "Authorization",
        "Idempotency-Key",
        "Content-Type",
    ];
    let parts: Vec<BoxedStrategy<Headers>> = right
        .headers
        .iter()
        .map(|(name, value)| {
            let name = name.clone();
            let wrong = match &*name {
                "Authorization" => tokens(known).boxed(),
                "Content-Type" => select(CONTENT_TYPES.to_vec()).prop_map(|value| value.as_bytes().to_vec()).boxed(),
                _ => header_values().boxed(),
            };
            let right = (name.clone(), value.clone());
            let wrong = wrong.prop_map(move |value| vec![(name.clone(), value)]);
            let usual = if right.0 == "Host" { 150 } else { 20 };
            prop_oneof![usual => Just(vec![right.clone()]), 2 => wrong, 1 => Just(vec![right.clone(), right]), 1 => Just(vec![])]
                .boxed()
        })
        .collect();
    let others = proptest::collection::vec((select(others), header_values()), 1..4);
    (parts, mostly(3, Vec::new(), others)).prop_map(|(parts, others)| {
        let others = others.into_iter().map(|(name, value)| (name.to_owned(), value));
        parts.into_iter().flatten().chain(others).collect()
    })
}

const CONTENT_TYPES: [&str; 10] = [
    "",
    "application/json; charset=utf-16",
    "application/problem+json",
    "text/plain",
    "application/",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "APPLICATION/JSON ;;;",
    "application/json, text/plain",
    "json",
];

/// Of somebody else, of nobody, and what is no token.
fn tokens(known: &Known) -> impl Strategy<Value = Vec<u8>> + use<> {
    let good = known.user.token.clone().expect("a token");
    let staff = known.staff.token.clone().expect("a token");
    let mut all: Vec<String> = known.bad_tokens.iter().map(|token| format!("Bearer {token}")).collect();
    all.extend([format!("bearer   {good}"), format!("Bearer {staff}"), format!("Bearer {good}")]);
    all.extend([format!("Basic {good}"), format!("Bearer {good} {good}"), good]);
    let none = ["", "Bearer", "Bearer ", "Bearer x.y.z", "Bearer ..", "Bearer eyJhbGciOiJFZERTQSJ9.e30."];
    all.extend(none.map(str::to_owned));
    prop_oneof![6 => select(all).prop_map(String::into_bytes), 1 => header_values()]
}

fn header_values() -> impl Strategy<Value = Vec<u8>> {
    let odd: Vec<&[u8]> = vec![
        b"",
        b" ",
        b"\"",
        b"\"quoted\"",
        b"\"open",
        b"a, b",
        b"k\x7f",
        b"sch\xc3\xbcssel",
        b"\xff\xfe",
        b"*",
        b"0",
        b"-1",
        b"wait=0",
        b"wait=99999999999999999999",
        b"wait=-1",
        b"wait=\"0\"",
        b"respond-async, wait=0; a=\"b,c",
        b"wait",
        b"application/json",
        b"text/plain",
        b"a used key",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-00000000000000000000000000000000-0000000000000000-00",
        b"ff-garbage",
        b"gzip",
        b"gzip, chunked",
        b"bytes=0-0",
        b"bytes=9-1",
        b"100-continue",
        b"200-ok",
        b"upgrade",
        b"close",
        b"keep-alive, Authorization",
        b"h2c",
        b"websocket",
        b"trailers",
        b"W/\"a\", *",
        b"DELETE",
        b"127.0.0.1, ::1",
    ];
    prop_oneof![
        10 => select(odd).prop_map(<[u8]>::to_vec),
        1 => select(vec![254usize, 255, 256, 5_000, 30_000]).prop_map(|length| b"k".repeat(length)),
        1 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(without_breaks),
    ]
}
