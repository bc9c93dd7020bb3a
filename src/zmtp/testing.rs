//! What the tests of handshakes share.

use super::ProtocolError;
use super::error::code;
use super::mechanism::{Mechanism, Negotiation, Status};

/// A mechanism in one command, much like NULL: what the handshake does is tested without any real one.
pub struct OneCommand {
    name: &'static str,
    legacy: bool,
    sent: bool,
    received: bool,
}

impl OneCommand {
    /// Of this name; `legacy` peers, who know no mechanism, may be allowed.
    pub fn boxed(name: &'static str, legacy: bool) -> Box<dyn Mechanism> {
        Box::new(Self { name, legacy, sent: false, received: false })
    }
}

impl Mechanism for OneCommand {
    fn name(&self) -> &'static str {
        self.name
    }

    fn allows_legacy_peers(&self) -> bool {
        self.legacy
    }

    fn status(&self) -> Status {
        if self.sent && self.received { Status::Ready } else { Status::Handshaking }
    }

    fn next_command(&mut self, negotiation: &mut Negotiation) -> Result<Option<Vec<u8>>, ProtocolError> {
        Ok((!std::mem::replace(&mut self.sent, true)).then(|| negotiation.properties_after(b"\x05READY")))
    }

    fn process_command(&mut self, body: &[u8], negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        let properties =
            body.strip_prefix(b"\x05READY").ok_or(ProtocolError::with_code(code::UNEXPECTED_COMMAND))?;
        self.received = true;
        negotiation.peer_properties(properties)
    }
}
