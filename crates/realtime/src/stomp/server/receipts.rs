//! Receipts that a client has asked for and that the hub has to answer first.

use super::error::SessionError;
use crate::{hub::RequestId, stomp::Command};
use alloc::{boxed::Box, collections::VecDeque};

/// A receipt that is not answered yet.
#[derive(Debug)]
pub(super) struct Receipt {
    request: RequestId,
    /// The command of the frame that asked for the receipt.
    pub(super) command: Command,
    pub(super) text: Box<str>,
}

/// The receipts of a connection that are not answered yet, in the order in which they were asked for.
/// Most of them are answered in this order too.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    next: u64,
    unanswered: VecDeque<Receipt>,
}

impl Receipts {
    /// Adds a receipt, and returns the name of the command whose answer it waits for.
    pub(super) fn add(
        &mut self,
        command: Command,
        text: Box<str>,
        limit: usize,
    ) -> Result<RequestId, SessionError> {
        if self.unanswered.len() >= limit {
            return Err(SessionError::TooManyReceipts { limit });
        }
        let request = RequestId(self.next);
        // At a billion receipts a second, the numbers suffice for centuries.
        self.next = self.next.wrapping_add(1);
        self.unanswered.push_back(Receipt { request, command, text });
        Ok(request)
    }

    /// Removes the receipt that waits for this answer.
    pub(super) fn take(&mut self, request: RequestId) -> Option<Receipt> {
        let position =
            self.unanswered.binary_search_by_key(&request, |receipt| receipt.request).ok()?;
        let receipt = self.unanswered.remove(position);
        if self.unanswered.is_empty() {
            // An idle session holds no memory for receipts.
            self.unanswered = VecDeque::new();
        }
        receipt
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unanswered.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.unanswered = VecDeque::new();
    }
}
