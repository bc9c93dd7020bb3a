//! REQ: the client of request-reply. Sending and receiving alternate strictly (RFC 28).
//!
//! On the wire a request is an empty delimiter and the body; with `ZMQ_REQ_CORRELATE` a frame with a number
//! stands in front, which the service sends back with its reply.

use super::routing::{FairQueue, LoadBalancer};
use super::{Attachment, Env, Pattern, probe, random};
use crate::error::{Error, Result};
use crate::message::{Kind, Message};
use crate::pipe::PipeId;

/// The REQ pattern.
pub struct Req {
    inbound: FairQueue,
    outbound: LoadBalancer,
    /// The request was sent; its reply is awaited, or partly received.
    receiving: bool,
    /// The next part, sent or received, is the first one of its message.
    begins: bool,
    /// Where the request went: only a reply from there counts. `None` once that peer has gone.
    peer: Option<PipeId>,
    /// Of the latest request, with `ZMQ_REQ_CORRELATE`.
    request_id: u32,
}

impl Default for Req {
    fn default() -> Self {
        Self {
            inbound: FairQueue::default(),
            outbound: LoadBalancer::default(),
            receiving: false,
            begins: true,
            peer: None,
            request_id: random(),
        }
    }
}

impl Req {
    /// Sends what stands in front of the body.
    fn begin(&mut self, env: &mut Env) -> Result<()> {
        self.peer = None;
        let mut frame = Message::new();
        if env.options.req_correlate {
            self.request_id = self.request_id.wrapping_add(1);
            frame = Message::from_slice(&self.request_id.to_ne_bytes())?;
            frame.set_more(true);
            self.outbound.send(env.pipes, &mut frame)?;
        }
        frame.set_more(true);
        self.peer = self.outbound.send(env.pipes, &mut frame)?;
        self.begins = false;
        // Late replies to an earlier request go now. Were they left, one of them could be taken for a reply to
        // a later request that goes to the same peer.
        while self.inbound.recv(env.pipes, &mut frame).is_some() {}
        Ok(())
    }

    /// Receives the next part that comes from the peer that was asked.
    #[inline]
    fn recv_part(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        loop {
            let pipe = self.inbound.recv(env.pipes, out).ok_or(Error::Again)?;
            if self.peer.is_none_or(|peer| peer == pipe) {
                return Ok(());
            }
        }
    }

    /// Receives what stands in front of the body; false: something else did, and the message is to be skipped.
    fn recv_envelope(&mut self, env: &mut Env, out: &mut Message) -> Result<bool> {
        if env.options.req_correlate {
            self.recv_part(env, out)?;
            if !out.more() || out.data() != self.request_id.to_ne_bytes() {
                return Ok(false);
            }
        }
        self.recv_part(env, out)?;
        Ok(out.more() && out.is_empty())
    }
}

impl Pattern for Req {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        probe(env, pipe);
        self.inbound.attach(pipe);
        self.outbound.attach(pipe);
    }

    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        if self.receiving {
            if !env.options.req_relaxed {
                return Err(Error::State);
            }
            (self.receiving, self.begins) = (false, true);
        }
        if self.begins {
            self.begin(env)?;
        }
        let more = message.more();
        match self.outbound.send(env.pipes, message) {
            Ok(_) => {}
            // The request is lost with its peer, just as if the peer had gone a moment later.
            Err(Error::BrokenPipe) => *message = Message::new(),
            Err(error) => return Err(error),
        }
        if !more {
            (self.receiving, self.begins) = (true, true);
        }
        Ok(())
    }

    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        if !self.receiving {
            return Err(Error::State);
        }
        while self.begins {
            if self.recv_envelope(env, out)? {
                self.begins = false;
            } else {
                while out.more() {
                    self.recv_part(env, out)?;
                }
            }
        }
        self.recv_part(env, out)?;
        if !out.more() {
            (self.receiving, self.begins) = (false, true);
        }
        Ok(())
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.receiving && self.inbound.has_in(env.pipes)
    }

    fn has_out(&mut self, env: &mut Env) -> bool {
        (!self.receiving || env.options.req_relaxed) && self.outbound.has_out(env.pipes)
    }

    fn read_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.activated(pipe);
    }

    fn write_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.outbound.activated(pipe);
    }

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        if self.peer == Some(pipe) {
            self.peer = None;
        }
        if self.inbound.terminated(pipe) && self.receiving {
            // Its reply was half received; the rest won't come.
            self.begins = true;
        }
        self.outbound.terminated(pipe);
    }
}

/// Where a connection of a REQ socket stands within a reply. A service that gets it wrong is disconnected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyFrames {
    /// The next frame is a request id or the delimiter.
    #[default]
    Front,
    /// The next frame is the delimiter.
    Delimiter,
    /// The next frame belongs to the body.
    Body,
}

