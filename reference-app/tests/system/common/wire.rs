//! HTTP as bytes: a client that sends what no library would, and looks at the whole of an answer.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;

/// A connection, and what was read beyond the answers so far.
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// An answer as it stood on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why there is no whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// The connection ended in order; so many bytes of an answer had come.
    Closed(usize),
    /// It broke.
    Broken(std::io::ErrorKind),
    /// Nothing came in a long time.
    Silent,
    /// What came is no HTTP.
    Garbled(String),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The kind of problem that it is; empty if it is none.
    pub fn kind(&self) -> String {
        let problem = self.json();
        problem["type"].as_str().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default().to_owned()
    }

    /// Whether the server said that this is the connection's last answer.
    pub fn is_last(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl Wire {
    pub async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
        stream.set_nodelay(true).expect("set");
        Self { stream, unread: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("sent");
    }

    /// A byte every `pause` until they are all sent or the server has had enough.
    pub async fn drip(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> std::io::Result<()> {
        for byte in bytes.as_ref() {
            self.stream.write_all(&[*byte]).await?;
            tokio::time::sleep(pause).await; // what is tested
        }
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub async fn close_sending(&mut self) {
        self.stream.shutdown().await.expect("half closed");
    }

    /// Sends while it reads, so that neither side waits for the other: the next answer.
    pub async fn exchange(&mut self, bytes: &[u8], of_head: bool) -> Result<Reply, Lost> {
        let Self { stream, unread } = self;
        let (mut reading, mut writing) = stream.split();
        // What cannot be sent any more is no failure: the answer may have come first.
        let send = async {
            let _ = writing.write_all(bytes).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            reply = read_reply(&mut reading, unread, of_head) => reply,
            () = send => Err(Lost::Silent),
        }
    }

    /// The next answer to a request that was no HEAD.
    pub async fn reply(&mut self) -> Result<Reply, Lost> {
        read_reply(&mut self.stream, &mut self.unread, false).await
    }

    /// The next line, without its end.
    pub async fn line(&mut self) -> Result<String, Lost> {
        loop {
            if let Some(at) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if fill(&mut self.stream, &mut self.unread).await? == 0 {
                return Err(Lost::Closed(self.unread.len()));
            }
        }
    }

    /// Everything until the server closes.
    pub async fn rest(&mut self) -> Result<Vec<u8>, Lost> {
        while fill(&mut self.stream, &mut self.unread).await? > 0 {}
        Ok(std::mem::take(&mut self.unread))
    }
}

/// The next final answer; a `100 Continue` before it is passed over.
async fn read_reply<R: AsyncReadExt + Unpin>(
    stream: &mut R,
    unread: &mut Vec<u8>,
    of_head: bool,
) -> Result<Reply, Lost> {
    loop {
        let end = loop {
            if let Some(at) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if fill(stream, unread).await? == 0 {
                return Err(Lost::Closed(unread.len()));
            }
        };
        let head = String::from_utf8_lossy(&unread.drain(..end).collect::<Vec<_>>()).into_owned();
        let mut reply = parse(&head)?;
        if (100..200).contains(&reply.status) {
            continue;
        }
        let bare = of_head || matches!(reply.status, 204 | 304);
        let length = reply.header("content-length").map(str::parse::<usize>);
        let length = match length {
            _ if bare => 0,
            Some(Ok(length)) => length,
            Some(Err(_)) => return Err(Lost::Garbled(head)),
            None => return Err(Lost::Garbled(format!("without Content-Length: {head}"))),
        };
        while unread.len() < length {
            if fill(stream, unread).await? == 0 {
                return Err(Lost::Closed(unread.len()));
            }
        }
        reply.body = unread.drain(..length).collect();
        return Ok(reply);
    }
}

async fn fill<R: AsyncReadExt + Unpin>(stream: &mut R, unread: &mut Vec<u8>) -> Result<usize, Lost> {
    match tokio::time::timeout(PATIENCE, stream.read_buf(unread)).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => Err(Lost::Broken(error.kind())),
        Err(_) => Err(Lost::Silent),
    }
}

fn parse(head: &str) -> Result<Reply, Lost> {
    let garbled = || Lost::Garbled(head.to_owned());
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let first = lines.next().ok_or_else(garbled)?;
    let status = first.strip_prefix("HTTP/1.1 ").or_else(|| first.strip_prefix("HTTP/1.0 "));
    let status = status.and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    let header =
        |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
    let headers = lines.map(header).collect::<Option<Vec<_>>>().ok_or_else(garbled)?;
    Ok(Reply { status: status.ok_or_else(garbled)?, headers, body: Vec::new() })
}
