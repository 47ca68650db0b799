//! A server of one test's own: what is done to it is nobody else's.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ticketblitz_lock::redis::driver;

const LONG: Duration = Duration::from_secs(60);

/// Ends with its test.
pub struct Server {
    pub port: u16,
    process: Child,
}

impl Server {
    pub async fn start(port: u16) -> Self {
        let program = ["redis-server", "valkey-server"].into_iter().find_map(|program| {
            Command::new(program)
                .args([
                    "--port",
                    &port.to_string(),
                    "--bind",
                    "127.0.0.1",
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                ])
                .stdout(Stdio::null())
                .spawn()
                .ok()
        });
        let server = Self { port, process: program.expect("redis-server is installed") };
        let client = driver::Client::open(server.url()).unwrap();
        let began = Instant::now();
        while client.get_multiplexed_async_connection().await.is_err() {
            assert!(began.elapsed() < LONG, "it does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Once it is dead there is nothing to do.
        let _dead = self.process.kill();
        let _gone = self.process.wait();
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
