//! One operation at a time on each volume.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tonic::Status;

/// What is being worked on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operations {
    claimed: Arc<Mutex<HashSet<String>>>,
}

/// Holds the place of an operation until it ends or is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Operation {
    key: String,
    claimed: Arc<Mutex<HashSet<String>>>,
}

impl Operations {
    /// Begins an operation on something.
    ///
    /// # Errors
    /// `ABORTED` while another one is under way: the caller comes back.
    pub(crate) fn begin(&self, what: &str, of: &str) -> Result<Operation, Status> {
        let key = format!("{what} {of}");
        if !self.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
            return Err(Status::aborted(format!("an operation on the {key} is under way")));
        }
        Ok(Operation { key, claimed: Arc::clone(&self.claimed) })
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn a_second_operation_on_the_same_is_aborted_until_the_first_ends() {
        let operations = Operations::default();
        let first = operations.begin("volume", "disk-1").unwrap();
        assert_eq!(operations.begin("volume", "disk-1").unwrap_err().code(), Code::Aborted);
        assert!(operations.begin("volume", "disk-2").is_ok());
        assert!(operations.begin("snapshot", "disk-1").is_ok());
        drop(first);
        assert!(operations.begin("volume", "disk-1").is_ok());
    }
}
