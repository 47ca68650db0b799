//! What an audit reads of the payments, beside the running service or without one.

use std::path::Path;

use platform::StartError;

use crate::domain::Payment;
use crate::store::sqlite;

/// Every payment in `{data_dir}/payment.db`, of one moment; nothing is written.
///
/// # Errors
/// A sentence that names the file: it cannot be read.
pub async fn payments(data_dir: &Path) -> Result<Vec<Payment>, StartError> {
    platform::db::look(data_dir, "payment", |conn| Box::pin(sqlite::all(conn))).await
}
