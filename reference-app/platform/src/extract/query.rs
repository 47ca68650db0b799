//! Query parameters.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query as AxumQuery};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::page::{self, Page};
use crate::problem::{Invalid, Problem, kinds};

/// The query of a request, to be [read](Self::read) as a whole. Parameters that nobody takes are ignored.
#[derive(Debug, Clone)]
pub struct Query(BTreeMap<String, Vec<String>>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        // Pairs of texts can always be read.
        let pairs = AxumQuery::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let mut given = BTreeMap::<_, Vec<_>>::new();
        for (name, value) in pairs.map(|AxumQuery(pairs)| pairs).unwrap_or_default() {
            given.entry(name).or_default().push(value);
        }
        Ok(Self(given))
    }
}

impl Query {
    /// What `take` makes of the parameters.
    ///
    /// # Errors
    /// 400 with every parameter that is wrong.
    pub fn read<T>(self, take: impl FnOnce(&mut Parameters) -> T) -> Result<T, Problem> {
        let mut parameters = Parameters { given: self.0, wrong: Invalid::default() };
        let taken = take(&mut parameters);
        let errors = parameters.wrong.into_errors();
        if errors.is_empty() {
            return Ok(taken);
        }
        let names: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        let detail = format!("These parameters are wrong: {}", names.join(", "));
        Err(Problem::new(kinds::MALFORMED_REQUEST, detail).errors(errors))
    }
}

/// The parameters of one query, and what is wrong with them.
#[derive(Debug)]
pub struct Parameters {
    given: BTreeMap<String, Vec<String>>,
    wrong: Invalid,
}

impl Parameters {
    /// The value of a parameter that must be given; empty if it is not.
    pub fn required(&mut self, name: &str) -> String {
        if !self.given.contains_key(name) {
            self.refuse(name, "is required");
        }
        self.text(name).unwrap_or_default()
    }

    /// The value of a parameter, if it is given.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let mut values = self.given.remove(name)?;
        if values.len() > 1 {
            self.refuse(name, "must be given once");
            return None;
        }
        values.pop()
    }

    /// The value of a parameter as `read` reads it; `must` says what it has to be.
    pub fn read<T>(&mut self, name: &str, must: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            self.refuse(name, must);
        }
        value
    }

    /// The value of a parameter; `must` says what it has to be.
    pub fn parsed<T: FromStr>(&mut self, name: &str, must: &str) -> Option<T> {
        self.read(name, must, |text| text.parse().ok())
    }

    /// Which page of a list is asked for: `limit` and `cursor`.
    pub fn page<K: DeserializeOwned>(&mut self) -> Page<K> {
        page::asked(self)
    }

    fn refuse(&mut self, name: &str, message: &str) {
        self.wrong.push(name, message);
    }
}
