//! The ledger for an audit: read beside the running provider or without one.

use std::path::Path;

use platform::StartError;

pub use crate::domain::{Charge, ChargeStatus, Ledger, Refund};
use crate::store::sqlite;

/// Everything in `{data_dir}/psp.db`, of one moment; nothing is written.
///
/// # Errors
/// A sentence that names the file: it cannot be read.
pub async fn ledger(data_dir: &Path) -> Result<Ledger, StartError> {
    platform::db::look(data_dir, "psp", |conn| Box::pin(sqlite::ledger(conn))).await
}
