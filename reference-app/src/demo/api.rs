//! The demo's HTTP client: an answer is its JSON.

use std::fmt;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Between two looks at what the system does by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A request that was refused, or not answered.
#[derive(Debug)]
pub(super) struct Failure {
    /// What kind of problem the answer names, such as `seats-unavailable`; none if it names none.
    pub(super) kind: Option<String>,
    sentence: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl From<String> for Failure {
    fn from(sentence: String) -> Self {
        Self { kind: None, sentence }
    }
}

impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        failure.sentence
    }
}

/// One user's way to the system. Clones share their connections.
#[derive(Clone)]
pub(super) struct Api {
    base: String,
    client: reqwest::Client,
    pub(super) token: Option<String>,
}

impl Api {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(40))
            .build()
            .map_err(|error| format!("no HTTP client: {error}"))?;
        Ok(Self { base: url.trim_end_matches('/').to_owned(), client, token: None })
    }

    /// The same system for somebody else.
    pub(super) fn with_token(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(path, self.client.get(self.url(path))).await
    }

    /// A booking, once it is no longer PENDING.
    pub(super) async fn get_waiting(&self, path: &str) -> Result<Value, Failure> {
        self.send(path, self.client.get(self.url(path)).header("Prefer", "wait=30")).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value, key: Option<&str>) -> Result<Value, Failure> {
        let mut request = self.client.post(self.url(path)).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.send(path, request).await
    }

    /// Looks until what `path` answers is as wanted.
    pub(super) async fn until(
        &self,
        path: &str,
        patience: Duration,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, Failure> {
        let began = Instant::now();
        loop {
            let answer = self.get(path).await?;
            if wanted(&answer) {
                return Ok(answer);
            }
            if began.elapsed() > patience {
                let waited = patience.as_secs();
                return Err(format!("waited {waited} s until {what}; {path} answers {answer}").into());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(&self, path: &str, mut request: reqwest::RequestBuilder) -> Result<Value, Failure> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|error| {
            if error.is_connect() {
                format!(
                    "nothing answers at {}; start it with `cargo run --release`, or name it with --url",
                    self.base
                )
            } else {
                format!("{path}: {error}")
            }
        })?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| format!("{path}: {error}"))?;
        if !status.is_success() {
            let problem = serde_json::from_str::<Value>(&body).unwrap_or_default();
            let kind =
                problem["type"].as_str().and_then(|kind| kind.strip_prefix("urn:ticketblitz:problem:"));
            let sentence = format!("{path} answered {status}: {body}");
            return Err(Failure { kind: kind.map(str::to_owned), sentence });
        }
        let answer = serde_json::from_str(&body);
        answer.map_err(|_| format!("{path} answered no JSON: {body}").into())
    }
}

/// The text in a field of an answer.
pub(super) fn text(answer: &Value, field: &str) -> Result<String, String> {
    answer[field].as_str().map(str::to_owned).ok_or_else(|| format!("an answer without {field}: {answer}"))
}
