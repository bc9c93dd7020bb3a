//! Where to bind, and where to connect to then.

use crate::support::{Context, Socket};
use crate::watch::Watch;
use std::sync::atomic::{AtomicU32, Ordering};
use zmq::ffi::constants::{ZMQ_RCVTIMEO, ZMQ_SNDTIMEO};

/// An emulated machine is slow.
pub const PATIENCE: i32 = 15_000;

static NEXT_SERVICE: AtomicU32 = AtomicU32::new(6000);

/// A service of TIPC that no other test has.
pub fn fresh_service() -> u32 {
    NEXT_SERVICE.fetch_add(1, Ordering::Relaxed)
}

/// An address to bind, by name, and what it takes to connect there: from what `ZMQ_LAST_ENDPOINT` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    TipcRange,
    TipcInstance,
    TipcSocket,
    VsockLocal,
    VsockAny,
    VmciLocal,
    VmciOwn,
}

pub const PLACES: [Place; 7] = [
    Place::TipcRange,
    Place::TipcInstance,
    Place::TipcSocket,
    Place::VsockLocal,
    Place::VsockAny,
    Place::VmciLocal,
    Place::VmciOwn,
];

impl Place {
    /// Binds. Where to connect to.
    pub fn bind(self, socket: &Socket) -> String {
        let bind = |endpoint: &str| {
            socket.bind(endpoint).unwrap_or_else(|error| panic!("{endpoint}: errno {error}"));
            socket.last_endpoint()
        };
        let service = fresh_service();
        match self {
            Self::TipcRange => {
                bind(&format!("tipc://{{{service},10,20}}"));
                format!("tipc://{{{service},15}}@0.0.0")
            }
            Self::TipcInstance => {
                bind(&format!("tipc://{{{service},7}}"));
                format!("tipc://{{{service},7}}@0.0.0")
            }
            Self::TipcSocket => bind("tipc://<*>"),
            Self::VsockLocal => bind("vsock://1:*"),
            Self::VsockAny => bind("vsock://*:*").replace('*', "1"),
            Self::VmciLocal => bind("vmci://1:*"),
            Self::VmciOwn => bind("vmci://@:*"),
        }
    }

    /// Two sockets, the first of them bound.
    pub fn pair(self, context: &Context, binder: i32, connector: i32) -> (Socket, Socket) {
        let (a, b) = (socket(context, binder), socket(context, connector));
        let endpoint = self.bind(&a);
        b.connect(&endpoint).unwrap_or_else(|error| panic!("{endpoint}: errno {error}"));
        (a, b)
    }
}

/// A socket that waits as long as an emulated machine may take.
pub fn socket(context: &Context, kind: i32) -> Socket {
    let socket = context.socket(kind);
    socket.set(ZMQ_RCVTIMEO, PATIENCE).expect("an option");
    socket.set(ZMQ_SNDTIMEO, PATIENCE).expect("an option");
    socket
}

/// The same of a monitor.
pub fn watch(context: &Context, watched: &Socket) -> Watch {
    let watch = Watch::new(context, watched);
    watch.0.set(ZMQ_RCVTIMEO, PATIENCE).expect("an option");
    watch
}
