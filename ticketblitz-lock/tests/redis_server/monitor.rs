//! What the server does for the clients of one prefix.

use std::collections::BTreeSet;

use ticketblitz_lock::redis::driver::{Client, ConnectionAddr};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use super::Bench;

/// Reads along.
pub struct Monitor {
    lines: Lines<BufReader<OwnedReadHalf>>,
    _open: tokio::net::tcp::OwnedWriteHalf,
    prefix: String,
    marks: u32,
}

/// What one operation made the server do.
#[derive(Debug, Default)]
pub struct Seen {
    /// The commands that came over the wire, each with its words.
    pub sent: Vec<Vec<String>>,
    /// Those that the scripts called.
    pub called: Vec<Vec<String>>,
    /// How many of these each of those that were sent called.
    pub each: Vec<usize>,
}

/// What changes nothing.
const READS: [&str; 9] =
    ["TIME", "HGET", "HMGET", "HGETALL", "ZRANGEBYSCORE", "ZRANGE", "LINDEX", "LRANGE", "LLEN"];

impl Seen {
    pub fn writes(&self) -> BTreeSet<&str> {
        let called = self.called.iter().map(|words| words[0].as_str());
        called.filter(|name| !READS.contains(name)).collect()
    }
}

impl Monitor {
    pub async fn of(bench: &Bench) -> Self {
        let client = Client::open(super::server::url()).unwrap();
        let ConnectionAddr::Tcp(host, port) = client.get_connection_info().addr() else { panic!("no TCP") };
        let (read, mut write) = TcpStream::connect((host.as_str(), *port)).await.unwrap().into_split();
        write.write_all(b"MONITOR\r\n").await.unwrap();
        let mut lines = BufReader::new(read).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "+OK");
        Self { lines, _open: write, prefix: bench.prefix.clone(), marks: 0 }
    }

    /// All since the last time.
    pub async fn seen(&mut self, bench: &Bench) -> Seen {
        self.marks += 1;
        let mark = format!("{}-mark-{}", self.prefix, self.marks);
        let _: String = bench.ask(&["ECHO", &mark]).await;
        let mut seen = Seen::default();
        // A script's lines follow its command's; those of `TIME` name no key.
        let mut ours = false;
        loop {
            let line = self.lines.next_line().await.unwrap().unwrap();
            let (head, command) = line.split_once("] ").unwrap();
            let words = words(command);
            if words.last() == Some(&mark) {
                return seen;
            }
            if head.ends_with(" lua") {
                if ours {
                    *seen.each.last_mut().unwrap() += 1;
                    seen.called.push(words);
                }
                continue;
            }
            ours = command.contains(&self.prefix);
            if ours {
                seen.each.push(0);
                seen.sent.push(words);
            }
        }
    }
}

/// The quoted words of a line; what is escaped in them stays so.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = command;
    while let Some(start) = rest.find('"') {
        rest = &rest[start + 1..];
        let mut escaped = false;
        let end = rest.find(|letter| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        let end = end.unwrap();
        words.push(rest[..end].to_owned());
        rest = &rest[end + 1..];
    }
    words
}
