//! The composition root: the only file that names every service and says who calls whom.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth::AdminAnnouncement;
use axum::Router;
use contract::{AuthClient, EventClient, InventoryClient};
use gateway::{Access, RateLimit, Route};
use payment::PspClient;
use platform::auth::{AuthContext, Jwks, KeySource, ServiceTokens, TokenVerifier};
use platform::layers::{AppLayers, standard};
use platform::retention::Retention;
use platform::{Client, Health, Purge, Service, StartError, Transport, Worker};
use ticketblitz_core::Clock;
use ticketblitz_core::sqlite::Sqlite;
use ticketblitz_lock::MemoryStore;
use ticketblitz_saga::{BusBuilder, Consumer, InProcessBus};
use utoipa::openapi::{Info, OpenApi, Paths};

use crate::config::ServeArgs;
use crate::role::Role;

/// One call from role to role: longer than a commit on a busy disk, shorter than a customer's patience.
const CALL: Duration = Duration::from_secs(10);
/// Beyond the provider's timeout, for a charge that left just before the deadline.
const GRACE_MARGIN: Duration = Duration::from_secs(20);

/// A system that is ready to listen.
#[derive(Default)]
pub(crate) struct System {
    /// Each role's application by the role's name.
    pub(crate) apps: HashMap<&'static str, Router>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) databases: Vec<Sqlite>,
    /// Whose password the operator is to be shown.
    pub(crate) admin: Option<AdminAnnouncement>,
}

/// Builds the roles of this process, which live by `clock`.
pub(crate) async fn build(
    args: &ServeArgs,
    service_secret: &str,
    clock: Arc<dyn Clock>,
) -> Result<System, StartError> {
    let secret = args.service_secret.as_deref().unwrap_or(service_secret);
    let services = ServiceTokens::new(secret.as_bytes());
    if args.role == Role::Psp {
        provider(args, clock, services).await
    } else {
        all(args, clock, services).await
    }
}

/// The provider alone. It asks nobody for a token, so it knows no keys either.
async fn provider(
    args: &ServeArgs,
    clock: Arc<dyn Clock>,
    services: ServiceTokens,
) -> Result<System, StartError> {
    let psp =
        psp::start(psp::Config { data_dir: args.data_dir.clone() }, psp::Deps { clock: Arc::clone(&clock) })
            .await?;
    let auth = AuthContext { verifier: TokenVerifier::new(Arc::new(NoKeys), Arc::clone(&clock)), services };
    let mut parts = Parts::new(clock, auth);
    parts.add(psp);
    parts.finish(args.retention)
}

/// Every role in one process. Calls go from later ones to earlier ones, so that there is no circle to close.
async fn all(args: &ServeArgs, clock: Arc<dyn Clock>, services: ServiceTokens) -> Result<System, StartError> {
    let data_dir = &args.data_dir;
    let started =
        auth::start(auth_config(args), auth::Deps { clock: Arc::clone(&clock), services: services.clone() })
            .await?;
    let verifier = TokenVerifier::new(started.keys, Arc::clone(&clock));
    let context = AuthContext { verifier, services: services.clone() };
    let mut parts = Parts::new(Arc::clone(&clock), context.clone());
    parts.system.admin = started.announced_admin;
    let auth = parts.add(started.service);

    let config = inventory::Config {
        data_dir: data_dir.clone(),
        hold_ttl: args.hold_ttl,
        hold_ceiling: args.hold_ceiling,
    };
    let locks = Arc::new(MemoryStore::new(Arc::clone(&clock)));
    let inventory = inventory::start(config, inventory::Deps { clock: Arc::clone(&clock), locks }).await?;
    let inventory = parts.add(inventory);
    let client = |caller: &'static str, peer: &'static str, transport: &Transport| {
        Client::new(peer, transport.clone(), Some((services.clone(), caller)), CALL)
    };

    let config = event::Config { data_dir: data_dir.clone(), sample_data: args.sample_data };
    let calls = InventoryClient::new(client("event", "inventory", &inventory));
    let event = event::start(config, event::Deps { clock: Arc::clone(&clock), inventory: calls }).await?;
    let event = parts.add(event);

    let config = booking::Config {
        data_dir: data_dir.clone(),
        payment_deadline: args.payment_deadline,
        payment_grace: args.provider_timeout + GRACE_MARGIN,
        key_retention: args.key_retention,
    };
    let calls = InventoryClient::new(client("booking", "inventory", &inventory));
    let booking =
        booking::start(config, booking::Deps { clock: Arc::clone(&clock), inventory: calls }).await?;
    let booking = parts.add(booking);

    let provider = PspClient::new(parts.provider(args).await?);
    let config = payment::Config { data_dir: data_dir.clone(), provider_timeout: args.provider_timeout };
    let payment = payment::start(config, payment::Deps { clock: Arc::clone(&clock), provider }).await?;
    let payment = parts.add(payment);

    let config = notification::Config { data_dir: data_dir.clone() };
    let deps = notification::Deps {
        clock,
        auth: AuthClient::new(client("notification", "auth", &auth)),
        events: EventClient::new(client("notification", "event", &event)),
    };
    let notification = parts.add(notification::start(config, deps).await?);

    let routes = [
        ("/api/auth", "auth", &auth),
        ("/.well-known/jwks.json", "auth", &auth),
        ("/api/events", "event", &event),
        ("/api/inventory", "inventory", &inventory),
        ("/api/bookings", "booking", &booking),
        ("/api/payments", "payment", &payment),
        ("/api/notifications", "notification", &notification),
        ("/mail", "notification", &notification),
    ];
    let routes = routes.map(|(prefix, role, transport)| Route { prefix, role, transport: transport.clone() });
    let limit = args.rate_limit.0.map_or_else(RateLimit::off, RateLimit::per_second);
    parts.gateway(gateway::router(routes.into(), context, limit));
    parts.finish(args.retention)
}

