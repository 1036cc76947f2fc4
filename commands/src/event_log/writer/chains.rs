//! Chains of appends that build on each other, and what becomes of those behind one that failed.

use std::collections::{HashSet, VecDeque};

use super::super::append::{Append, Chain};

/// Failed chains that are kept: several times as many as appends can wait in the queue.
const KEPT: usize = 1 << 14;

/// Chains of which an append failed. Whatever is behind it must fail, too: it was decided on a state
/// that never came to be, though another process may have brought the stream to the same revision.
#[derive(Default)]
pub(super) struct FailedChains {
    chains: HashSet<Chain>,
    order: VecDeque<Chain>,
}

impl FailedChains {
    /// Remembers that this append failed.
    pub fn add(&mut self, append: &Append) {
        for chain in &append.extends {
            if self.chains.insert(*chain) {
                self.order.push_back(*chain);
            }
        }
        while self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.chains.remove(&oldest);
        }
    }

    /// Whether an append failed that this one builds on.
    pub fn has_failed_before(&self, append: &Append) -> bool {
        let mut chains = append.extends.iter().chain(&append.rests_on);
        !self.chains.is_empty() && chains.any(|chain| self.chains.contains(chain))
    }
}

#[cfg(test)]
mod tests {
    use domain::Instant;
    use domain::ids::CommandId;

    use super::super::super::append::CommandRecord;
    use super::*;
    use crate::clock::fresh_uuid;

    fn append(extends: &[u64], rests_on: &[u64]) -> Append {
        let id = CommandId::new(fresh_uuid(Instant::from_micros(1)));
        let chains = |numbers: &[u64]| numbers.iter().copied().map(Chain::new).collect();
        let command = CommandRecord { id, fingerprint: [0; 16], result: String::new() };
        Append { extends: chains(extends), rests_on: chains(rests_on), ..Append::of(command) }
    }

    #[test]
    fn whatever_goes_on_with_a_failed_chain_or_rests_on_one_has_failed_before() {
        let mut failed = FailedChains::default();
        assert!(!failed.has_failed_before(&append(&[1], &[2])));
        failed.add(&append(&[1, 2], &[3]));
        for (extends, rests_on, has_failed) in [
            (&[1][..], &[][..], true),
            (&[4, 2], &[], true),
            (&[4], &[1], true),
            // What a failed append merely rests on did not fail with it.
            (&[3], &[3], false),
            (&[], &[], false),
        ] {
            assert_eq!(failed.has_failed_before(&append(extends, rests_on)), has_failed, "{extends:?}");
        }
    }

    #[test]
    fn chains_that_failed_long_ago_are_forgotten() {
        let mut failed = FailedChains::default();
        for chain in 0..=KEPT as u64 {
            failed.add(&append(&[chain], &[]));
        }
        assert!(!failed.has_failed_before(&append(&[0], &[])));
        assert!(failed.has_failed_before(&append(&[1], &[])));
    }
}
