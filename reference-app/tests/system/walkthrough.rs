//! The commands that people copy: those of the README, and those of the README of the system re-implemented here.

use std::path::Path;

use crate::common::System;

/// The commands of the README's section, with the ports of the system under test.
fn commands(section: &str, offset: u16) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README");
    let text = readme.split(&format!("\n## {section}\n")).nth(1).expect("the section");
    let text = text.split("\n## ").next().expect("its end");
    let blocks: Vec<&str> =
        text.split("```bash\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    assert!(!blocks.is_empty(), "no commands under {section}");
    moved(&blocks.concat(), offset)
}

fn moved(script: &str, offset: u16) -> String {
    (8080..8090).fold(script.to_owned(), |script, port| {
        script.replace(&format!("localhost:{port}"), &format!("localhost:{}", port + offset))
    })
}

async fn bash(script: &str) -> String {
    let output = tokio::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .output()
        .await
        .expect("bash and curl are there");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}\n{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

#[tokio::test]
async fn the_readmes_walk_through_sells_a_seat() {
    let system = System::start(&[]).await;
    let printed = bash(&commands("Buy a seat with curl", system.offset)).await;
    assert!(printed.contains("\"status\":\"CONFIRMED\""), "{printed}");
    assert!(printed.contains("\"status\":\"SENT\""), "{printed}");
}

/// Verbatim, but for the port of the system under test.
const SEED: &str = r#"
curl http://localhost:8080/api/events

# Register user
curl -X POST http://localhost:8080/api/auth/register \
  -H "Content-Type: application/json" \
  -d '{"email":"test@example.com","password":"pass123","name":"Test User"}'

# Login and get JWT token
curl -X POST http://localhost:8080/api/auth/login \
  -H "Content-Type: application/json" \
  -d '{"email":"test@example.com","password":"pass123"}'

# Use the token for authenticated requests
curl http://localhost:8080/api/events \
  -H "Authorization: Bearer YOUR_JWT_TOKEN"
"#;

const SEED_HEALTH: &str = "
curl http://localhost:8080/actuator/health  # API Gateway
curl http://localhost:8081/actuator/health  # Auth Service
curl http://localhost:8082/actuator/health  # Event Service
curl http://localhost:8083/actuator/health  # Inventory Service
curl http://localhost:8084/actuator/health  # Booking Service
curl http://localhost:8085/actuator/health  # Payment Service
curl http://localhost:8086/actuator/health  # Notification Service
";

#[tokio::test]
async fn the_seeds_curl_lines_work() {
    let system = System::start(&[]).await;
    let printed = bash(&moved(SEED, system.offset).replace("curl ", "curl -sSf ")).await;
    assert_eq!(printed.matches("\"Rock Concert\"").count(), 2, "{printed}");
    assert_eq!(printed.matches("\"accessToken\"").count(), 2, "{printed}");
    let printed = bash(&moved(SEED_HEALTH, system.offset).replace("curl ", "curl -sSf ")).await;
    assert_eq!(printed, r#"{"status":"UP"}"#.repeat(7));
}
