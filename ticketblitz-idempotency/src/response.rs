//! The answer that every retry gets.

use serde::Serialize;

use crate::Error;

/// An answer, byte for byte. It is an HTTP response when the layer stores it, and any value's JSON otherwise.
///
/// ```
/// use ticketblitz_idempotency::StoredResponse;
/// let answer = StoredResponse::json(201, &["receipt-1"]).unwrap().header("location", "/receipts/1");
/// assert_eq!((answer.status, answer.body.as_slice()), (201, br#"["receipt-1"]"#.as_slice()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StoredResponse {
    /// The HTTP status code.
    pub status: u16,
    /// Names and values in order, repeated names and values that are no UTF-8 included.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl StoredResponse {
    /// An answer without headers.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// `value` as JSON, with its content type.
    ///
    /// # Errors
    /// [`Error::Json`] if `value` cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(status: u16, value: &T) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(Error::Json)?;
        Ok(Self::new(status, body).header("content-type", "application/json"))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// The headers in one blob: each name and value behind its length.
#[cfg(feature = "sqlite")]
pub(crate) mod codec {
    pub(crate) fn encode(headers: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut blob = Vec::new();
        for part in headers.iter().flat_map(|(name, value)| [name.as_bytes(), value]) {
            blob.extend_from_slice(&(part.len() as u64).to_be_bytes());
            blob.extend_from_slice(part);
        }
        blob
    }

    /// `None` if `blob` is not what [`encode`] wrote.
    pub(crate) fn decode(mut blob: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
        let mut headers = Vec::new();
        while !blob.is_empty() {
            let name = String::from_utf8(part(&mut blob)?.to_vec()).ok()?;
            headers.push((name, part(&mut blob)?.to_vec()));
        }
        Some(headers)
    }

    fn part<'b>(blob: &mut &'b [u8]) -> Option<&'b [u8]> {
        let (length, rest) = blob.split_first_chunk::<8>()?;
        let (part, rest) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
        *blob = rest;
        Some(part)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn headers_come_back_byte_for_byte() {
            let headers = vec![
                ("set-cookie".to_owned(), b"a".to_vec()),
                ("set-cookie".to_owned(), vec![0xff, 0, b'\n']),
            ];
            let blob = encode(&headers);
            assert_eq!(decode(&blob), Some(headers));
            assert_eq!(decode(&[]), Some(vec![]));
            assert_eq!(decode(&blob[..blob.len() - 1]), None, "a truncated blob is no answer");
        }
    }
}
