//! A holder in a process of its own: this program again, running the same test, which then does as it is told.

use std::process::Stdio;
use std::time::Duration;

use ticketblitz_core::{BookingId, Clock, EventId, SystemClock};
use ticketblitz_lock::{Fence, HoldRef, LockError, Owner, SeatStore};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::backends::{Backend, PATIENCE, request};
use super::own;

const ORDER: &str = "FAULTS_HOLDER";

/// Told what to do by lines, it answers each by one.
pub struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Runs this test again, as a holder of that name. `preload` is put before the C library.
    pub fn start(test: &str, store: &str, event: EventId, owner: &str, preload: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]).env(ORDER, format!("{store} {event} {owner}"));
        if let Some(library) = preload {
            command.env("LD_PRELOAD", library);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output).lines() }
    }

    /// Without waiting for the answer.
    pub async fn tell(&mut self, order: &str) {
        self.input.write_all(format!("{order}\n").as_bytes()).await.unwrap();
    }

    pub async fn answer(&mut self) -> String {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await.unwrap().unwrap();
            // The test's own lines are in between, and before it.
            if let Some((_, answer)) = line.expect("the holder ended").split_once("answer: ") {
                return answer.to_owned();
            }
        }
    }

    pub async fn ask(&mut self, order: &str) -> String {
        self.tell(order).await;
        self.answer().await
    }

    /// Holds the seats, which has to succeed.
    pub async fn hold(&mut self, seats: &str, ttl: Duration) -> Fence {
        let answer = self.ask(&format!("hold {seats} {}", ttl.as_millis())).await;
        Fence::new(answer.parse().unwrap_or_else(|_| panic!("{seats}: {answer}")))
    }

    /// Returns once no thread of it runs any more.
    pub fn stop(&self) {
        let process = self.child.id().unwrap().to_string();
        own::signal(&process, "STOP");
        own::wait_until("the process stops", || own::state(&process) == Some('T'));
    }

    pub fn go_on(&self) {
        own::signal(&self.child.id().unwrap().to_string(), "CONT");
    }

    pub async fn end(mut self) {
        drop(self.input);
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert!(ended.success(), "{ended}");
    }
}

/// In the process of a holder, does what it is told until its input ends. False in any other.
#[allow(clippy::disallowed_methods, clippy::print_stdout)] // its order, and its answers
pub async fn was_holder(backend: Backend) -> bool {
    let Ok(order) = std::env::var(ORDER) else { return false };
    let words: Vec<&str> = order.split(' ').collect();
    let [name, event, owner] = words[..] else { panic!("{order}") };
    let mut holder = Holder {
        store: backend.open(name, 2, None).await,
        event: event.parse().unwrap(),
        owner: owner.into(),
        last: None,
    };
    let mut lines = std::io::stdin().lines();
    while let Some(line) = tokio::task::block_in_place(|| lines.next()) {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match holder.does(&words).await {
            Ok(answer) => answer,
            Err(error) => error.name().to_owned(),
        };
        println!("answer: {answer}");
    }
    true
}

struct Holder {
    store: std::sync::Arc<dyn SeatStore>,
    event: EventId,
    owner: Owner,
    last: Option<(HoldRef, Fence)>,
}

impl Holder {
    async fn does(&mut self, order: &[&str]) -> Result<String, LockError> {
        let millis = |text: &str| Duration::from_millis(text.parse().unwrap());
        if let ["time"] = order {
            return Ok(SystemClock.now().as_micros().to_string());
        }
        if let ["hold", names, ttl] = order {
            let names: Vec<&str> = names.split(',').collect();
            let hold =
                self.store.hold(&request(self.event, self.owner.as_str(), &names, millis(ttl))).await?;
            self.last = Some((hold.reference(), hold.fence));
            return Ok(hold.fence.to_string());
        }
        let (it, fence) = self.last.unwrap();
        match order {
            ["left"] => return Ok(self.store.get(it).await?.ttl.as_millis().to_string()),
            ["pay", grace] => drop(self.store.begin_commit(it, &self.owner, millis(grace)).await?),
            ["extend", ttl] => drop(self.store.extend(it, &self.owner, millis(ttl)).await?),
            ["release"] => self.store.release(it, &self.owner).await?,
            ["sell", booking] => self.store.sold(it, fence, booking.parse::<BookingId>().unwrap()).await?,
            _ => panic!("{order:?}"),
        }
        Ok("done".to_owned())
    }
}