fn auth_config(args: &ServeArgs) -> auth::Config {
    auth::Config {
        data_dir: args.data_dir.clone(),
        access_token_ttl: args.access_token_ttl,
        refresh_token_ttl: args.refresh_token_ttl,
        password_min_length: args.passwords.password_min_length.into(),
        admin_password: args.admin_password.clone(),
    }
}

/// Services become a system one by one.
struct Parts {
    clock: Arc<dyn Clock>,
    auth: AuthContext,
    outboxes: Vec<(&'static str, Sqlite)>,
    consumers: Vec<Consumer>,
    purges: Vec<Purge>,
    /// What the services' descriptions say together, for the gateway.
    openapi: OpenApi,
    system: System,
}

impl Parts {
    fn new(clock: Arc<dyn Clock>, auth: AuthContext) -> Self {
        let openapi = OpenApi::new(Info::new("TicketBlitz", env!("CARGO_PKG_VERSION")), Paths::new());
        Self {
            clock,
            auth,
            outboxes: Vec::new(),
            consumers: Vec::new(),
            purges: Vec::new(),
            openapi,
            system: System::default(),
        }
    }

    /// Takes a service in; answers the way to it.
    fn add(&mut self, service: Service) -> Transport {
        self.outboxes.extend(service.outbox.map(|outbox| (service.name, outbox)));
        self.consumers.extend(service.consumers);
        self.purges.extend(service.purges);
        self.system.workers.extend(service.workers);
        self.system.databases.extend(service.databases);
        if service.name != Role::Psp.name() {
            self.openapi.merge(service.openapi.clone());
        }
        // A stranger has no inside, and knows nobody who could be refused there.
        let internal = service.name != Role::Psp.name();
        self.serve(service.name, service.router, service.openapi, service.health, internal)
    }

    fn gateway(&mut self, router: Router) {
        let mut openapi = self.openapi.clone();
        // What is among the services is not to be had here.
        openapi.paths.paths.retain(|path, _| !path.starts_with("/internal/"));
        self.serve(Role::Gateway.name(), router, openapi, Health::new(), false);
    }

    fn serve(
        &mut self,
        role: &'static str,
        router: Router,
        mut openapi: OpenApi,
        health: Health,
        internal: bool,
    ) -> Transport {
        let title = format!("TicketBlitz {role}");
        // The provider asks nobody for a token.
        let takes_token = |method: &_, path: &_| {
            role != Role::Psp.name() && gateway::access(method, path) != Access::Public
        };
        platform::openapi::introduce(&mut openapi, &title, env!("CARGO_PKG_VERSION"), takes_token);
        let router = router.merge(platform::openapi::routes(openapi));
        let app = standard(router, AppLayers { role, auth: self.auth.clone(), health, internal });
        self.system.apps.insert(role, app.clone());
        Transport::in_process(app)
    }

    /// The built-in provider, or the one that the settings name.
    async fn provider(&mut self, args: &ServeArgs) -> Result<Transport, StartError> {
        if let Some(url) = &args.psp_url {
            return Transport::http(url, args.provider_timeout);
        }
        let config = psp::Config { data_dir: args.data_dir.clone() };
        Ok(self.add(psp::start(config, psp::Deps { clock: Arc::clone(&self.clock) }).await?))
    }

    fn finish(mut self, keep: Duration) -> Result<System, StartError> {
        let retention = Retention {
            clock: Arc::clone(&self.clock),
            keep,
            outboxes: self.outboxes.iter().map(|(_, outbox)| outbox.clone()).collect(),
            consumers: self.consumers.iter().map(|consumer| consumer.name.clone()).collect(),
            databases: self.system.databases.clone(),
            purges: self.purges,
        };
        let bus = InProcessBus::new(self.clock);
        let bus = self.outboxes.into_iter().fold(bus, |bus, (name, outbox)| bus.outbox(name, outbox));
        let bus = self.consumers.into_iter().fold(bus, BusBuilder::consumer);
        let bus = bus.build().map_err(|error| StartError::new(error.to_string()))?;
        self.system.workers.push(Worker::new("bus", |shutdown| bus.run(shutdown)));
        self.system.workers.push(Worker::new("retention", |shutdown| retention.run(shutdown)));
        self.system.workers.push(Worker::new("metrics", platform::telemetry::upkeep));
        Ok(self.system)
    }
}

/// For a process that checks nobody's token.
#[derive(Debug)]
struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn keys(&self) -> Result<Jwks, String> {
        Err("this role knows no users".to_owned())
    }
}
