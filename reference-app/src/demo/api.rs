//! The demo's HTTP client: an answer is its JSON, a refusal a sentence.

use std::time::{Duration, Instant};

use serde_json::Value;

/// Between two looks at what the system does by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

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

    pub(super) async fn get(&self, path: &str) -> Result<Value, String> {
        self.send(path, self.client.get(self.url(path))).await
    }

    /// A booking, once it is no longer PENDING.
    pub(super) async fn get_waiting(&self, path: &str) -> Result<Value, String> {
        self.send(path, self.client.get(self.url(path)).header("Prefer", "wait=30")).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value, key: Option<&str>) -> Result<Value, String> {
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
    ) -> Result<Value, String> {
        let began = Instant::now();
        loop {
            let answer = self.get(path).await?;
            if wanted(&answer) {
                return Ok(answer);
            }
            if began.elapsed() > patience {
                return Err(format!("waited {} s until {what}; {path} answers {answer}", patience.as_secs()));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(&self, path: &str, mut request: reqwest::RequestBuilder) -> Result<Value, String> {
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
            return Err(format!("{path} answered {status}: {body}"));
        }
        serde_json::from_str(&body).map_err(|_| format!("{path} answered no JSON: {body}"))
    }
}

/// The text in a field of an answer.
pub(super) fn text(answer: &Value, field: &str) -> Result<String, String> {
    answer[field].as_str().map(str::to_owned).ok_or_else(|| format!("an answer without {field}: {answer}"))
}
