//! The groups that peers have joined (RFC 48): who is to get a message.

use std::collections::HashMap;
use std::sync::Arc;

use crate::pipe::PipeId;

/// Groups and their members. Joining counts: a peer that joins twice has to leave twice.
///
/// Peers choose the names, so the tables' hashes have to be keyed.
#[derive(Default)]
pub struct Groups {
    members: HashMap<Arc<[u8]>, Vec<PipeId>>,
    /// How often a peer has joined which groups.
    joined: HashMap<PipeId, HashMap<Arc<[u8]>, u32>>,
}

impl Groups {
    /// A peer joins a group.
    pub fn join(&mut self, pipe: PipeId, group: &[u8]) {
        let groups = self.joined.entry(pipe).or_default();
        if let Some(count) = groups.get_mut(group) {
            *count = count.saturating_add(1);
            return;
        }
        let name = match self.members.get_key_value(group) {
            Some((name, _)) => name.clone(),
            None => Arc::from(group),
        };
        groups.insert(name.clone(), 1);
        let members = self.members.entry(name).or_default();
        if let Err(place) = members.binary_search(&pipe) {
            members.insert(place, pipe);
        }
    }

    /// A peer leaves a group, if it is a member.
    pub fn leave(&mut self, pipe: PipeId, group: &[u8]) {
        let Some(groups) = self.joined.get_mut(&pipe) else { return };
        let Some(count) = groups.get_mut(group) else { return };
        *count -= 1;
        if *count == 0 {
            groups.remove(group);
            self.remove_member(pipe, group);
        }
    }

    /// Forgets a peer.
    pub fn remove(&mut self, pipe: PipeId) {
        for group in self.joined.remove(&pipe).unwrap_or_default().into_keys() {
            self.remove_member(pipe, &group);
        }
    }

    /// The members of a group.
    pub fn members(&self, group: &[u8]) -> &[PipeId] {
        self.members.get(group).map_or(&[], Vec::as_slice)
    }

    fn remove_member(&mut self, pipe: PipeId, group: &[u8]) {
        let Some(members) = self.members.get_mut(group) else { return };
        if let Ok(place) = members.binary_search(&pipe) {
            members.remove(place);
        }
        if members.is_empty() {
            self.members.remove(group);
        }
    }
}
