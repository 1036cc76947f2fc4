//! What became of events that are not what was signed at their positions.
//!
//! A leaf holds the position of its event, so an event that was moved is known again by the leaf that it
//! would be at another position. Behind removed or inserted events all others stand some positions away
//! from where they were signed: that is the shift, and what agrees with it needs no other words. Where it
//! does not, every later event and every later signed leaf is tried for a while.

use domain::Position;
use domain::proof::{Hash, StoredEvent};

use super::AuditFault;
use super::fault::Described;

/// Differences that are followed at once, and those of them that are half explained.
const FOLLOWED: usize = 8;
/// Differences that are named at most.
const NAMED: usize = 100;
/// Positions for which a difference is followed that nothing explains.
const PATIENCE: u64 = 65_536;
/// Stretches of differences that are only counted.
const COUNTED: usize = 1_000;

/// An event that is neither what was signed at its position nor what the shift lets expect.
pub(super) struct Difference {
    pub position: u64,
    /// What stands there.
    pub event: StoredEvent,
    /// What was signed there.
    signed: Hash,
    /// Where that was signed which the shift lets expect here.
    expected_at: u64,
    /// And the leaf of it.
    expected: Option<Hash>,
    /// Where the event that stands there was signed.
    event_signed_at: Option<u64>,
    /// Where the event that is expected there stands.
    expected_found_at: Option<(u64, Described)>,
    /// Whether the events behind it stand where the shift before it lets expect: it moved alone.
    alone: bool,
    /// Where something was found last.
    seen: u64,
}

/// Differences, in the order of positions.
#[derive(Default)]
pub(super) struct Differences {
    /// By how much events stand in front of where they were signed.
    shift: i64,
    /// Those of which nothing is known yet.
    followed: Vec<Difference>,
    /// Those that changed the shift, and whose other half may still come.
    halves: Vec<Difference>,
    /// Those that nothing more comes to.
    done: Vec<Difference>,
    /// Signed events that are gone, where events are back at their positions.
    gone: Vec<(u64, u64)>,
    /// Stretches of differences that are only counted, and how many are in no stretch.
    counted: Vec<(u64, u64)>,
    uncounted: u64,
    /// Where the other half of a move stands.
    other_half: u64,
    /// Where an event agreed with the shift last.
    agreed: u64,
    /// How many there are in all.
    pub total: u64,
}

/// Where an event stands that was signed `shift` positions behind.
pub(super) fn shifted(position: u64, shift: i64) -> Option<u64> {
    position.checked_add_signed(shift).filter(|position| *position > 0)
}

impl Differences {
    /// By how much events stand in front of where they were signed.
    pub const fn shift(&self) -> i64 {
        self.shift
    }

    /// An event is what was signed at its position; `gap` when there is none at the position before it.
    pub fn equal(&mut self, position: u64, gap: bool) {
        if let Some(first) = shifted(position, self.shift)
            && self.shift < 0
            && !gap
            && self.gone.len() < NAMED
        {
            self.gone.push((first, position - 1));
        }
        (self.shift, self.agreed) = (0, position);
    }

    /// Another event stands here than was signed, as the shift lets expect.
    pub const fn add_shifted(&mut self, position: u64) {
        self.total += 1;
        self.agreed = position;
    }

    /// The log ends, and of what was signed up to there this is missing.
    pub fn end_before(&mut self, first: u64, last: u64) {
        self.gone.push((first, last));
    }

    /// Another event stands here than was signed; `expected` is what was signed where the shift points.
    pub fn add(&mut self, event: &StoredEvent, signed: Hash, expected: Option<Hash>) {
        self.total += 1;
        let position = event.position.get().unsigned_abs();
        if self.other_half == position {
            return;
        }
        let full = self.followed.len() >= FOLLOWED;
        if full && self.named() >= NAMED {
            self.count(position);
            return;
        }
        let difference = Difference {
            position,
            event: event.clone(),
            signed,
            expected_at: shifted(position, self.shift).unwrap_or(position),
            expected,
            event_signed_at: None,
            expected_found_at: None,
            alone: false,
            seen: position,
        };
        if full { self.done.push(difference) } else { self.followed.push(difference) }
    }

    fn named(&self) -> usize {
        self.followed.len() + self.halves.len() + self.done.len()
    }

