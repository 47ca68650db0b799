//! Every row of the contract's table of errors, at the gateway and at the services' own ports.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::common::{Answer, Buyer, System};

/// The fields that a refusal lists, in order of their names.
fn fields(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().expect("errors");
    let mut fields: Vec<String> =
        errors.iter().map(|error| error["field"].as_str().expect("a field").to_owned()).collect();
    assert!(errors.iter().all(|error| error["message"].is_string()), "{problem}");
    fields.sort();
    let listed = fields.len();
    fields.dedup();
    assert_eq!(fields.len(), listed, "a field twice: {problem}");
    fields
}

async fn raw(buyer: &Buyer, method: Method, path: &str, content_type: &str, body: &str) -> Answer {
    let request = buyer.request(method, path).header("Content-Type", content_type).body(body.to_owned());
    buyer.send(request).await
}

#[tokio::test]
async fn what_is_no_request_is_400() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    for (port, path) in
        [(8080, "/api/inventory/holds"), (8083, "/api/inventory/holds"), (8080, "/api/auth/login")]
    {
        let ann = ann.at(&system.url(port));
        let nested = "[".repeat(20_000);
        for body in [
            "",
            "{",
            "nonsense",
            "\u{0}",
            "{\"eventId\": 1, \"email\": 1}",
            "[]",
            "null",
            "\"text\"",
            &nested,
        ] {
            raw(&ann, Method::POST, path, "application/json", body).await.refused(400, "malformed-request");
        }
    }
    let wrong_type = json!({"eventId": Uuid::now_v7(), "seatIds": "A1"});
    let refused = ann.post("/api/inventory/holds", &wrong_type).await.refused(400, "malformed-request");
    assert_eq!(fields(&refused), ["seatIds"]);
    for query in ["limit=0", "limit=201", "limit=x", "cursor=nonsense", "cursor=%00", "limit=-1"] {
        ann.get(&format!("/api/bookings?{query}")).await.refused(400, "malformed-request");
        ann.get(&format!("/api/events?{query}")).await.refused(400, "malformed-request");
        ann.get(&format!("/api/notifications?{query}")).await.refused(400, "malformed-request");
    }
    ann.get("/api/events?filter=nonsense").await.refused(400, "malformed-request");

    let event = ann.sample("VISUAL").await;
    let hold = ann.hold(&event, &["A1"]).await.expect(201);
    let body = json!({"holdId": hold["holdId"]});
    ann.post("/api/bookings", &body).await.refused(400, "malformed-request");
    let long = "k".repeat(256);
    for key in ["", "\"", "\"open", long.as_str()] {
        let request = ann.request(Method::POST, "/api/bookings").header("Idempotency-Key", key).json(&body);
        ann.send(request).await.refused(400, "malformed-request");
    }
    let two = ann
        .request(Method::POST, "/api/bookings")
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b");
    ann.send(two.json(&body)).await.refused(400, "malformed-request");
    assert!(ann.get("/api/bookings").await.expect(200)["items"].as_array().is_some_and(Vec::is_empty));
}

/// What is wrong with each field, in words for people: no parser's.
fn told(problem: &Value) -> Vec<(String, String)> {
    let named = fields(problem);
    let errors = problem["errors"].as_array().expect("errors");
    let mut told: Vec<_> = errors
        .iter()
        .map(|error| (error["field"].to_string(), error["message"].as_str().expect("words").to_owned()))
        .map(|(field, message)| (field.replace('"', ""), message))
        .collect();
    told.sort();
    assert_eq!(told.len(), named.len());
    for word in ["expected", "i64", "line", "column", "floating", "invalid type", "deserialize"] {
        assert!(!problem.to_string().contains(word), "{word}: {problem}");
    }
    told
}