impl ReplyFrames {
    /// Takes note of the next frame; false if it may not stand there. Whether request ids are in use isn't looked
    /// at, only whether the frame could be one.
    pub fn accept(&mut self, frame: &Message) -> bool {
        if frame.kind() != Kind::Data {
            return false;
        }
        let next = match (*self, frame.more(), frame.len()) {
            (Self::Front, true, 4) => Self::Delimiter,
            (Self::Front | Self::Delimiter, true, 0) => Self::Body,
            (Self::Body, true, _) => Self::Body,
            (Self::Body, false, _) => Self::Front,
            _ => return false,
        };
        *self = next;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::{Socket, part};

    fn req() -> Socket {
        Socket::new(SocketType::Req)
    }

    #[test]
    fn sending_and_receiving_alternate() {
        let mut req = req();
        assert_eq!(req.recv(), Err(Error::State));
        assert_eq!(req.send(&["x"]), Err(Error::Again));
        let mut service = req.peer();
        assert!(req.has_out() && !req.has_in());
        req.send(&["a", "b"]).unwrap();
        assert!(!req.has_out());
        assert_eq!(req.send(&["x"]), Err(Error::State));
        assert_eq!(service.recv(&mut req).unwrap(), ["", "a", "b"]);
        assert_eq!(req.recv(), Err(Error::Again));
        service.send(&mut req, &["", "c", "d"]);
        assert!(req.has_in());
        assert_eq!(req.recv().unwrap(), ["c", "d"]);
        assert_eq!(req.recv(), Err(Error::State));
        assert!(req.has_out());
    }

    #[test]
    fn requests_go_to_the_services_in_turn() {
        let mut req = req();
        let (mut a, mut b) = (req.peer(), req.peer());
        for service in [&mut a, &mut b] {
            req.send(&["q"]).unwrap();
            assert_eq!(service.recv(&mut req).unwrap(), ["", "q"]);
            service.send(&mut req, &["", "r"]);
            assert_eq!(req.recv().unwrap(), ["r"]);
        }
    }

    #[test]
    fn only_the_service_that_was_asked_is_heard() {
        let mut req = req();
        let (mut a, mut b) = (req.peer(), req.peer());
        req.send(&["q"]).unwrap();
        b.send(&mut req, &["", "not asked"]);
        assert_eq!(req.recv(), Err(Error::Again));
        a.send(&mut req, &["", "asked"]);
        assert_eq!(req.recv().unwrap(), ["asked"]);
        // What came before a request is no reply to it.
        b.send(&mut req, &["", "early"]);
        req.send(&["q"]).unwrap();
        assert_eq!(req.recv(), Err(Error::Again));
    }

    #[test]
    fn replies_without_delimiter_are_skipped() {
        let mut req = req();
        let mut service = req.peer();
        req.send(&["q"]).unwrap();
        service.send(&mut req, &["no", "delimiter", "here"]);
        service.send(&mut req, &[""]);
        service.send(&mut req, &["", "r"]);
        assert_eq!(req.recv().unwrap(), ["r"]);
    }

    #[test]
    fn correlated_replies_carry_the_number_of_the_request() {
        let mut req = req();
        req.options.req_correlate = true;
        req.options.req_relaxed = true;
        let mut service = req.peer();
        let mut ids = Vec::new();
        for body in [&b"first"[..], b"second"] {
            req.send_part(body, false).unwrap();
            let id = service.recv_part(&mut req).unwrap();
            assert_eq!((id.len(), id.more()), (4, true));
            ids.push(id.data().to_vec());
            assert_eq!(service.recv_part(&mut req).unwrap().len(), 0);
            assert_eq!(service.recv_part(&mut req).unwrap().data(), body);
        }
        assert_ne!(ids[0], ids[1]);
        for (id, body) in [(&ids[0], b"late"), (&ids[1], b"good")] {
            service.push(part(id, true));
            service.push(part(b"", true));
            service.push(part(body, false));
            service.flush(&mut req);
        }
        assert_eq!(req.recv().unwrap(), ["good"]);
    }

    #[test]
    fn relaxed_it_may_ask_again() {
        let mut req = req();
        req.options.req_relaxed = true;
        let (mut a, mut b) = (req.peer(), req.peer());
        req.send(&["first"]).unwrap();
        assert!(req.has_out());
        req.send(&["second"]).unwrap();
        assert_eq!(a.recv(&mut req).unwrap(), ["", "first"]);
        assert_eq!(b.recv(&mut req).unwrap(), ["", "second"]);
        a.send(&mut req, &["", "late"]);
        b.send(&mut req, &["", "good"]);
        assert_eq!(req.recv().unwrap(), ["good"]);
    }

    #[test]
    fn a_request_that_was_lost_is_not_sent_again() {
        let mut req = req();
        let a = req.peer();
        req.send(&["q"]).unwrap();
        a.close(&mut req);
        let mut b = req.peer();
        assert_eq!(req.send(&["again"]), Err(Error::State));
        assert_eq!(b.recv(&mut req), None);
        // Its peer is gone, so any reply will do.
        b.send(&mut req, &["", "r"]);
        assert_eq!(req.recv().unwrap(), ["r"]);
    }

    #[test]
    fn a_request_whose_peer_goes_halfway_counts_as_sent() {
        let mut req = req();
        let a = req.peer();
        req.send_part(b"1", true).unwrap();
        a.close(&mut req);
        let mut b = req.peer();
        req.send_part(b"2", false).unwrap();
        assert_eq!(req.send(&["q"]), Err(Error::State));
        assert_eq!(b.recv(&mut req), None);
    }

    #[test]
    fn frames_of_replies_are_checked() {
        let accepts = |frames: &[(&[u8], bool)]| {
            let mut state = ReplyFrames::default();
            frames.iter().all(|&(body, more)| state.accept(&part(body, more)))
        };
        assert!(accepts(&[(b"", true), (b"a", true), (b"b", false), (b"", true)]));
        assert!(accepts(&[(b"1234", true), (b"", true), (b"", false)]));
        assert!(!accepts(&[(b"", false)]));
        assert!(!accepts(&[(b"x", true)]));
        assert!(!accepts(&[(b"1234", true), (b"1234", true)]));
    }
}
