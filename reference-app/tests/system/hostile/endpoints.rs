//! What there is to ask for, by the descriptions that the roles give of themselves.

use serde_json::Value;

use crate::common::{Buyer, System};

/// The ports of API.md.
const SERVICES: [u16; 7] = [8080, 8081, 8082, 8083, 8084, 8085, 8086];
const PROVIDER: u16 = 8089;

/// For people and machines that watch, and where there is nothing: in no description.
const BESIDES: [&str; 13] = [
    "/",
    "/metrics",
    "/docs",
    "/docs/",
    "/docs/swagger-ui.css",
    "/openapi.json",
    "/actuator/health",
    "/actuator/health/readiness",
    "/actuator/health/liveness",
    "/mail",
    "/mail/{id}",
    "/api/nothing/{id}",
    "/internal/nothing",
];

/// A method on a path.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Whose it is, by the port of API.md.
    pub role: u16,
    pub port: u16,
    pub method: String,
    /// `/api/events/{id}`
    pub template: String,
    /// The names of the parameters in the query.
    pub query: Vec<String>,
    /// The body's fields and their schemas, if it has a body.
    pub body: Option<Vec<(String, Value)>>,
    /// Whether it is promised: then a request that is right has to succeed.
    pub described: bool,
}

impl Endpoint {
    pub fn is_internal(&self) -> bool {
        self.template.starts_with("/internal/")
    }
}

/// Everything that the roles say they answer, and a little more. The provider is another system's: charges by
/// strangers would be none of a booking's.
pub async fn all(system: &System, provider: &System) -> Vec<Endpoint> {
    let mut all = Vec::new();
    let services = SERVICES.map(|port| (system, port));
    for (system, role) in services.into_iter().chain([(provider, PROVIDER)]) {
        let port = role + system.offset;
        let described = described(
            role,
            port,
            &Buyer::nobody(&format!("http://127.0.0.1:{port}")).get("/openapi.json").await.expect(200),
        );
        assert!(!described.is_empty(), "port {port} describes nothing");
        all.extend(described);
        all.extend(BESIDES.map(|template| Endpoint {
            role,
            port,
            method: "GET".to_owned(),
            template: template.to_owned(),
            query: Vec::new(),
            body: None,
            described: false,
        }));
    }
    all
}

fn described(role: u16, port: u16, openapi: &Value) -> Vec<Endpoint> {
    let mut found = Vec::new();
    for (template, methods) in openapi["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
            found.push(Endpoint {
                role,
                port,
                method: method.to_uppercase(),
                template: template.clone(),
                query: query
                    .map(|parameter| parameter["name"].as_str().expect("a name").to_owned())
                    .collect(),
                body: fields(openapi, &operation["requestBody"]["content"]["application/json"]["schema"]),
                described: true,
            });
        }
    }
    found
}

fn fields(openapi: &Value, schema: &Value) -> Option<Vec<(String, Value)>> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => openapi.pointer(reference.trim_start_matches('#')).expect("a schema"),
        None => schema,
    };
    let properties = schema["properties"].as_object()?;
    Some(properties.iter().map(|(name, schema)| (name.clone(), schema.clone())).collect())
}
