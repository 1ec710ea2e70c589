//! A request, and its response as it arrives.

use crate::{
    http::{Head, Request},
    link::{Arrival, LinkId, Network, Side},
};

#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) link: LinkId,
    out: Vec<u8>,
    pub(crate) head: Option<Head>,
    /// What has arrived of the body and was not taken.
    pub(crate) body: Vec<u8>,
    /// Whether the response is complete, once it has ended.
    pub(crate) ended: Option<bool>,
}

impl Exchange {
    pub(crate) fn begin(request: &Request, network: &mut Network) -> Self {
        let server = network.pick_server();
        Self::begin_at(server, request, network)
    }

    pub(crate) fn begin_at(server: usize, request: &Request, network: &mut Network) -> Self {
        let link = network.open_to(server);
        let (head, body, ended) = (None, Vec::new(), None);
        let mut exchange = Self { link, out: request.encode(), head, body, ended };
        exchange.write(network);
        exchange
    }

    pub(crate) fn arrived(&mut self, arrival: Arrival, network: &mut Network) {
        match arrival {
            Arrival::Bytes(bytes) => {
                self.body.extend_from_slice(&bytes);
                if self.head.is_none() {
                    self.head = Head::take(&mut self.body);
                }
            }
            Arrival::Finished => {
                self.ended = Some(self.head.is_some());
                network.close(self.link, Side::Client);
            }
            Arrival::Lost | Arrival::TimedOut => self.ended = Some(false),
            Arrival::Room | Arrival::Opened => self.write(network),
        }
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.head.as_ref().map(|head| head.status)
    }

    fn write(&mut self, network: &mut Network) {
        let count = network.write(self.link, Side::Client, &self.out);
        self.out.drain(..count);
    }
}