#[tokio::test]
async fn every_field_of_a_wrong_type_is_named_400() {
    let system = System::start(&[]).await;
    let (ann, admin) = (system.buyer("Ann").await, system.admin().await);
    let text = |field: &str| (field.to_owned(), "must be a text".to_owned());
    let whole = |field: &str| (field.to_owned(), "must be a whole number".to_owned());
    for port in [8080, 8081] {
        let nobody = Buyer::nobody(&system.url(port));
        let body = json!({"email": 1, "password": 2, "name": 3});
        let refused = nobody.post("/api/auth/register", &body).await.refused(400, "malformed-request");
        assert_eq!(told(&refused), [text("email"), text("name"), text("password")]);
    }
    let body = json!({"holdId": 5, "paymentMethod": 6});
    let request = ann.request(Method::POST, "/api/bookings").header("Idempotency-Key", "types").json(&body);
    let refused = ann.send(request).await.refused(400, "malformed-request");
    assert_eq!(told(&refused), [text("holdId"), text("paymentMethod")]);
    let body = json!({"name": 3, "venue": 4, "totalSeats": "many"});
    let refused = admin.post("/api/events", &body).await.refused(400, "malformed-request");
    assert_eq!(told(&refused), [text("name"), whole("totalSeats"), text("venue")]);
    let body = json!({"waitingRoom": "no", "sections": [{"name": "A", "price": "dear"}, {"name": 7, "seats": ["A1", 2]}]});
    let refused = admin.post("/api/events", &body).await.refused(400, "malformed-request");
    assert_eq!(
        told(&refused),
        [
            whole("sections[0].price"),
            text("sections[1].name"),
            text("sections[1].seats[1]"),
            ("waitingRoom".to_owned(), "must be true or false".to_owned()),
        ]
    );
    let huge = r#"{"totalSeats":100000000000000000000}"#;
    let refused = raw(&admin, Method::POST, "/api/events", "application/json", huge).await;
    let digits = "must be a whole number of at most 18 digits".to_owned();
    assert_eq!(told(&refused.refused(400, "malformed-request")), [("totalSeats".to_owned(), digits)]);
}

#[tokio::test]
async fn every_wrong_parameter_is_named_400() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let booking = Uuid::now_v7();
    for (path, wrong) in [
        ("/api/events?filter=nope&limit=0".to_owned(), &["filter", "limit"][..]),
        ("/api/events?name=a&name=b&filter=&cursor=%00".to_owned(), &["cursor", "filter", "name"]),
        ("/api/payments?bookingId=x".to_owned(), &["bookingId"]),
        ("/api/payments?bookingId=x&limit=x&cursor=x".to_owned(), &["bookingId", "cursor", "limit"]),
        ("/api/bookings?limit=1&limit=2".to_owned(), &["limit"]),
        ("/api/bookings?limit=0&cursor=zzz".to_owned(), &["cursor", "limit"]),
        ("/api/notifications?limit=201&cursor=zzz".to_owned(), &["cursor", "limit"]),
        (format!("/api/bookings/{booking}/tickets?limit=0&cursor=zzz"), &["cursor", "limit"]),
    ] {
        let refused = ann.get(&path).await.refused(400, "malformed-request");
        told(&refused);
        assert_eq!(fields(&refused), wrong, "{path}");
    }
    let refused = ann.at(&system.url(8089)).get("/v1/charges").await.refused(400, "malformed-request");
    assert_eq!(fields(&refused), ["reference"]);
}

#[tokio::test]
async fn every_list_is_read_page_by_page() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    let booking = ann.buy(&event, &["A1", "A2", "A3"], "pm_ok").await;
    ann.buy(&event, &["B1"], "pm_ok").await;
    let sent = || async { (ann.notifications().await.len() == 2).then_some(()) };
    crate::common::until("both mails are known", sent).await;
    let tickets = format!("/api/bookings/{}/tickets", booking["id"].as_str().expect("an id"));
    for (path, items) in [
        (&*tickets, 3),
        ("/api/bookings", 2),
        ("/api/payments", 2),
        ("/api/notifications", 2),
        ("/api/events", 2),
    ] {
        let whole = ann.get(path).await.expect(200);
        assert_eq!(
            (&whole["nextCursor"], whole["items"].as_array().map(Vec::len)),
            (&Value::Null, Some(items))
        );
        let (mut read, mut query) = (Vec::new(), "limit=1".to_owned());
        loop {
            let page = ann.get(&format!("{path}?{query}")).await.expect(200);
            let items = page["items"].as_array().expect("a list");
            assert_eq!(items.len(), 1, "{path}: {page}");
            read.extend(items.clone());
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            query = format!("limit=1&cursor={cursor}");
        }
        assert_eq!(whole["items"], Value::Array(read), "{path}");
    }
}

