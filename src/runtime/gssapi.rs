//! What joins the mechanism GSSAPI with the system's library.

use crate::options::Options;
use crate::security::gssapi::{Begin, Protection, Refused, Side, Step};
use crate::sys::gssapi::{self as library, Establishing, NameKind};
use std::sync::Arc;

/// What makes the side that the options say. Where a principal is named, its credential is used and no other.
pub fn begin(options: &Options) -> Begin {
    let owner = (!options.gssapi_principal.is_empty())
        .then(|| (options.gssapi_principal.clone(), kind(options.gssapi_principal_nametype)));
    let service = (options.gssapi_service_principal.clone(), kind(options.gssapi_service_principal_nametype));
    let is_server = options.as_server;
    Box::new(move || {
        let owner = owner.as_ref().map(|(name, kind)| (name.as_slice(), *kind));
        let establishing = if is_server {
            library::accept(owner)
        } else {
            library::initiate(owner, (&service.0, service.1))
        };
        Ok(Box::new(establishing?))
    })
}

/// `ZMQ_GSSAPI_NT_*`
fn kind(nametype: i32) -> NameKind {
    match nametype {
        1 => NameKind::User,
        2 => NameKind::Principal,
        _ => NameKind::Hostbased,
    }
}

impl From<library::Refused> for Refused {
    fn from(_: library::Refused) -> Self {
        Self
    }
}

impl Side for Establishing {
    fn step(&mut self, token: &[u8]) -> Result<Step, Refused> {
        let library::Step { token, complete } = self.step(token)?;
        // A client has to know that the server is the one it wants.
        if complete && !self.is_mutual() && self.is_initiator() {
            return Err(Refused);
        }
        Ok(Step { token, complete })
    }

    fn peer(&self) -> Result<Vec<u8>, Refused> {
        Ok(self.peer()?)
    }

    fn into_protection(self: Box<Self>) -> Arc<dyn Protection> {
        Arc::new((*self).into_protection())
    }
}

impl Protection for library::Protection {
    fn wrap(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        Ok(self.wrap(plain, out)?)
    }

    fn unwrap(&self, wrapped: &[u8], take: &mut dyn FnMut(&[u8])) -> Result<(), Refused> {
        Ok(self.unwrap(wrapped, take)?)
    }
}
