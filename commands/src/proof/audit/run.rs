//! The audit itself: one pass over events, tiles and checkpoints, side by side.

use std::pin::pin;

use domain::proof::{Frontier, Hash, StoredEvent, VerifierKey};
use futures::{Stream, StreamExt};

use super::differences::{Differences, place, shifted};
use super::fault::{Described, Faults};
use super::signed::SignedTiles;
use super::{AuditError, AuditFault, AuditReport, Page};
use crate::proof::history::{self, History, Kept};
use crate::proof::place::Place;

/// Stretches without events that are remembered, in case their events come later.
const GAPS: usize = 100;

/// Compares events with what was signed. `progress` gets how many of the signed ones are done.
///
/// # Errors
/// When something cannot be read; what is wrong is in the report.
pub async fn audit(
    place: &dyn Place,
    key: &VerifierKey,
    pages: impl Stream<Item = Result<Page, AuditError>> + Send,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<AuditReport, AuditError> {
    let (newest, copy) = history::newest_good(place, key).await?;
    let newest = newest.ok_or(AuditError::NothingSigned)?.checkpoint;
    let mut faults = Faults::default();
    let copy = match copy {
        Some(Err(bad)) => {
            faults.add(AuditFault::Checkpoint { name: bad.name, reason: bad.reason });
            None
        }
        Some(Ok(copy)) => Some(copy),
        None => None,
    };
    let mut audit = Audit {
        signed: SignedTiles::of(place, &newest).await?,
        history: History::begin(place, key).await?,
        next: None,
        copy,
        frontier: Frontier::default(),
        good: 0,
        unproved: false,
        lost: false,
        last: 0,
        gaps: Vec::new(),
        unnamed: 0,
        reached: 0,
        doubtful: 0,
        known: 0,
        differences: Differences::default(),
        report: AuditReport {
            newest,
            checkpoints: 0,
            unchecked: 0,
            equal: 0,
            different: 0,
            beyond: 0,
            tiles: 0,
            faults: Vec::new(),
        },
        faults,
    };
    audit.turn_checkpoint().await?;
    let mut pages = pin!(pages);
    while let Some(page) = pages.next().await {
        let page = page?;
        page.faults.into_iter().for_each(|fault| audit.faults.add(fault));
        for (event, leaf) in page.leaves.events.iter().zip(&page.leaves.hashes) {
            audit.take(event, *leaf).await?;
        }
        progress(audit.frontier.size(), audit.report.newest.size);
    }
    audit.finish().await
}

struct Audit<'a> {
    signed: SignedTiles<'a>,
    history: History<'a>,
    /// The checkpoint that is compared next.
    next: Option<Kept>,
    /// The copy of the newest checkpoint, which must not say anything else.
    copy: Option<Kept>,
    /// The tree of what was signed, as far as tiles tell, and of what stands there, as far as they do not.
    frontier: Frontier,
    /// Up to where roots were good.
    good: u64,
    /// Whether leaves behind `good` were taken from the events, because no tile told.
    unproved: bool,
    /// Whether the tree cannot be followed any more: neither event nor tile was there.
    lost: bool,
    /// The highest position so far.
    last: u64,
    /// Positions that were passed without an event.
    gaps: Vec<Gap>,
    /// How many more positions were passed.
    unnamed: u64,
    /// How many events wait for a root that proves them, because no tile does.
    doubtful: u64,
    /// Size of the last checkpoint that the history gave.
    known: u64,
    /// Up to where signed events stand behind the signed part of the log, for events were inserted.
    reached: u64,
    differences: Differences,
    report: AuditReport,
    faults: Faults,
}

/// Positions without an event.
#[derive(Clone, Copy)]
struct Gap {
    first: u64,
    last: u64,
    /// The shift of the events in front of it, and of those behind, once it is known.
    before: i64,
    behind: Option<i64>,
}

impl Gap {
    /// The signed events that are not there because of it; those behind may have moved up a little.
    fn gone(&self, size: u64) -> Option<AuditFault> {
        let unknown = if self.last == size { 0 } else { self.before };
        let first = shifted(self.first, self.before)?;
        let last = shifted(self.last, self.behind.unwrap_or(unknown))?;
        let removed = AuditFault::Removed { first: place(first), last: place(last), closed: false };
        (first <= last).then_some(removed)
    }
}

