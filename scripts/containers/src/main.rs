//! Starts Redis and PostgreSQL in containers, prints the two URLs as lines to `eval`, and removes them at SIGTERM.
use std::error::Error;

use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::redis::Redis;
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use testcontainers_modules::testcontainers::{ContainerAsync, Image, ImageExt};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut stop = signal(SignalKind::terminate())?;
    let redis = Redis::default().with_tag("7.2").with_cmd([
        "redis-server",
        "--save",
        "",
        "--maxmemory-policy",
        "noeviction",
    ]);
    let redis = redis.start().await?;
    // Its default leaves fsync off; what the tests measure and cut off must be on the disk.
    let postgres = Postgres::default().with_tag("15").with_cmd([
        "postgres",
        "-c",
        "fsync=on",
        "-c",
        "max_connections=300",
        "-c",
        "shared_preload_libraries=pg_stat_statements",
    ]);
    let postgres = postgres.start().await?;
    println!("export TEST_REDIS_URL=redis://{}", address(&redis, 6379).await?);
    println!(
        "export TEST_POSTGRES_URL=postgres://postgres:postgres@{}/postgres",
        address(&postgres, 5432).await?
    );
    stop.recv().await;
    redis.rm().await?;
    postgres.rm().await?;
    Ok(())
}

async fn address(container: &ContainerAsync<impl Image>, port: u16) -> Result<String, Box<dyn Error>> {
    Ok(format!("{}:{}", container.get_host().await?, container.get_host_port_ipv4(port).await?))
}
