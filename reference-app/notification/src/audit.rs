//! What an audit reads of the notifications, beside the running service or without one.

use std::path::Path;

use platform::StartError;

use crate::domain::Notification;
use crate::store::sqlite;

/// Every notification in `{data_dir}/notification.db`, of one moment; nothing is written.
///
/// # Errors
/// A sentence that names the file: it cannot be read.
pub async fn notifications(data_dir: &Path) -> Result<Vec<Notification>, StartError> {
    platform::db::look(data_dir, "notification", |conn| Box::pin(sqlite::all(conn))).await
}
