//! Lists, a page at a time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::Parameters;

const DEFAULT_LIMIT: u32 = 50;
const MOST: u32 = 200;

/// Which page of a list: `limit` (1 to 200, 50 if absent) and `cursor`, as the page before gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<K> {
    /// How many items at most.
    pub limit: u32,
    /// What the items of this page come after; `None` on the first page.
    pub after: Option<K>,
}

impl<K> Page<K> {
    /// How many items to look for: one more than the page has tells whether there is another page.
    pub fn one_more(&self) -> u32 {
        self.limit + 1
    }
}

/// The page that the parameters ask for.
pub(super) fn asked<K: DeserializeOwned>(parameters: &mut Parameters) -> Page<K> {
    let limit = parameters.read("limit", "must be a whole number from 1 to 200", |text| {
        text.parse().ok().filter(|limit| (1..=MOST).contains(limit))
    });
    let after = parameters.read("cursor", "must be one that a page before gave", |cursor| {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        serde_json::from_slice(&bytes).ok()
    });
    Page { limit: limit.unwrap_or(DEFAULT_LIMIT), after }
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
}

impl<T> Listed<T> {
    /// The page of at most `limit` items that `found` begins with, shown as `show` says. The items were asked for with
    /// [`Page::one_more`]; the next page comes after the `key` of the last one shown.
    pub fn page<R, K: Serialize>(
        mut found: Vec<R>,
        limit: u32,
        key: impl FnOnce(&R) -> K,
        show: impl FnMut(R) -> T,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(key);
        Self::new(found.into_iter().map(show).collect(), next.as_ref())
    }

    /// A page whose next one comes after `next`.
    fn new(items: Vec<T>, next: Option<&impl Serialize>) -> Self {
        // A position of ours always has a JSON form.
        let next = next.and_then(|next| serde_json::to_vec(next).ok());
        Self { items, next_cursor: next.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)) }
    }
}