#[tokio::test]
async fn without_a_good_token_it_is_401() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let token = ann.token.clone().expect("a token");
    // Within the signature; its last character has bits that do not count.
    let (head, tail) = token.split_at(token.len() - 10);
    let forged = format!("{head}{}{}", if tail.starts_with('A') { 'B' } else { 'A' }, &tail[1..]);
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIwMTg5MDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDAiLCJyb2xlIjoiQURNSU4iLCJleHAiOjk5OTk5OTk5OTl9.";
    for (port, path) in [
        (8080, "/api/bookings"),
        (8084, "/api/bookings"),
        (8080, "/api/auth/me"),
        (8081, "/api/auth/validate"),
        (8080, "/api/payments?bookingId=x"),
        (8085, "/api/payments?bookingId=x"),
        (8086, "/api/notifications"),
        (8083, "/api/inventory/holds/x"),
    ] {
        let mut nobody = Buyer::nobody(&system.url(port));
        for bad in [None, Some("nonsense"), Some(&*forged), Some(none), Some("")] {
            nobody.token = bad.map(str::to_owned);
            let answer = nobody.get(path).await;
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}: {:?}", answer.headers);
            answer.refused(401, "unauthenticated");
        }
    }
    let nobody = Buyer::nobody(&system.url(8080));
    nobody.get("/api/events").await.expect(200);
    let email = &ann.session["email"];
    for body in [
        json!({"email": email, "password": "wrong-1"}),
        json!({"email": "no@example.com", "password": "wrong-1"}),
    ] {
        nobody.post("/api/auth/login", &body).await.refused(401, "invalid-credentials");
    }
    let shouted = json!({"email": email.as_str().expect("a text").to_uppercase(), "password": "pass123"});
    nobody.post("/api/auth/login", &shouted).await.expect(200);
    assert_eq!(ann.get("/api/auth/validate").await.expect(200)["valid"], true);
}

#[tokio::test]
async fn an_expired_token_is_401() {
    let system = System::start(&[("TICKETBLITZ_ACCESS_TOKEN_TTL", "1s")]).await;
    let ann = system.buyer("Ann").await;
    assert_eq!(ann.session["expiresIn"], 1);
    let refused = || async { (ann.get("/api/bookings").await.status == 401).then_some(()) };
    crate::common::until("the token expires", refused).await;
    ann.get("/api/bookings").await.refused(401, "unauthenticated");
    let body = json!({"refreshToken": ann.session["refreshToken"]});
    let again = ann.post("/api/auth/refresh", &body).await.expect(200);
    assert_ne!(again["refreshToken"], ann.session["refreshToken"]);
    // A spent one used again ends its whole family.
    ann.post("/api/auth/refresh", &body).await.refused(401, "unauthenticated");
    let second = json!({"refreshToken": again["refreshToken"]});
    ann.post("/api/auth/refresh", &second).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn the_role_is_checked_before_the_body_403() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    let path = format!("/api/events/{}", event["id"].as_str().expect("an id"));
    for port in [8080, 8082] {
        let ann = ann.at(&system.url(port));
        raw(&ann, Method::POST, "/api/events", "application/json", "{").await.refused(403, "forbidden");
        raw(&ann, Method::PUT, &path, "text/plain", "{").await.refused(403, "forbidden");
        let large = "x".repeat(70_000);
        raw(&ann, Method::POST, "/api/events", "application/json", &large).await.refused(403, "forbidden");
        raw(&ann, Method::PUT, &path, "application/json", &large).await.refused(403, "forbidden");
        ann.delete(&path).await.refused(403, "forbidden");
    }
}

