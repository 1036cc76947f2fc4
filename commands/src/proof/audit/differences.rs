//! What became of events that are not what was signed at their positions.
//!
//! A leaf holds the position of its event, so an event that was moved is known again by the leaf that it
//! would be at another position. For a few differences at a time, every later event and every later
//! signed leaf is tried in this way.

use std::collections::BTreeSet;

use domain::Position;
use domain::proof::{Hash, StoredEvent};

use super::AuditFault;
use super::fault::Described;

/// Differences that are followed at once.
const FOLLOWED: usize = 8;
/// Differences that are named at most.
const NAMED: usize = 100;

/// A position at which another event stands than was signed.
struct Difference {
    position: Position,
    /// What stands there.
    event: StoredEvent,
    /// What was signed there.
    signed: Hash,
    /// Where the event that stands there was signed.
    event_signed_at: Option<Position>,
    /// Where the event that was signed there stands.
    signed_found_at: Option<(Position, Described)>,
}

/// Differences, in the order of positions.
#[derive(Default)]
pub(super) struct Differences {
    followed: Vec<Difference>,
    /// Those that are explained, and explain later ones.
    explained: Vec<Difference>,
    /// How many there are in all.
    pub total: u64,
    /// How many were not followed.
    unfollowed: u64,
}

impl Differences {
    /// By how much events stand behind, or before, where they were signed, as far as that is known.
    pub fn shifts(&self) -> BTreeSet<i64> {
        self.explained.iter().chain(&self.followed).flat_map(Difference::shifts).collect()
    }

    /// Another event stands here than was signed, for everything is shifted here.
    pub fn add_shifted(&mut self) {
        self.total += 1;
    }

    /// Another event stands here than was signed.
    pub fn add(&mut self, event: &StoredEvent, signed: Hash) {
        self.total += 1;
        if self.followed.len() >= FOLLOWED {
            self.unfollowed += 1;
            return;
        }
        self.followed.push(Difference {
            position: event.position,
            event: event.clone(),
            signed,
            event_signed_at: None,
            signed_found_at: None,
        });
    }

    /// Whether anything is followed.
    pub fn open(&self) -> bool {
        !self.followed.is_empty()
    }

    /// Tries what comes at a later position: the event that stands there, the leaf that was signed.
    pub fn observe(&mut self, position: Position, event: Option<&StoredEvent>, signed: Option<Hash>) {
        let mut found = false;
        for difference in &mut self.followed {
            if difference.position >= position {
                continue;
            }
            if let Some(event) = event
                && difference.signed_found_at.is_none()
                && event.leaf_at(difference.position) == difference.signed
            {
                difference.signed_found_at = Some((position, Described::of(event)));
                found = true;
            }
            if let Some(signed) = signed
                && difference.event_signed_at.is_none()
                && difference.event.leaf_at(position) == signed
            {
                difference.event_signed_at = Some(position);
                found = true;
            }
        }
        if found {
            self.settle();
        }
    }

    /// Takes out what is explained in full, or by something before it.
    fn settle(&mut self) {
        let mut followed = Vec::new();
        for difference in std::mem::take(&mut self.followed) {
            let before = self.explained.iter().chain(&followed);
            if before.into_iter().any(|earlier| earlier.explains(&difference)) {
                continue;
            }
            if difference.is_whole() && self.explained.len() < NAMED {
                self.explained.push(difference);
            } else {
                followed.push(difference);
            }
        }
        self.followed = followed;
    }

    /// What was found.
    pub fn faults(mut self) -> Vec<AuditFault> {
        self.settle();
        let mut all = self.explained;
        all.append(&mut self.followed);
        all.sort_by_key(|difference| difference.position);
        let shifted = all.iter().any(|difference| !difference.shifts().is_empty());
        let mut faults: Vec<AuditFault> = all.into_iter().map(Difference::fault).collect();
        // Behind a shift, everything differs: the shift says it all.
        if self.unfollowed > 0 && !shifted {
            faults.push(AuditFault::More { count: self.unfollowed });
        }
        faults
    }
}

impl Difference {
    /// By how much events were signed behind, or before, where they stand.
    fn shifts(&self) -> Vec<i64> {
        let forward = self.event_signed_at.map(|signed| signed.get() - self.position.get());
        let back = self.signed_found_at.as_ref().map(|(found, _)| self.position.get() - found.get());
        forward.into_iter().chain(back).collect()
    }

    /// Whether both its event and the signed one are accounted for.
    const fn is_whole(&self) -> bool {
        self.event_signed_at.is_some() && self.signed_found_at.is_some()
    }

    /// Whether a later difference is a consequence of this one: it is shifted alike, or it is the other
    /// end of a move.
    fn explains(&self, later: &Self) -> bool {
        let shifts = self.shifts();
        if later.shifts().iter().any(|shift| shifts.contains(shift)) {
            return true;
        }
        let other_end = [self.event_signed_at, self.signed_found_at.as_ref().map(|(found, _)| *found)];
        self.is_whole() && later.shifts().is_empty() && other_end.contains(&Some(later.position))
    }

    fn fault(self) -> AuditFault {
        let (position, now) = (self.position, Described::of(&self.event));
        match (self.event_signed_at, self.signed_found_at) {
            (_, Some((found, event))) if self.event_signed_at.is_some() => {
                AuditFault::Moved { signed: position, now: found, event }
            }
            (Some(signed), _) => {
                AuditFault::Removed { first: position, last: Position::new(signed.get() - 1), closed: true }
            }
            (None, Some((found, _))) => {
                AuditFault::Inserted { first: position, last: Position::new(found.get() - 1), now }
            }
            (None, None) => AuditFault::Changed { position, now, signed: self.signed },
        }
    }
}
