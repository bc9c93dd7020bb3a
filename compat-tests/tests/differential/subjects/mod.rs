//! The scripts, by subject.

mod balance;
mod endpoints;
mod marks;

use crate::Case;

/// All cases.
pub fn all() -> Vec<Case> {
    [endpoints::cases(), balance::cases(), marks::cases()].into_iter().flatten().collect()
}
