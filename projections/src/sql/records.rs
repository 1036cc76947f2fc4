//! The rows that a batch of events needs, in memory: loaded once, folded, written once.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::error::SqlError;
use super::record::Record;
use super::table::Suffix;
use super::tx::Tx;
use super::value::Value;

/// One table's part in a batch, whatever its type of row.
#[async_trait]
pub trait TableBatch: Send {
    /// Loads the rows of every group that is wanted and not yet there.
    async fn load(&mut self, tx: &mut Tx, suffix: Suffix) -> Result<(), SqlError>;

    /// Writes what changed.
    async fn flush(&mut self, tx: &mut Tx, suffix: Suffix) -> Result<(), SqlError>;
}

struct Slot<R> {
    row: Option<R>,
    /// Whether the database holds a row of this key.
    stored: bool,
    dirty: bool,
}

/// Rows of one table, by group and key.
pub struct Records<R: Record> {
    groups: BTreeMap<R::Group, BTreeMap<R::Key, Slot<R>>>,
    wanted: BTreeSet<R::Group>,
    /// Groups of which rows of the past are wanted too.
    whole: BTreeSet<R::Group>,
}

impl<R: Record> Default for Records<R> {
    fn default() -> Self {
        Self { groups: BTreeMap::new(), wanted: BTreeSet::new(), whole: BTreeSet::new() }
    }
}

impl<R: Record> Records<R> {
    /// Asks for every row of a group, whatever its age.
    pub fn want_whole(&mut self, group: &R::Group) {
        self.whole.insert(group.clone());
    }

    /// The last row of a group between two keys, both included.
    #[must_use]
    pub fn last_between(&self, group: &R::Group, keys: std::ops::RangeInclusive<R::Key>) -> Option<&R> {
        let rows = self.groups.get(group)?.range(keys);
        rows.rev().find_map(|(_, slot)| slot.row.as_ref())
    }

    /// Asks for the rows of a group before the fold begins; of one whose rows have a past, for the
    /// current ones.
    pub fn want(&mut self, group: &R::Group) {
        if !self.wanted.contains(group) {
            self.wanted.insert(group.clone());
        }
    }

    /// A row.
    #[must_use]
    pub fn get(&self, group: &R::Group, key: &R::Key) -> Option<&R> {
        self.groups.get(group)?.get(key)?.row.as_ref()
    }

    /// A row, to be changed.
    pub fn get_mut(&mut self, group: &R::Group, key: &R::Key) -> Option<&mut R> {
        let slot = self.groups.get_mut(group)?.get_mut(key)?;
        slot.dirty = true;
        slot.row.as_mut()
    }

    /// The rows of a group in the order of their keys.
    pub fn of<'a>(&'a self, group: &R::Group) -> impl Iterator<Item = &'a R> + use<'a, R> {
        self.groups.get(group).into_iter().flat_map(BTreeMap::values).filter_map(|slot| slot.row.as_ref())
    }

    /// The rows of a group, to be changed.
    pub fn of_mut<'a>(&'a mut self, group: &R::Group) -> impl Iterator<Item = &'a mut R> + use<'a, R> {
        self.groups.get_mut(group).into_iter().flat_map(BTreeMap::values_mut).filter_map(|slot| {
            slot.dirty |= slot.row.is_some();
            slot.row.as_mut()
        })
    }

    /// Puts a row, new or instead of the one with its key.
    pub fn put(&mut self, row: R) {
        let slots = self.groups.entry(row.group()).or_default();
        let slot = slots.entry(row.key()).or_insert(Slot { row: None, stored: false, dirty: true });
        slot.row = Some(row);
        slot.dirty = true;
    }

    /// Takes a row away.
    pub fn remove(&mut self, group: &R::Group, key: &R::Key) -> Option<R> {
        let slot = self.groups.get_mut(group)?.get_mut(key)?;
        slot.dirty = true;
        slot.row.take()
    }

    /// Takes every row of a group away for which `gone` holds.
    pub fn remove_where(&mut self, group: &R::Group, gone: impl Fn(&R) -> bool) {
        for slot in self.groups.get_mut(group).into_iter().flat_map(BTreeMap::values_mut) {
            if slot.row.as_ref().is_some_and(&gone) {
                slot.row = None;
                slot.dirty = true;
            }
        }
    }
}

#[async_trait]
impl<R: Record> TableBatch for Records<R> {
    async fn load(&mut self, tx: &mut Tx, suffix: Suffix) -> Result<(), SqlError> {
        let table = R::TABLE;
        let current = R::CURRENT.map(|current| format!(" AND {current}")).unwrap_or_default();
        let whole = std::mem::take(&mut self.whole);
        let wanted: BTreeSet<R::Group> =
            std::mem::take(&mut self.wanted).into_iter().filter(|group| !whole.contains(group)).collect();
        for (groups, condition) in [(wanted, current.as_str()), (whole, "")] {
            if groups.is_empty() {
                continue;
            }
            let sql = format!(
                "SELECT {} FROM {} WHERE {} = ANY($1){condition}",
                table.column_list(),
                table.named(suffix),
                table.group
            );
            for row in tx.fetch(&sql, &[Value::texts(groups)]).await? {
                let row = R::from_row(&row)?;
                let slots = self.groups.entry(row.group()).or_default();
                slots.entry(row.key()).or_insert(Slot { row: Some(row), stored: true, dirty: false });
            }
        }
        Ok(())
    }

    async fn flush(&mut self, tx: &mut Tx, suffix: Suffix) -> Result<(), SqlError> {
        let mut written = Vec::new();
        let mut deleted = Vec::new();
        for (key, slot) in self.groups.values_mut().flatten() {
            if !std::mem::take(&mut slot.dirty) {
                continue;
            }
            match &slot.row {
                Some(row) => written.push(row.to_values()),
                None if slot.stored => deleted.push(R::key_values(key)),
                None => {}
            }
            slot.stored = slot.row.is_some();
        }
        if !deleted.is_empty() {
            R::TABLE.delete(tx, suffix, deleted).await?;
        }
        if !written.is_empty() {
            R::TABLE.upsert(tx, suffix, written).await?;
        }
        Ok(())
    }
}
