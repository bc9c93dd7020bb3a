//! How a session has a peer authenticated, when the handshake asks for it (RFC 27).

use super::{Fate, Session};
use crate::runtime::connection::Failure;
use crate::runtime::link::Listener;
use crate::runtime::zap::Inquiry;
use crate::security::zap::{self, RequestedBy};
use crate::zmtp::mechanism::{WorkResult, ZapReply, ZapRequest};

impl Session {
    /// The handshake has a question for the ZAP handler.
    pub fn ask_zap(&mut self, token: u64, request: &ZapRequest, now: u64) -> Fate {
        if !self.is_current(token) {
            return Fate::Live;
        }
        let (Some(connection), Some(link)) = (&self.connection, &self.link) else { return Fate::Live };
        let options = &self.owner.options;
        let address = connection.stream().peer_address();
        let by = RequestedBy {
            domain: &options.zap_domain,
            address: address.as_bytes(),
            routing_id: &options.routing_id,
        };
        let frames = match zap::request(by, request) {
            Ok(frames) => frames,
            Err(error) => return self.failed(token, Failure::Transport(error), now),
        };
        let listener = Listener::Session { link: link.clone(), connection: token };
        match Inquiry::begin(&self.owner.context, frames, listener) {
            Some(inquiry) => {
                self.inquiry = Some(Box::new(inquiry));
                self.zap_news(token, now)
            }
            None => self.zap_reply(token, ZapReply::Unavailable, now),
        }
    }

    /// Something has happened at the handler's end.
    pub fn zap_news(&mut self, token: u64, now: u64) -> Fate {
        if !self.is_current(token) {
            return Fate::Live;
        }
        match self.inquiry.as_mut().map(|inquiry| inquiry.look()) {
            None | Some(Ok(None)) => Fate::Live,
            Some(Ok(Some(reply))) => {
                self.inquiry = None;
                self.zap_reply(token, reply, now)
            }
            Some(Err(error)) => self.failed(token, Failure::Protocol(error), now),
        }
    }

    /// What the handshake had to be done has been done.
    pub fn work_done(&mut self, token: u64, result: WorkResult, now: u64) -> Fate {
        if !self.is_current(token) {
            return Fate::Live;
        }
        match self.connection.clone().map(|connection| connection.work_done(result)) {
            Some(Err(failure)) => self.failed(token, failure, now),
            _ => Fate::Live,
        }
    }

    fn zap_reply(&mut self, token: u64, reply: ZapReply, now: u64) -> Fate {
        let Some(connection) = self.connection.clone() else { return Fate::Live };
        match connection.zap_reply(reply) {
            Ok(events) => {
                events.into_iter().for_each(|event| self.emit_handshake(event));
                Fate::Live
            }
            Err(failure) => self.failed(token, failure, now),
        }
    }
}
