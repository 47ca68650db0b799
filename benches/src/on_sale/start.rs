//! How long until it can be used.

use std::path::Path;

use super::Scale;
use super::process::{Bare, System};
use benches::table::{Goal, Row, Table, median};

/// A first start: it makes its databases, its keys and the administrator's password.
pub(super) async fn measure(server: &Path, scale: Scale, table: &mut Table) -> Result<(), String> {
    let (mut measured, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        floor.push(Bare::hello().await?.started.as_secs_f64() * 1e3);
        measured.push(System::start(server).await?.started.as_secs_f64() * 1e3);
    }
    table.add(Row {
        what: "first start, until every role is UP".to_owned(),
        unit: "ms",
        measured: median(measured),
        floor: Some(median(floor)),
        goals: vec![Goal::AtMost(1_000.0)],
    });
    Ok(())
}