#[tokio::test]
async fn unknown_paths_are_404_and_wrong_methods_405() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    for path in
        ["/", "/api", "/api/nothing", "/api/bookings/x/y/z", "/internal/inventory/payments", "/api/eventsx"]
    {
        ann.get(path).await.refused(404, "not-found");
    }
    let id = Uuid::now_v7();
    for path in ["bookings", "payments", "inventory/holds"] {
        ann.get(&format!("/api/{path}/{id}")).await.refused(404, "not-found");
        ann.get(&format!("/api/{path}/no-uuid")).await.refused(404, "not-found");
        ann.get(&format!("/api/{path}/%00")).await.refused(404, "not-found");
    }
    for (port, method, path) in [
        (8080, Method::PATCH, "/api/bookings".to_owned()),
        (8084, Method::PATCH, "/api/bookings".to_owned()),
        (8080, Method::PUT, "/api/auth/login".to_owned()),
        (8083, Method::PUT, "/api/inventory/holds".to_owned()),
        (8080, Method::POST, format!("/api/bookings/{id}")),
        (8080, Method::POST, "/actuator/health".to_owned()),
    ] {
        let ann = ann.at(&system.url(port));
        let answer = ann.send(ann.request(method, &path)).await;
        assert!(!answer.header("allow").is_empty(), "{path}: {:?}", answer.headers);
        answer.refused(405, "method-not-allowed");
    }
}

#[tokio::test]
async fn too_large_and_not_json_are_413_and_415() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    for port in [8080, 8083] {
        let ann = ann.at(&system.url(port));
        for size in [65 * 1_024, 900 * 1_024] {
            let body = format!("{{\"eventId\": \"{}\"}}", "x".repeat(size));
            raw(&ann, Method::POST, "/api/inventory/holds", "application/json", &body)
                .await
                .refused(413, "too-large");
        }
        let nobody = Buyer::nobody(&system.url(port));
        let much = "x".repeat(70 * 1_024);
        raw(&nobody, Method::POST, "/api/inventory/holds", "application/json", &much)
            .await
            .refused(401, "unauthenticated");
        for content_type in ["text/plain", "application/xml", "nonsense", "application/x-www-form-urlencoded"]
        {
            raw(&ann, Method::POST, "/api/inventory/holds", content_type, "{}")
                .await
                .refused(415, "unsupported-media-type");
        }
        let bare = ann.request(Method::POST, "/api/inventory/holds").body("{}");
        ann.send(bare).await.refused(415, "unsupported-media-type");
        let charset = "application/json; charset=utf-8";
        raw(&ann, Method::POST, "/api/inventory/holds", charset, "{}")
            .await
            .refused(422, "validation-failed");
    }
}

