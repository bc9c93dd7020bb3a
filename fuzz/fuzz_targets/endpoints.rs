//! Endpoints, as far as they are looked at without asking the system.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zmq::options::{ContextOptions, Options, SocketType};
use zmq::transport::{Connector, Scheme, parse_endpoint};

fuzz_target!(|data: &[u8]| {
    let Ok(endpoint) = std::str::from_utf8(data) else { return };
    if let Ok((scheme, address)) = parse_endpoint(endpoint)
        // Those of WebSockets are looked up at once.
        && !matches!(scheme, Scheme::Ws | Scheme::Wss)
        && let Ok(connector) =
            Connector::new(scheme, address, &Options::new(SocketType::Dealer, &ContextOptions::default()))
    {
        assert!(connector.endpoint().starts_with(scheme.name()));
    }
});
