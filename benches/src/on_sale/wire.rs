//! A connection that sends bytes which were prepared before, and reads no more of an answer than it must.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One HTTP/1.1 connection, kept alive.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// An answer, in the connection's buffer.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    body: &'a [u8],
}

impl Answer<'_> {
    /// Its text if it has this status.
    pub(super) fn text(&self, expected: u16) -> Result<String, String> {
        let body = String::from_utf8_lossy(self.body);
        if self.status == expected {
            Ok(body.into_owned())
        } else {
            Err(format!("answered {} where {expected} was expected: {body}", self.status))
        }
    }

    /// Its JSON if it has this status.
    pub(super) fn json(&self, expected: u16) -> Result<Value, String> {
        let body = self.text(expected)?;
        serde_json::from_str(&body).map_err(|_| format!("answered no JSON: {body}"))
    }
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self { stream, answer: Vec::with_capacity(8_192) })
    }

    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, String> {
        self.stream.write_all(request).await.map_err(|error| format!("not sent: {error}"))?;
        self.answer.clear();
        let head = loop {
            self.read().await?;
            if let Some(end) = self.answer.windows(4).position(|four| four == b"\r\n\r\n") {
                break Head::read(&self.answer[..end], end + 4)?;
            }
        };
        while self.answer.len() < head.begin + head.length {
            self.read().await?;
        }
        Ok(Answer { status: head.status, body: &self.answer[head.begin..head.begin + head.length] })
    }

    async fn read(&mut self) -> Result<(), String> {
        match self.stream.read_buf(&mut self.answer).await {
            Ok(0) => Err("the connection was closed before the answer came".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("no answer: {error}")),
        }
    }
}

/// What has to be known to find the end of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the body begins.
    begin: usize,
    length: usize,
}

impl Head {
    fn read(head: &[u8], begin: usize) -> Result<Self, String> {
        let text = std::str::from_utf8(head).map_err(|_| "the head of an answer is no text".to_owned())?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let length = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, length)| length.trim().parse().ok());
        match (status, length) {
            (Some(status), Some(length)) => Ok(Self { status, begin, length }),
            _ => Err(format!("an answer without status or Content-Length: {text}")),
        }
    }
}

/// The bytes of a request.
pub(super) fn request(call: &str, token: Option<&str>, header: Option<(&str, &str)>, body: &str) -> Vec<u8> {
    let mut text = format!("{call} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    if let Some(token) = token {
        text += &format!("Authorization: Bearer {token}\r\n");
    }
    if let Some((name, value)) = header {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    format!("{text}\r\n{body}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn answers_are_read_to_their_end_in_whatever_pieces_they_come() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = listener.local_addr().expect("an address");
        let served = tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.expect("accepted");
            for (pieces, end) in [
                (vec!["HTTP/1.1 201 Created\r\ncontent-", "length: 9\r\n\r\n{\"a\":", "\"b\"}"], true),
                (vec!["HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\nX: y\r\n\r\n{}"], true),
                (vec!["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"], false),
            ] {
                let mut asked = [0; 256];
                assert!(peer.read(&mut asked).await.expect("a request") > 0);
                for piece in pieces {
                    peer.write_all(piece.as_bytes()).await.expect("written");
                    tokio::task::yield_now().await;
                }
                assert!(end || peer.shutdown().await.is_ok());
            }
        });
        let mut connection = Connection::open(address).await.expect("opens");
        let ask = request("GET /", None, None, "");
        assert_eq!(connection.exchange(&ask).await.expect("whole").json(201).expect("JSON")["a"], "b");
        let other = connection.exchange(&ask).await.expect("whole").json(201).expect_err("another status");
        assert!(other.contains("409 where 201"), "{other}");
        let broken = connection.exchange(&ask).await.expect_err("it broke off");
        assert!(broken.contains("closed"), "{broken}");
        served.await.expect("served");
    }

    #[test]
    fn a_request_carries_what_it_was_given() {
        let asked = request("POST /api/bookings", Some("t"), Some(("Idempotency-Key", "k")), "{}");
        let asked = String::from_utf8(asked).expect("text");
        assert!(asked.starts_with("POST /api/bookings HTTP/1.1\r\nHost: 127.0.0.1\r\n"), "{asked}");
        assert!(asked.contains("\r\nAuthorization: Bearer t\r\nIdempotency-Key: k\r\n"), "{asked}");
        assert!(asked.ends_with("Content-Length: 2\r\n\r\n{}"), "{asked}");
        assert!(Head::read(b"HTTP/1.1 200 OK", 0).is_err(), "no length");
    }
}