#[tokio::test]
async fn every_wrong_field_is_named_422() {
    let system = System::start(&[]).await;
    let (ann, admin) = (system.buyer("Ann").await, system.admin().await);
    let nobody = Buyer::nobody(&system.url(8080));
    let refused = nobody.post("/api/auth/register", &json!({})).await.refused(422, "validation-failed");
    assert_eq!(fields(&refused), ["email", "name", "password"]);
    let body = json!({"email": "no-address", "password": "short", "name": " "});
    let refused = nobody.post("/api/auth/register", &body).await.refused(422, "validation-failed");
    assert_eq!(fields(&refused), ["email", "name", "password"]);
    let taken = json!({"email": ann.session["email"], "password": "pass123", "name": "Other"});
    nobody.post("/api/auth/register", &taken).await.refused(409, "email-taken");

    let refused = admin.post("/api/events", &json!({})).await.refused(422, "validation-failed");
    for field in ["name", "venue", "startsAt", "timeZone", "currency", "bookingMode"] {
        assert!(fields(&refused).contains(&field.to_owned()), "{field}: {refused}");
    }
    let body = json!({"name": "X", "venue": "Y", "startsAt": "tomorrow", "timeZone": "Mars/Base", "currency": "euro",
        "bookingMode": "OTHER", "maxSeatsPerCustomer": 0, "totalSeats": 100_001});
    let refused = admin.post("/api/events", &body).await.refused(422, "validation-failed");
    let expected = ["bookingMode", "currency", "maxSeatsPerCustomer", "startsAt", "timeZone", "totalSeats"];
    assert_eq!(fields(&refused), expected);
    let mut body = json!({"name": "X", "venue": "Y", "startsAt": "2031-05-01T10:00:00Z", "timeZone": "UTC",
        "bookingMode": "TATKAL", "totalSeats": 1});
    for code in ["ZZZ", "XXX", "DEM"] {
        body["currency"] = json!(code);
        let refused = admin.post("/api/events", &body).await.refused(422, "validation-failed");
        assert_eq!(fields(&refused), ["currency"]);
    }

    ann.post("/api/inventory/holds", &json!({})).await.refused(422, "validation-failed");
    let event = ann.sample("VISUAL").await;
    let refused = ann.hold(&event, &["A1", "Z99", "Q7"]).await.refused(422, "validation-failed");
    assert_eq!(fields(&refused), ["seatIds"]);
    let message = refused["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("Z99") && message.contains("Q7"), "{message}");
    let hold = ann.hold(&event, &["A1"]).await.expect(201);
    let refused = ann.book(&hold, "pm_gold").await.refused(422, "validation-failed");
    assert_eq!(fields(&refused), ["paymentMethod"]);
    // The key is free again.
    let key = "free-after-validation";
    ann.send(ann.book_request(&hold, "pm_gold", key)).await.refused(422, "validation-failed");
    ann.send(ann.book_request(&hold, "pm_ok", key)).await.expect(201);
}

#[tokio::test]
async fn limits_of_a_customer_and_of_a_hold_are_422() {
    let system = System::start(&[("TICKETBLITZ_HOLD_CEILING", "20m")]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    let row = |row: &str| -> Vec<String> { (1..=10).map(|n| format!("{row}{n}")).collect() };
    let seats = row("A");
    let ten: Vec<&str> = seats.iter().map(String::as_str).collect();
    let eleven: Vec<&str> = ten.iter().copied().chain(["B1"]).collect();
    ann.hold(&event, &eleven).await.refused(422, "customer-limit-exceeded");
    let hold = ann.hold(&event, &ten).await.expect(201);
    ann.hold(&event, &["B1"]).await.refused(422, "customer-limit-exceeded");
    let path = format!("/api/inventory/holds/{}/extend", hold["holdId"].as_str().expect("an id"));
    ann.post(&path, &json!({"seconds": 5_000})).await.refused(422, "hold-ceiling-reached");
    ann.post(&path, &json!({"seconds": 0})).await.refused(422, "validation-failed");
    let extended = ann.post(&path, &json!({"seconds": 900})).await.expect(200);
    assert!(extended["expiresAt"].as_str() > hold["expiresAt"].as_str(), "{extended}");
    let booking = ann.book(&hold, "pm_ok").await.expect(201);
    assert_eq!(ann.settled(&booking).await["status"], "CONFIRMED");
    ann.hold(&event, &["B1"]).await.refused(422, "customer-limit-exceeded");
}

#[tokio::test]
async fn what_stands_in_the_way_is_409() {
    let system = System::start(&[]).await;
    let (ann, bob, admin) = (system.buyer("Ann").await, system.buyer("Bob").await, system.admin().await);
    let event = ann.sample("VISUAL").await;
    ann.hold(&event, &["A1"]).await.expect(201);
    let refused = bob.hold(&event, &["A1", "A2"]).await.refused(409, "seats-unavailable");
    let blocked = &refused["seats"];
    assert_eq!((&blocked[0]["seatId"], &blocked[0]["state"]), (&json!("A1"), &json!("HELD")));
    assert!(blocked[0]["retryAfterSeconds"].as_u64().is_some_and(|s| (1..=600).contains(&s)), "{refused}");
    ann.hold(&event, &["A1"]).await.refused(409, "seats-unavailable");

    let tatkal = ann.sample("TATKAL").await;
    let body = json!({"name": "Few", "venue": "Hall", "startsAt": "2031-05-01T10:00:00Z", "timeZone": "UTC",
        "currency": "EUR", "bookingMode": "TATKAL", "totalSeats": 3});
    let few = admin.post("/api/events", &body).await.expect(201);
    ann.hold_area(&few, 2).await.expect(201);
    let refused = bob.hold_area(&few, 2).await.refused(409, "seats-unavailable");
    assert_eq!(refused["areas"], json!([{"section": "GENERAL", "requested": 2, "available": 1}]));
    assert_eq!(bob.hold_area(&tatkal, 1).await.status, 201);

    let path = format!("/api/events/{}", few["id"].as_str().expect("an id"));
    let mut changed = body.clone();
    changed["totalSeats"] = json!(4);
    admin.put(&path, &changed).await.refused(409, "event-on-sale");
    let mut renamed = body.clone();
    renamed["name"] = json!("Fewer");
    assert_eq!(admin.put(&path, &renamed).await.expect(200)["name"], "Fewer");
    let mut later = body;
    later["salesStart"] = json!("2031-01-01T00:00:00Z");
    let later = admin.post("/api/events", &later).await.expect(201);
    assert_eq!(later["status"], "SCHEDULED");
    ann.hold_area(&later, 1).await.refused(409, "sales-closed");

    let failed = ann.buy(&event, &["E1"], "pm_declined").await;
    let path = format!("/api/bookings/{}", failed["id"].as_str().expect("an id"));
    ann.delete(&path).await.refused(409, "not-cancellable");
    let unknown = json!({"holdId": Uuid::now_v7()});
    ann.book(&unknown, "pm_ok").await.refused(409, "hold-not-live");
}

#[tokio::test]
async fn a_hold_is_repeated_by_its_key_only() {
    let system = System::start(&[("TICKETBLITZ_HOLD_TTL", "3s")]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    let hold = |seats: Value| {
        let body = json!({"eventId": event["id"], "seatIds": seats});
        ann.request(Method::POST, "/api/inventory/holds").header("Idempotency-Key", "again").json(&body)
    };
    let first = ann.send(hold(json!(["A1"]))).await.expect(201);
    let second = ann.send(hold(json!(["A1"]))).await.expect(201);
    assert_eq!((&first["holdId"], &first["expiresAt"]), (&second["holdId"], &second["expiresAt"]));
    ann.send(hold(json!(["A2"]))).await.refused(422, "idempotency-key-reused");
    // Another customer's key of the same spelling is another key.
    let bob = system.buyer("Bob").await;
    let body = json!({"eventId": event["id"], "seatIds": ["A2"]});
    let request =
        bob.request(Method::POST, "/api/inventory/holds").header("Idempotency-Key", "again").json(&body);
    assert_ne!(bob.send(request).await.expect(201)["holdId"], first["holdId"]);
    let free = || async { (ann.seat(&event, "A1").await == "AVAILABLE").then_some(()) };
    crate::common::until("the hold lapses", free).await;
    ann.send(hold(json!(["A1"]))).await.refused(409, "hold-not-live");
}

#[tokio::test]
async fn over_the_rate_it_is_429_with_a_time() {
    let system = System::start(&[("TICKETBLITZ_RATE_LIMIT", "5")]).await;
    let ann = system.buyer("Ann").await;
    let answers = futures::future::join_all((0..40).map(|_| ann.get("/api/bookings"))).await;
    let refused: Vec<Answer> = answers.into_iter().filter(|answer| answer.status != 200).collect();
    assert!(!refused.is_empty());
    for answer in refused {
        assert!(
            answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1),
            "{:?}",
            answer.headers
        );
        answer.refused(429, "rate-limited");
    }
}

#[tokio::test]
async fn a_provider_that_is_away_is_waited_for() {
    // Nothing listens there: bookings stay PENDING, nobody sees a 500, and the deadline ends them with free seats.
    let settings = [("TICKETBLITZ_PSP_URL", "http://127.0.0.1:1"), ("TICKETBLITZ_PAYMENT_DEADLINE", "2s")];
    let system = System::start(&settings).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    let booking = ann.buy(&event, &["A1"], "pm_ok").await;
    assert_eq!(booking["status"], "EXPIRED");
    assert_eq!(ann.seat(&event, "A1").await, "AVAILABLE");
}
