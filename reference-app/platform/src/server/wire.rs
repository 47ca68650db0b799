//! A client's connection beneath HTTP: it must take its answers in time, and what the HTTP library answers by
//! itself becomes a problem document.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::refusal;
use crate::problem::{Problem, kinds};

/// What the library answers by itself, as it begins, and what to say instead. No answer of an application's with
/// such a status is without a body.
const BARE: [(&[u8], &str); 3] = [
    (b"HTTP/1.1 400 ", "the request cannot be read"),
    (b"HTTP/1.1 414 ", "the path is too long"),
    (b"HTTP/1.1 431 ", "the head of the request is too large"),
];
const WITHOUT_BODY: &[u8] = b"\r\ncontent-length: 0\r\n";

#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    /// Of a refusal, not yet written.
    unwritten: Vec<u8>,
    patience: Duration,
    /// Ends when the client has taken nothing for too long; made when it first takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Gives up when the other side takes nothing for `patience`.
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, unwritten: Vec::new(), patience, stalled: None, waiting: false }
    }

    /// The outcome of a write; after a long time of none, an error.
    fn in_time<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = false;
            return outcome;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        if !std::mem::replace(&mut self.waiting, true) {
            stalled.as_mut().reset(Instant::now() + patience);
        }
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing of its answer")))
    }

    /// Writes what a refusal has left.
    fn write_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unwritten.is_empty() {
            let outcome = Pin::new(&mut self.stream).poll_write(context, &self.unwritten);
            let written = ready!(self.in_time(context, outcome))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unwritten.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether `bytes` were a bare refusal, which is the last thing that is written: then it is worded.
    fn is_worded(&mut self, bytes: &[u8]) -> bool {
        let bare = BARE.iter().find(|(beginning, _)| bytes.starts_with(beginning));
        let Some((_, detail)) = bare else { return false };
        if !bytes.windows(WITHOUT_BODY.len()).any(|window| window == WITHOUT_BODY) {
            return false;
        }
        self.unwritten = refusal::bytes(Problem::new(kinds::MALFORMED_REQUEST, *detail));
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.write_refusal(context))?;
        if self.is_worded(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.write_refusal(context))?;
        let first = slices.iter().find(|slice| !slice.is_empty());
        if let Some(first) = first.filter(|first| self.is_worded(first)) {
            return Poll::Ready(Ok(first.len()));
        }
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.in_time(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_refusal(context))?;
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.in_time(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_refusal(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