    fn count(&mut self, position: u64) {
        let full = self.counted.len() >= COUNTED;
        match self.counted.last_mut() {
            Some((_, last)) if *last + 1 == position => *last = position,
            _ if full => self.uncounted += 1,
            _ => self.counted.push((position, position)),
        }
    }

    /// Whether anything is followed.
    pub const fn open(&self) -> bool {
        !(self.followed.is_empty() && self.halves.is_empty())
    }

    /// Tries what comes at a later position: the event that stands there, the leaf that was signed. Says
    /// when the shift is another one from some earlier position on.
    pub fn observe(
        &mut self,
        position: u64,
        event: Option<&StoredEvent>,
        signed: Option<Hash>,
    ) -> Option<u64> {
        for half in &mut self.halves {
            if half.observe(position, event, signed) && half.stands_at() == Some(position) {
                self.other_half = position;
            }
        }
        let mut turned = None;
        let mut left = Vec::new();
        for mut difference in std::mem::take(&mut self.followed) {
            if turned.is_some_and(|(from, until)| (from..until).contains(&difference.position)) {
                continue;
            }
            let found = difference.observe(position, event, signed);
            if !found && position - difference.seen > PATIENCE {
                self.retire(difference);
            } else if !found {
                left.push(difference);
            } else if difference.is_whole() {
                // A move of one event; the others stand where they stood.
                self.other_half = position;
                self.retire(difference);
            } else if difference.shift() == self.shift {
                // What the shift explains by now.
            } else if self.agreed > difference.position {
                difference.alone = true;
                self.other_half = difference.stands_at().unwrap_or(self.other_half);
                self.halves.push(difference);
            } else {
                self.shift = difference.shift();
                let inserted = difference.stands_at();
                turned = Some((difference.position, inserted.unwrap_or(difference.position)));
                self.halves.push(difference);
            }
        }
        self.followed = left;
        while self.halves.len() > FOLLOWED
            || self.halves.first().is_some_and(|half| half.is_whole() || position - half.seen > PATIENCE)
        {
            let oldest = self.halves.remove(0);
            self.retire(oldest);
        }
        let (from, until) = turned?;
        self.forget(from + 1, until);
        Some(from)
    }

    /// Those that were not followed and stand behind a position at which the shift became another one.
    pub fn unfollowed_behind(&self, position: u64) -> impl Iterator<Item = (usize, &Difference)> {
        self.done.iter().enumerate().filter(move |(_, one)| one.position > position && one.is_unknown())
    }

    /// Leaves out those of [`Self::unfollowed_behind`] that the shift explains, the last one first.
    pub fn explain(&mut self, index: usize) {
        self.done.remove(index);
    }

    /// What stands from one position up to, not with, another one was never signed: that is said once.
    fn forget(&mut self, from: u64, until: u64) {
        self.done.retain(|one| !((from..until).contains(&one.position) && one.is_unknown()));
        let outside = |&(first, last): &(u64, u64)| {
            [(first, last.min(from.saturating_sub(1))), (first.max(until), last)]
        };
        if from < until {
            self.counted =
                self.counted.iter().flat_map(outside).filter(|(first, last)| first <= last).collect();
        }
    }

    fn retire(&mut self, difference: Difference) {
        if self.named() < NAMED {
            self.done.push(difference);
        } else {
            self.count(difference.position);
        }
    }

    /// What was found.
    pub fn faults(self) -> Vec<AuditFault> {
        let mut all: Vec<Difference> =
            self.done.into_iter().chain(self.halves).chain(self.followed).collect();
        all.sort_by_key(|difference| difference.position);
        let moved = |at: u64| all.iter().any(|one| one.is_whole() && one.event_signed_at == Some(at));
        let gone: Vec<_> =
            self.gone.into_iter().filter(|(first, last)| first != last || !moved(*first)).collect();
        let mut faults: Vec<(u64, AuditFault)> =
            all.into_iter().map(|difference| (difference.position, difference.fault())).collect();
        faults.extend(gone.into_iter().map(|(first, last)| (first, removed(first, last))));
        faults.sort_by_key(|(position, _)| *position);
        let mut faults: Vec<AuditFault> = faults.into_iter().map(|(_, fault)| fault).collect();
        let count = self.counted.iter().map(|(first, last)| last - first + 1).sum::<u64>() + self.uncounted;
        if count > 0 {
            faults.push(AuditFault::More { count });
        }
        faults
    }
}

