//! The scripts, by subject.

mod balance;
mod endpoints;
#[allow(unsafe_code)]
mod fatal;
mod malformed;
mod marks;
mod mechanisms;
mod monitor;
mod routing;
mod security;
#[allow(unsafe_code)]
mod states;
mod subscriptions;
mod tampered;
mod tls;
mod websocket;
mod wire;

use crate::Case;

/// All cases.
pub fn all() -> Vec<Case> {
    [
        endpoints::cases(),
        balance::cases(),
        marks::cases(),
        monitor::cases(),
        subscriptions::cases(),
        wire::cases(),
        routing::cases(),
        states::cases(),
        malformed::cases(),
        security::cases(),
        tls::cases(),
        tampered::cases(),
        fatal::cases(),
        mechanisms::cases(),
        websocket::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
