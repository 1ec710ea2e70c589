//! Transactions: operations that wait for COMMIT.

use super::{config::Config, error::SessionError};
use crate::{hub::Operation, stomp::error::shortened};
use alloc::{boxed::Box, vec::Vec};

/// The open transactions of a connection. There are few, so they are looked through.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    open: Vec<Transaction>,
}

#[derive(Debug)]
struct Transaction {
    name: Box<str>,
    operations: Vec<Operation>,
    /// The size of the operations.
    bytes: usize,
}

impl Transactions {
    /// Opens a transaction. Different ones have different names (1.2 §BEGIN).
    pub(super) fn begin(&mut self, name: &str, config: &Config) -> Result<(), SessionError> {
        if self.position(name).is_ok() {
            return Err(SessionError::TransactionExists { transaction: shortened(name) });
        }
        if self.open.len() >= config.transactions {
            return Err(SessionError::TooManyTransactions { limit: config.transactions });
        }
        self.open.push(Transaction { name: name.into(), operations: Vec::new(), bytes: 0 });
        Ok(())
    }

    /// Adds an operation to a transaction.
    pub(super) fn add(
        &mut self,
        name: &str,
        operation: Operation,
        config: &Config,
    ) -> Result<(), SessionError> {
        let position = self.position(name)?;
        let operations: usize = self.open.iter().map(|open| open.operations.len()).sum();
        if operations >= config.transaction_operations {
            return Err(SessionError::TooManyOperations { limit: config.transaction_operations });
        }
        let bytes = size(&operation);
        let before: usize = self.open.iter().map(|open| open.bytes).sum();
        let total = before.saturating_add(bytes);
        if total > config.transaction_bytes {
            let limit = config.transaction_bytes;
            return Err(SessionError::TransactionsTooLarge { size: total, limit });
        }
        let transaction = &mut self.open[position];
        transaction.operations.push(operation);
        transaction.bytes += bytes;
        Ok(())
    }

    /// Closes a transaction, and returns its operations in the order in which they came.
    pub(super) fn close(&mut self, name: &str) -> Result<Vec<Operation>, SessionError> {
        let position = self.position(name)?;
        let operations = self.open.swap_remove(position).operations;
        if self.open.is_empty() {
            // An idle session holds no memory for transactions.
            self.open = Vec::new();
        }
        Ok(operations)
    }

    /// Fails unless a transaction of this name is open.
    pub(super) fn check(&self, name: &str) -> Result<(), SessionError> {
        self.position(name).map(|_| ())
    }

    /// Aborts all transactions.
    pub(super) fn clear(&mut self) {
        self.open = Vec::new();
    }

    fn position(&self, name: &str) -> Result<usize, SessionError> {
        let position = self.open.iter().position(|open| *open.name == *name);
        position.ok_or_else(|| SessionError::UnknownTransaction { transaction: shortened(name) })
    }
}

fn size(operation: &Operation) -> usize {
    match operation {
        Operation::Send { destination, message } => destination.len() + message.size(),
        _ => 0,
    }
}