impl Difference {
    /// Tries what comes at a later position; says whether it tells anything.
    fn observe(&mut self, position: u64, event: Option<&StoredEvent>, signed: Option<Hash>) -> bool {
        if self.position >= position {
            return false;
        }
        let mut found = false;
        if let (Some(event), Some(expected), None) = (event, self.expected, &self.expected_found_at)
            && event.leaf_at(place(self.expected_at)) == expected
        {
            self.expected_found_at = Some((position, Described::of(event)));
            found = true;
        }
        if let (Some(signed), None) = (signed, self.event_signed_at)
            && self.event.leaf_at(place(position)) == signed
        {
            self.event_signed_at = Some(position);
            found = true;
        }
        if found {
            self.seen = position;
        }
        found
    }

    /// Where the event stands that is expected here.
    fn stands_at(&self) -> Option<u64> {
        self.expected_found_at.as_ref().map(|(found, _)| *found)
    }

    /// By how much events stand in front of where they were signed, from here on or soon behind.
    fn shift(&self) -> i64 {
        let from = |signed: u64, stands: u64| signed.cast_signed() - stands.cast_signed();
        match (self.event_signed_at, self.stands_at()) {
            (Some(signed), _) => from(signed, self.position),
            (None, Some(found)) => from(self.expected_at, found),
            (None, None) => 0,
        }
    }

    /// Whether both its event and the expected one are accounted for.
    const fn is_whole(&self) -> bool {
        self.event_signed_at.is_some() && self.expected_found_at.is_some()
    }

    const fn is_unknown(&self) -> bool {
        self.event_signed_at.is_none() && self.expected_found_at.is_none()
    }

    fn fault(self) -> AuditFault {
        let (position, now) = (place(self.position), Described::of(&self.event));
        match (self.event_signed_at, self.expected_found_at) {
            (Some(_), Some((found, event))) => {
                AuditFault::Moved { signed: place(self.expected_at), now: place(found), event }
            }
            (Some(signed), None) if signed > self.expected_at && !self.alone => {
                removed(self.expected_at, signed - 1)
            }
            (Some(signed), None) => AuditFault::Moved { signed: place(signed), now: position, event: now },
            (None, Some((found, event))) if self.alone => {
                AuditFault::Moved { signed: place(self.expected_at), now: place(found), event }
            }
            (None, Some((found, _))) => AuditFault::Inserted { first: position, last: place(found - 1), now },
            (None, None) => AuditFault::Changed { position, now, signed: self.signed },
        }
    }
}

fn removed(first: u64, last: u64) -> AuditFault {
    AuditFault::Removed { first: place(first), last: place(last), closed: true }
}

/// A position from its number.
pub(super) fn place(position: u64) -> Position {
    Position::new(i64::try_from(position).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use domain::Instant;
    use domain::envelope::Revision;

    use super::*;

    fn event(position: u64, id: u64) -> StoredEvent {
        StoredEvent {
            position: place(position),
            aggregate_type: "clue".into(),
            aggregate_id: id.to_string().into(),
            sequence: Revision::new(1),
            event_type: "clue.pooled".into(),
            event_version: "1".into(),
            recorded_at: Instant::from_micros(0),
            payload: "{}".into(),
            metadata: "{}".into(),
        }
    }

    /// Nothing that was signed anywhere.
    fn another() -> Hash {
        event(0, 0).leaf()
    }

    #[test]
    fn changes_that_nothing_explains_leave_their_places_to_later_ones() {
        // Given more changes than are followed at once, and a long stretch in which nothing happens.
        let mut differences = Differences::default();
        for position in 1..=8 {
            differences.add(&event(position, 1_000 + position), another(), Some(another()));
        }
        let behind = 8 + PATIENCE + 1;
        differences.observe(behind, None, Some(another()));
        // When an event is removed behind it, and the next one moves up.
        let signed = event(behind, behind).leaf();
        differences.add(&event(behind, behind + 1), signed, Some(signed));
        differences.observe(behind + 1, None, Some(event(behind + 1, behind + 1).leaf()));
        // Then that is found all the same, and the changes are named.
        let faults: Vec<String> = differences.faults().iter().map(ToString::to_string).collect();
        assert_eq!(faults.iter().filter(|fault| fault.contains("CHANGED")).count(), 8, "{faults:#?}");
        assert!(faults[8].starts_with(&format!("position {behind}: REMOVED")), "{faults:#?}");
    }
}
