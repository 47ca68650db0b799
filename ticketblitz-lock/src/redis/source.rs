//! Where the shared connection comes from, and how its end is noticed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_redis::{Connection, Pool};
use futures::FutureExt;

use super::driver::aio::MultiplexedConnection;
use super::driver::{self, AsyncConnectionConfig, Client, ProtocolVersion, PushInfo, PushKind, RedisError};
use super::link::Failure;

/// Longer than anything waits for an answer: the link bounds that itself, because the ends of its times mean different
/// things.
const NEVER: Duration = Duration::from_secs(366 * 86_400);

pub(super) enum Source {
    Server(Client),
    /// The application's own.
    Pool(Pool),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(client) => {
                f.debug_tuple("Server").field(client.get_connection_info().addr()).finish()
            }
            Self::Pool(pool) => f.debug_tuple("Pool").field(&pool.status()).finish(),
        }
    }
}

impl Source {
    pub(super) fn server(client: &Client) -> Result<Self, RedisError> {
        // The third protocol, because only with it the connection tells that it has ended.
        let info = client.get_connection_info().clone();
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Client::open(info.set_redis_settings(settings)).map(Self::Server)
    }

    pub(super) async fn line(&self) -> Result<Line, Failure> {
        match self {
            Self::Server(client) => Line::to(client).await.map_err(Failure::refused),
            Self::Pool(pool) => pool.get().await.map(Line::taken_from_pool).map_err(Failure::refused),
        }
    }
}

#[derive(Clone)]
pub(super) struct Line {
    pub(super) connection: MultiplexedConnection,
    /// Cleared when it is of no use any more: what is sent afterwards would only seem to be lost.
    up: Arc<AtomicBool>,
    /// Whether the connection clears it when it ends.
    tells: bool,
}

impl Line {
    async fn to(client: &Client) -> Result<Self, RedisError> {
        let up = Arc::new(AtomicBool::new(true));
        let ended = Arc::clone(&up);
        let watch = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                ended.store(false, Ordering::Release);
            }
            Ok::<(), ()>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(watch);
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Self { connection, up, tells: true })
    }

    /// For good: the pool makes another for whoever asks next, and may be empty meanwhile.
    fn taken_from_pool(lent: Connection) -> Self {
        let mut connection = Connection::take(lent);
        connection.set_response_timeout(NEVER);
        Self { connection, up: Arc::new(AtomicBool::new(true)), tells: false }
    }

    /// Nobody is to use a connection whose answers do not come.
    pub(super) fn hang_up(&self) {
        self.up.store(false, Ordering::Release);
    }

    pub(super) fn is_up(&self) -> bool {
        if self.up.load(Ordering::Acquire) && !self.tells && !self.takes_commands() {
            self.hang_up();
        }
        self.up.load(Ordering::Acquire)
    }

    /// One that has ended refuses a command at once. One that has not queues it, and does not send what nobody waits for
    /// by then: this costs no round trip.
    fn takes_commands(&self) -> bool {
        let (mut connection, ping) = (self.connection.clone(), driver::cmd("PING"));
        let asked = connection.send_packed_command(&ping).now_or_never();
        !matches!(asked, Some(Err(_)))
    }
}
