//! The audit itself: one pass over events, tiles and checkpoints, side by side.

use std::pin::pin;

use domain::Position;
use domain::proof::{Frontier, Hash, StoredEvent, VerifierKey};
use futures::{Stream, StreamExt};

use super::differences::Differences;
use super::fault::Described;
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
    let (newest, bad_copy) = history::newest_good(place, key).await?;
    let newest = newest.ok_or(AuditError::NothingSigned)?.checkpoint;
    let mut audit = Audit {
        signed: SignedTiles::of(place, &newest).await?,
        history: History::begin(place, key).await?,
        next: None,
        frontier: Frontier::default(),
        good: 0,
        unproved: false,
        lost: false,
        last: 0,
        gaps: Vec::new(),
        unnamed: 0,
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
            faults: bad_copy
                .into_iter()
                .map(|bad| AuditFault::Checkpoint { name: bad.name, reason: bad.reason })
                .collect(),
        },
    };
    audit.turn_checkpoint().await?;
    let mut pages = pin!(pages);
    while let Some(page) = pages.next().await {
        let page = page?;
        audit.report.faults.extend(page.faults);
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
    gaps: Vec<(u64, u64)>,
    /// How many more positions were passed.
    unnamed: u64,
    /// How many events were taken for equal without proof.
    doubtful: u64,
    /// Size of the last checkpoint that the history gave.
    known: u64,
    differences: Differences,
    report: AuditReport,
}

impl Audit<'_> {
    /// Takes the next event of the log.
    async fn take(&mut self, event: &StoredEvent, leaf: Hash) -> Result<(), AuditError> {
        let position = event.position.get().unsigned_abs();
        if position <= self.last {
            return self.take_late(event, leaf).await;
        }
        if position > self.last + 1 {
            self.pass(position - 1).await?;
        }
        self.last = position;
        if position > self.report.newest.size {
            self.report.beyond += 1;
            if self.differences.open() {
                self.differences.observe(event.position, Some(event), None);
            }
            return Ok(());
        }
        let signed = self.signed.leaf(position - 1).await?;
        if self.differences.open() {
            self.differences.observe(event.position, Some(event), signed);
        }
        match signed {
            Some(signed) if signed != leaf => self.differ(event, signed).await?,
            _ => self.report.equal += 1,
        }
        if signed.is_none() {
            self.unproved = true;
            self.doubtful += 1;
        }
        self.grow(signed.unwrap_or(leaf)).await
    }

    /// Takes an event that is not what was signed at its position. Behind events that were removed or
    /// inserted every one is, and no other than was signed some positions further on, or back.
    async fn differ(&mut self, event: &StoredEvent, signed: Hash) -> Result<(), AuditError> {
        for shift in self.differences.shifts() {
            let Ok(other) = u64::try_from(event.position.get() + shift) else { continue };
            let Some(index) = other.checked_sub(1) else { continue };
            if self.signed.leaf(index).await? == Some(event.leaf_at(place(other))) {
                self.differences.add_shifted();
                return Ok(());
            }
        }
        self.differences.add(event, signed);
        Ok(())
    }

    /// Passes positions, up to one, at which there is no event.
    async fn pass(&mut self, until: u64) -> Result<(), AuditError> {
        let first = self.last + 1;
        let until = until.min(self.report.newest.size);
        if first > until {
            return Ok(());
        }
        if self.gaps.len() < GAPS {
            self.gaps.push((first, until));
        } else {
            self.unnamed += until - first + 1;
        }
        self.report.different += until - first + 1;
        for position in first..=until {
            let signed = self.signed.leaf(position - 1).await?;
            if self.differences.open() {
                self.differences.observe(place(position), None, signed);
            }
            match signed {
                Some(signed) => self.grow(signed).await?,
                // From here on roots cannot be computed.
                None => self.lost = true,
            }
        }
        self.last = until;
        Ok(())
    }

    /// Takes an event that stands behind a later one.
    async fn take_late(&mut self, event: &StoredEvent, leaf: Hash) -> Result<(), AuditError> {
        let position = event.position.get().unsigned_abs();
        let gap = self.gaps.iter().position(|(first, last)| (*first..=*last).contains(&position));
        let Some(gap) = gap else {
            let (position, now) = (event.position, Described::of(event));
            self.report.faults.push(AuditFault::Twice { position, now });
            return Ok(());
        };
        let (first, last) = self.gaps.swap_remove(gap);
        self.gaps.extend([(first, position - 1), (position + 1, last)].into_iter().filter(|(a, b)| a <= b));
        let behind = place(self.last);
        self.report.faults.push(AuditFault::OutOfOrder { position: event.position, behind });
        if let Some(signed) = self.signed.leaf(position - 1).await?
            && signed != leaf
        {
            let (position, now) = (event.position, Described::of(event));
            self.report.faults.push(AuditFault::Changed { position, now, signed });
        }
        Ok(())
    }

    /// Adds a leaf to the tree, and compares the checkpoint that ends with it.
    async fn grow(&mut self, leaf: Hash) -> Result<(), AuditError> {
        if self.lost {
            return Ok(());
        }
        self.frontier.push(leaf);
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
            (self.good, self.unproved, self.doubtful) = (size, false, 0);
        } else if self.unproved {
            let (after, until) = (place(self.good + 1), place(size));
            self.report.faults.push(AuditFault::Somewhere { after, until });
            self.report.equal -= self.doubtful;
            self.lost = true;
        } else {
            let newest = self.report.newest.size;
            self.report.faults.push(AuditFault::Fork { size, newest });
        }
    }

    /// Goes on to the next checkpoint that is good by itself.
    async fn turn_checkpoint(&mut self) -> Result<(), AuditError> {
        loop {
            match self.history.next().await? {
                Some(Err(bad)) => {
                    let fault = AuditFault::Checkpoint { name: bad.name, reason: bad.reason };
                    self.report.faults.push(fault);
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
        self.gaps.sort_unstable();
        let gone = |(first, last): &(u64, u64)| AuditFault::Removed {
            first: place(*first),
            last: place(*last),
            closed: false,
        };
        let mut faults: Vec<AuditFault> = self.gaps.iter().map(gone).collect();
        self.report.different += self.differences.total;
        let moved_up = self.differences.faults();
        // At the end of a log whose events moved up, places are empty: that was said with the first one.
        let closed = |fault: &AuditFault| matches!(fault, AuditFault::Removed { closed: true, .. });
        if moved_up.iter().any(closed) {
            faults.retain(|fault| !matches!(fault, AuditFault::Removed { last, .. } if *last == place(size)));
        }
        faults.extend(moved_up);
        if self.unnamed > 0 {
            faults.push(AuditFault::More { count: self.unnamed });
        }
        let report = &mut self.report;
        report.faults.splice(0..0, faults);
        report.faults.append(&mut self.signed.faults);
        report.tiles = self.signed.checked;
        Ok(self.report)
    }
}

fn place(position: u64) -> Position {
    Position::new(i64::try_from(position).unwrap_or(i64::MAX))
}
