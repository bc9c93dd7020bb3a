//! The scripts, by subject.

mod balance;
mod endpoints;
mod malformed;
mod marks;
mod monitor;
mod routing;
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
        malformed::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
