//! The handlers of one consumer that are running, each in a task of its own.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::{self, JoinSet};

use super::lanes::Message;
use super::{HandleError, Handler};

#[derive(Debug, Default)]
pub(super) struct Handling {
    tasks: JoinSet<Result<(), HandleError>>,
    /// A task that breaks off says nothing but its id.
    keys: HashMap<task::Id, String>,
}

impl Handling {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn begin(&mut self, handler: Arc<dyn Handler>, message: Message) {
        let Message { key, envelope, .. } = message;
        let task = self.tasks.spawn(async move {
            match &envelope {
                Some(envelope) => handler.handle(envelope).await,
                None => Err(HandleError::Poison("its envelope is unreadable".to_owned())),
            }
        });
        self.keys.insert(task.id(), key);
    }

    /// The next one to end: its key, and what came of it. None if nothing is running. Cancel safe.
    pub(super) async fn ended(&mut self) -> Option<(String, Result<(), HandleError>)> {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            let (task, result) = match ended {
                Ok(ended) => ended,
                // A panic says nothing about what happened before it.
                Err(error) => {
                    (error.id(), Err(HandleError::Retry(format!("the handler broke off: {error}"))))
                }
            };
            if let Some(key) = self.keys.remove(&task) {
                return Some((key, result));
            }
        }
        None
    }
}
