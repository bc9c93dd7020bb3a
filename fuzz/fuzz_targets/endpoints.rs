//! Endpoints, as far as they are looked at without asking the system.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zmq::transport::{Connector, parse_endpoint};

fuzz_target!(|data: &[u8]| {
    let Ok(endpoint) = std::str::from_utf8(data) else { return };
    if let Ok((scheme, address)) = parse_endpoint(endpoint)
        && let Ok(connector) = Connector::new(scheme, address)
    {
        assert!(connector.endpoint().starts_with(scheme.name()));
    }
});
