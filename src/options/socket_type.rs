//! The socket types, as `zmq.h` numbers them and as ZMTP names them.

macro_rules! socket_types {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// A socket type (man page `zmq_socket`), with the number that `zmq.h` gives it.
        #[repr(i32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum SocketType { $($(#[$doc])* $variant = $number,)* }

        impl SocketType {
            /// Every type, in the order of the numbers.
            pub const ALL: [SocketType; 21] = [$(SocketType::$variant,)*];

            /// The name on the wire: the value of the `Socket-Type` property (RFC 37).
            pub const fn name(self) -> &'static str {
                match self { $(SocketType::$variant => $name,)* }
            }
        }
    };
}

socket_types! {
    /// Exclusive pair (RFC 31).
    Pair = 0, "PAIR";
    /// Publisher (RFC 29).
    Pub = 1, "PUB";
    /// Subscriber (RFC 29).
    Sub = 2, "SUB";
    /// Client of request-reply, strictly alternating (RFC 28).
    Req = 3, "REQ";
    /// Service of request-reply, strictly alternating (RFC 28).
    Rep = 4, "REP";
    /// Asynchronous request-reply, fair-queued and load-balanced (RFC 28).
    Dealer = 5, "DEALER";
    /// Asynchronous request-reply, addressed by routing id (RFC 28).
    Router = 6, "ROUTER";
    /// End of a pipeline (RFC 30).
    Pull = 7, "PULL";
    /// Start of a pipeline (RFC 30).
    Push = 8, "PUSH";
    /// Publisher that sees its subscriptions (RFC 29).
    XPub = 9, "XPUB";
    /// Subscriber that sends its subscriptions as messages (RFC 29).
    XSub = 10, "XSUB";
    /// Raw TCP (man page `zmq_socket`).
    Stream = 11, "STREAM";
    /// Asynchronous server (RFC 41, draft).
    Server = 12, "SERVER";
    /// Asynchronous client (RFC 41, draft).
    Client = 13, "CLIENT";
    /// Publisher to groups (RFC 48, draft).
    Radio = 14, "RADIO";
    /// Member of groups (RFC 48, draft).
    Dish = 15, "DISH";
    /// End of a thread-safe pipeline (RFC 49, draft).
    Gather = 16, "GATHER";
    /// Start of a thread-safe pipeline (RFC 49, draft).
    Scatter = 17, "SCATTER";
    /// Raw UDP (draft).
    Dgram = 18, "DGRAM";
    /// Peer to peer, addressed by routing number (draft).
    Peer = 19, "PEER";
    /// Exclusive pair, thread-safe (RFC 52, draft).
    Channel = 20, "CHANNEL";
}

impl SocketType {
    /// The type with this number; `None` for any other number.
    pub fn from_raw(number: i32) -> Option<Self> {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index).copied())
    }

    /// The number in `zmq.h`.
    pub const fn raw(self) -> i32 {
        self as i32
    }

    /// The type with this name on the wire; `None` for any other name.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)
    }

    /// Whether the type is part of the draft API.
    pub const fn is_draft(self) -> bool {
        self as i32 >= Self::Server as i32
    }

    /// What `ZMQ_THREAD_SAFE` reads: true for the types that upstream lets several threads share. Such a socket has
    /// no `ZMQ_FD` and takes no multipart messages. (DGRAM is a draft type, yet not one of them.)
    pub const fn is_thread_safe(self) -> bool {
        self.is_draft() && !matches!(self, Self::Dgram)
    }

    /// Whether `ZMQ_HELLO_MSG` has an effect.
    pub const fn sends_hello(self) -> bool {
        use SocketType::*;
        matches!(self, Dealer | Req | Router | Rep | Client | Server | Peer)
    }

    /// Whether `ZMQ_DISCONNECT_MSG` has an effect.
    pub const fn receives_disconnect(self) -> bool {
        use SocketType::*;
        matches!(self, Router | Rep | Server | Peer)
    }

    /// Whether `ZMQ_HICCUP_MSG` has an effect.
    pub const fn receives_hiccup(self) -> bool {
        use SocketType::*;
        matches!(self, Dealer | Req | Client | Peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_come_back() {
        for (number, kind) in SocketType::ALL.into_iter().enumerate() {
            assert_eq!(kind.raw(), number as i32);
            assert_eq!(SocketType::from_raw(number as i32), Some(kind));
            assert_eq!(SocketType::from_name(kind.name().as_bytes()), Some(kind));
        }
        assert_eq!(SocketType::from_raw(-1), None);
        assert_eq!(SocketType::from_raw(21), None);
        assert_eq!(SocketType::from_name(b"pair"), None);
    }
}
