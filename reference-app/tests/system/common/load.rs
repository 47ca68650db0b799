//! A crowd on raw connections: what it sends is prepared, what it gets is looked at afterwards, so that the time it
//! takes is the server's. Knows HTTP/1.1 with Content-Length and nothing of tickets.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A whole answer as it came.
#[derive(Debug)]
pub struct Raw {
    bytes: Vec<u8>,
    head: usize,
}

impl Raw {
    pub fn status(&self) -> u16 {
        let code = std::str::from_utf8(&self.bytes[9..12]).expect("a status line");
        code.parse().expect("a status")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.bytes[..self.head], name)
    }

    pub fn body(&self) -> &[u8] {
        &self.bytes[self.head..]
    }
}

/// The bytes of a POST of JSON.
pub fn post(path: &str, token: &str, more: &[(&str, &str)], body: &str) -> Vec<u8> {
    let more: String = more.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{more}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Open connections to one server.
pub struct Crowd(Vec<TcpStream>);

impl Crowd {
    pub async fn connect(server: SocketAddr, connections: usize) -> Result<Self> {
        platform::server::raise_open_file_limit();
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            let stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            open.push(stream);
        }
        Ok(Self(open))
    }

    /// Sends every request, on each connection one after the other. Returns the answers, in no order, and the time
    /// until the last one; an error if one connection broke.
    pub async fn send(&mut self, requests: &Arc<Vec<Vec<u8>>>) -> Result<(Vec<Raw>, Duration)> {
        let step = self.0.len();
        let mut conversations = JoinSet::new();
        let began = Instant::now();
        for (first, stream) in self.0.drain(..).enumerate() {
            conversations.spawn(converse(stream, Arc::clone(requests), first, step));
        }
        let mut answers = Vec::with_capacity(requests.len());
        while let Some(conversation) = conversations.join_next().await {
            let (stream, heard) = conversation.map_err(Error::other)??;
            self.0.push(stream);
            answers.extend(heard);
        }
        Ok((answers, began.elapsed()))
    }
}

async fn converse(
    mut stream: TcpStream,
    requests: Arc<Vec<Vec<u8>>>,
    first: usize,
    step: usize,
) -> Result<(TcpStream, Vec<Raw>)> {
    let mut heard = Vec::new();
    for request in requests.iter().skip(first).step_by(step) {
        stream.write_all(request).await?;
        heard.push(answer(&mut stream).await?);
    }
    Ok((stream, heard))
}

async fn answer(stream: &mut TcpStream) -> Result<Raw> {
    let mut bytes = Vec::with_capacity(1_024);
    let mut whole = None;
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the connection ended before the answer did"));
        }
        if whole.is_none() {
            let ends = end_of_head(&bytes);
            whole =
                ends.map(|head| length(&bytes[..head]).map(|length| (head, head + length))).transpose()?;
        }
        if let Some((head, _)) = whole.filter(|(_, end)| bytes.len() >= *end) {
            return Ok(Raw { bytes, head });
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn length(head: &[u8]) -> Result<usize> {
    let length = header(head, "content-length").and_then(|length| length.parse().ok());
    length.ok_or_else(|| Error::new(ErrorKind::InvalidData, "an answer without Content-Length"))
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let lines = std::str::from_utf8(head).ok()?.split("\r\n").skip(1);
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The least that a server can do with a request: an axum handler that takes the body and gives a fixed answer, on
/// threads of its own, as many as the system itself has.
pub struct Floor {
    pub address: SocketAddr,
    _runtime: Runtime,
}

struct Runtime(Option<tokio::runtime::Runtime>);

impl Drop for Runtime {
    fn drop(&mut self) {
        // A test's own runtime may not wait for another one.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Floor {
    pub fn start(answer: String) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let handler = move |_: Bytes| {
            let answer = answer.clone();
            async move { (StatusCode::CONFLICT, [(CONTENT_TYPE, "application/problem+json")], answer) }
        };
        let guard = runtime.enter();
        let listener = platform::server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        drop(guard);
        let address = listener.local_addr().expect("an address");
        let app = Router::new().fallback(handler);
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, _runtime: Runtime(Some(runtime)) }
    }
}
