//! The scripts, by subject.

mod balance;
mod endpoints;
mod malformed;
mod marks;
mod monitor;
mod routing;
#[allow(unsafe_code)]
mod states;
mod subscriptions;
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
    ]
    .into_iter()
    .flatten()
    .collect()
}