impl Audit<'_> {
    /// Takes the next event of the log.
    async fn take(&mut self, event: &StoredEvent, leaf: Hash) -> Result<(), AuditError> {
        let position = event.position.get().unsigned_abs();
        if position <= self.last {
            return self.take_late(event, leaf).await;
        }
        let gap = position > self.last + 1;
        if gap {
            self.pass(position - 1).await?;
        }
        self.last = position;
        if position > self.report.newest.size {
            return self.take_beyond(event).await;
        }
        let signed = self.signed.leaf(position - 1).await?;
        self.observe(position, Some(event), signed).await?;
        match signed {
            Some(signed) if signed != leaf => self.differ(event, signed).await?,
            Some(_) => {
                self.report.equal += 1;
                self.differences.equal(position, gap);
                self.agree();
            }
            None => {
                self.unproved = true;
                self.doubtful += 1;
            }
        }
        self.grow(signed.unwrap_or(leaf)).await
    }

    /// Takes an event behind the signed part of the log. What was signed may have moved down there.
    async fn take_beyond(&mut self, event: &StoredEvent) -> Result<(), AuditError> {
        self.report.beyond += 1;
        self.observe(self.last, Some(event), None).await?;
        let signed_at = shifted(self.last, self.differences.shift());
        if let Some(signed_at) = signed_at.filter(|at| *at <= self.report.newest.size)
            && self.signed.leaf(signed_at - 1).await? == Some(event.leaf_at(place(signed_at)))
        {
            self.reached = signed_at;
        }
        Ok(())
    }

    /// Tries whether an earlier difference is explained by what comes at a later position.
    async fn observe(
        &mut self,
        position: u64,
        event: Option<&StoredEvent>,
        signed: Option<Hash>,
    ) -> Result<(), AuditError> {
        if !self.differences.open() {
            return Ok(());
        }
        let Some(from) = self.differences.observe(position, event, signed) else { return Ok(()) };
        let mut explained = Vec::new();
        for (index, difference) in self.differences.unfollowed_behind(from) {
            if let Some(at) = shifted(difference.position, self.differences.shift())
                && self.signed.leaf(at - 1).await? == Some(difference.event.leaf_at(place(at)))
            {
                explained.push(index);
            }
        }
        explained.into_iter().rev().for_each(|index| self.differences.explain(index));
        Ok(())
    }

    /// The shift is known that events have behind the last stretch without any.
    fn agree(&mut self) {
        if let Some(gap) = self.gaps.last_mut() {
            gap.behind = gap.behind.or(Some(self.differences.shift()));
        }
    }

    /// Takes an event that is not what was signed at its position. Behind events that were removed or
    /// inserted every one is, and no other than was signed some positions further on, or back.
    async fn differ(&mut self, event: &StoredEvent, signed: Hash) -> Result<(), AuditError> {
        let mut expected = Some(signed);
        if self.differences.shift() != 0 {
            let at = shifted(self.last, self.differences.shift());
            expected = match at {
                Some(at) => self.signed.leaf(at - 1).await?,
                None => None,
            };
            if at.is_some_and(|at| expected == Some(event.leaf_at(place(at)))) {
                self.differences.add_shifted(self.last);
                self.agree();
                return Ok(());
            }
        }
        self.differences.add(event, signed, expected);
        Ok(())
    }

    /// Passes positions, up to one, at which there is no event.
    async fn pass(&mut self, until: u64) -> Result<(), AuditError> {
        let first = self.last + 1;
        let until = until.min(self.report.newest.size);
        if first > until {
            return Ok(());
        }
        self.report.different += until - first + 1;
        for position in first..=until {
            let signed = self.signed.leaf(position - 1).await?;
            self.observe(position, None, signed).await?;
            match signed {
                Some(signed) => self.grow(signed).await?,
                // From here on roots cannot be computed.
                None => self.lost = true,
            }
        }
        self.last = until;
        self.add_gap(Gap { first, last: until, before: self.differences.shift(), behind: None });
        Ok(())
    }

    fn add_gap(&mut self, gap: Gap) {
        if gap.first > gap.last {
        } else if self.gaps.len() < GAPS {
            self.gaps.push(gap);
        } else {
            self.unnamed += gap.last - gap.first + 1;
        }
    }

    /// Takes an event that stands behind a later one.
    async fn take_late(&mut self, event: &StoredEvent, leaf: Hash) -> Result<(), AuditError> {
        let position = event.position.get().unsigned_abs();
        let gap = self.gaps.iter().position(|gap| (gap.first..=gap.last).contains(&position));
        let Some(gap) = gap else {
            let (position, now) = (event.position, Described::of(event));
            self.faults.add(AuditFault::Twice { position, now });
            return Ok(());
        };
        let gap = self.gaps.swap_remove(gap);
        self.add_gap(Gap { last: position - 1, ..gap });
        self.add_gap(Gap { first: position + 1, ..gap });
        let behind = place(self.last);
        self.faults.add(AuditFault::OutOfOrder { position: event.position, behind });
        if let Some(signed) = self.signed.leaf(position - 1).await?
            && signed != leaf
        {
            let (position, now) = (event.position, Described::of(event));
            self.faults.add(AuditFault::Changed { position, now, signed });
        }
        Ok(())
    }

    /// Adds a leaf to the tree, and compares the checkpoint that ends with it.
    async fn grow(&mut self, leaf: Hash) -> Result<(), AuditError> {
        if self.lost {
            return Ok(());
        }
        self.frontier.push(leaf);
        let size = self.frontier.size();
        if let Some(copy) = self.copy.take_if(|copy| copy.checkpoint.size == size)
            && copy.checkpoint.root != self.frontier.root()
            && !self.unproved
        {
            self.faults.add(AuditFault::Fork { size, newest: self.report.newest.size });
        }
        while let Some(kept) = self.next.take_if(|kept| kept.checkpoint.size == self.frontier.size()) {
            self.compare(kept.checkpoint.size, kept.checkpoint.root);
            self.turn_checkpoint().await?;
        }
        Ok(())
    }

    fn compare(&mut self, size: u64, root: Hash) {
        if self.lost {
            self.report.unchecked += 1;
        } else if self.frontier.root() == root {
            self.report.checkpoints += 1;
            self.report.equal += self.doubtful;
            (self.good, self.unproved, self.doubtful) = (size, false, 0);
        } else if self.unproved {
            let (after, until) = (place(self.good + 1), place(size));
            self.faults.add(AuditFault::Somewhere { after, until });
            self.lost = true;
        } else {
            let newest = self.report.newest.size;
            self.faults.add(AuditFault::Fork { size, newest });
        }
    }

    /// Goes on to the next checkpoint that is good by itself.
    async fn turn_checkpoint(&mut self) -> Result<(), AuditError> {
        loop {
            match self.history.next().await? {
                Some(Err(bad)) => {
                    self.faults.add(AuditFault::Checkpoint { name: bad.name, reason: bad.reason });
                }
                Some(Ok(kept)) if kept.checkpoint.size == 0 => {}
                next => {
                    self.next = next.and_then(Result::ok);
                    self.known = self.next.as_ref().map_or(self.known, |kept| kept.checkpoint.size);
                    return Ok(());
                }
            }
        }
    }

    async fn finish(mut self) -> Result<AuditReport, AuditError> {
        self.pass(self.report.newest.size).await?;
        while self.next.is_some() {
            self.report.unchecked += 1;
            self.turn_checkpoint().await?;
        }
        let (size, root) = (self.report.newest.size, self.report.newest.root);
        // Its file may be gone, and the copy of the newest one is there.
        if self.known < size {
            self.compare(size, root);
        }
        self.gaps.sort_unstable_by_key(|gap| gap.first);
        let cut = self.gaps.last().is_some_and(|gap| gap.last == size);
        let expected = shifted(size, self.differences.shift()).unwrap_or(0).max(self.reached);
        if !cut && self.differences.shift() < 0 && expected < size {
            self.differences.end_before(expected + 1, size);
        }
        self.report.different += self.differences.total;
        let mut faults: Vec<AuditFault> = self.gaps.iter().filter_map(|gap| gap.gone(size)).collect();
        faults.extend(self.differences.faults());
        if self.unnamed > 0 {
            faults.push(AuditFault::More { count: self.unnamed });
        }
        faults.extend(self.faults.into_list());
        self.report.tiles = self.signed.checked;
        faults.extend(self.signed.faults.into_list());
        self.report.faults = faults;
        Ok(self.report)
    }
}
