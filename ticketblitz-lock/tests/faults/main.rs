//! What goes wrong around a store: processes that stop, servers that die, crowds that go away. Each test is written once
//! and runs on every backend that it can happen to.
#![allow(clippy::unwrap_used)] // a test fails where an answer is not the expected one

/// Makes a test of each backend out of an `async fn(Backend)`.
macro_rules! on_each {
    ($test:ident: $($name:ident $backend:ident),+) => {
        mod $test {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$test(crate::backends::Backend::$backend).await;
                }
            )+
        }
    };
}

mod backends;
mod crash;
mod crowd;
mod dropped;
mod failover;
mod lapse;
mod ledger;
mod moments;
#[path = "../servers/own.rs"]
mod own;
#[path = "../postgres/server.rs"]
mod postgres_server;
mod process;
#[path = "../redis_server/server.rs"]
mod redis_server;
#[path = "../servers/soak.rs"]
mod soak;
mod stopped;
mod truth;
