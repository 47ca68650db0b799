//! The servers to measure on: the caller's, or some of this run alone.

use std::path::Path;
use std::process::{Command, Stdio};

/// Ended, if they were started here, when this is dropped.
#[derive(Debug)]
pub(crate) struct Servers {
    redis: String,
    postgres: String,
    started: Option<String>,
}

impl Servers {
    pub(crate) fn choose(redis: Option<String>, postgres: Option<String>) -> Result<Self, String> {
        let missing = [("redis", redis.is_none()), ("postgres", postgres.is_none())];
        let missing: Vec<_> = missing.iter().filter(|(_, missing)| *missing).map(|(name, _)| *name).collect();
        let started = if missing.is_empty() { String::new() } else { services("start", &missing)? };
        let told = |name: &str| {
            let prefix = format!("export {name}=");
            started.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
        };
        let url = |given: Option<String>, name: &str| {
            given.or_else(|| told(name)).ok_or_else(|| format!("scripts/services did not say {name}"))
        };
        Ok(Self {
            redis: url(redis, "TEST_REDIS_URL")?,
            postgres: url(postgres, "TEST_POSTGRES_URL")?,
            started: told("TEST_SERVICES"),
        })
    }

    pub(crate) fn redis(&self) -> &str {
        &self.redis
    }

    pub(crate) fn postgres(&self) -> &str {
        &self.postgres
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Some(dir) = &self.started
            && let Err(error) = services("stop", &[dir])
        {
            eprintln!("lock-speed: the servers in {dir} may still be there: {error}");
        }
    }
}

/// What `scripts/services` prints.
fn services(what: &str, args: &[&str]) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/services");
    let ran = Command::new(script).arg(what).args(args).stderr(Stdio::inherit()).output();
    let output = ran.map_err(|error| format!("scripts/services cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("scripts/services {what} failed"));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("scripts/services prints no text: {error}"))
}
