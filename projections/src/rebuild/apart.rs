//! Folding the events of a chunk by several workers, apart by key.
//!
//! Guarantees: the rows are those that one worker makes. Events of one key are folded by one worker,
//! in order; an event that concerns other keys too ([`Projector::shared`]) is folded when everything
//! before it is, and before anything behind it.
//!
//! Workers commit by themselves, so a chunk may be there in parts. That is no harm: a copy serves
//! nobody until it is whole, and an interrupted one is thrown away.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::guard::Guard;
use super::purge_parked;
use crate::runner::{Chunk, Inner, Model, ParkedEvent, RunError, apply, park_refused, work};
use crate::sql::{SqlError, Suffix};

/// Fewer events than this a worker are not worth a transaction each.
const WORTH: usize = 64;

/// Which copy of which model.
#[derive(Clone)]
pub(super) struct Target {
    pub inner: Arc<Inner>,
    pub model: Arc<Model>,
    pub guard: Arc<Guard>,
    pub suffix: Suffix,
}

/// What folding came to, beside the rows.
#[derive(Default)]
pub(super) struct Folded {
    pub parked: Vec<ParkedEvent>,
    pub parked_keys: BTreeSet<String>,
}

impl Folded {
    fn add(&mut self, other: Self) {
        self.parked.extend(other.parked);
        self.parked_keys.extend(other.parked_keys);
    }
}

/// Folds the first `count` events of the chunk by up to so many workers. `parked_keys` are those that
/// wait already.
pub(super) async fn fold(
    target: &Target,
    chunk: &Arc<Chunk>,
    count: usize,
    workers: usize,
    parked_keys: &BTreeSet<String>,
) -> Result<Folded, RunError> {
    let mut folded = Folded { parked: Vec::new(), parked_keys: parked_keys.clone() };
    for step in steps(target, chunk, count, workers) {
        let mut running = JoinSet::new();
        for part in step {
            let (target, chunk, keys) = (target.clone(), Arc::clone(chunk), folded.parked_keys.clone());
            running.spawn(async move { fold_part(&target, &chunk, part, keys).await });
        }
        // Every one of them ends before an error is told, so that nothing is written behind it.
        let mut failure = None;
        while let Some(ended) = running.join_next().await {
            match ended.unwrap_or(Err(RunError::Interrupted)) {
                Ok(part) => folded.add(part),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
    }
    folded.parked.sort_by_key(|event| event.position);
    Ok(folded)
}

/// What is folded one after another, and each of that in parts that are folded at once: the places of
/// events in the chunk.
fn steps(target: &Target, chunk: &Chunk, count: usize, workers: usize) -> Vec<Vec<Vec<usize>>> {
    let projector = target.model.projector.as_ref();
    if workers <= 1 {
        return vec![vec![(0..count).collect()]];
    }
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut steps: Vec<Vec<Vec<usize>>> = Vec::new();
    let mut parts: Vec<Vec<usize>> = vec![Vec::new(); workers];
    let mut together: Vec<usize> = Vec::new();
    let flush = |parts: &mut Vec<Vec<usize>>| {
        let step: Vec<Vec<usize>> =
            parts.iter_mut().map(std::mem::take).filter(|part| !part.is_empty()).collect();
        let size: usize = step.iter().map(Vec::len).sum();
        if size < WORTH * workers {
            let mut one: Vec<usize> = step.into_iter().flatten().collect();
            one.sort_unstable();
            return (!one.is_empty()).then_some(vec![one]);
        }
        Some(step)
    };
    for (index, event) in chunk.events.iter().take(count).enumerate() {
        let Some(key) = projector.key(event) else { continue };
        if projector.shared(event) {
            steps.extend(flush(&mut parts));
            together.push(index);
            continue;
        }
        if !together.is_empty() {
            steps.push(vec![std::mem::take(&mut together)]);
        }
        let part = hasher.hash_one(&key) % workers as u64;
        if let Some(part) = usize::try_from(part).ok().and_then(|part| parts.get_mut(part)) {
            part.push(index);
        }
    }
    if !together.is_empty() {
        steps.push(vec![together]);
    }
    steps.extend(flush(&mut parts));
    steps
}

/// Folds some events in transactions of their own. What the database refuses is found by halving and
/// parks, as it does in the live model.
async fn fold_part(
    target: &Target,
    chunk: &Chunk,
    part: Vec<usize>,
    parked_keys: BTreeSet<String>,
) -> Result<Folded, RunError> {
    let mut folded = Folded { parked: Vec::new(), parked_keys };
    let mut waiting = vec![part];
    while let Some(mut indices) = waiting.pop() {
        match fold_in_one(target, chunk, &indices, &folded.parked_keys).await {
            Ok(done) => folded.add(done),
            Err(RunError::Sql(SqlError::Data { .. })) if indices.len() > 1 => {
                let behind = indices.split_off(indices.len() / 2);
                waiting.extend([behind, indices]);
            }
            Err(RunError::Sql(SqlError::Data { code })) => {
                folded.add(refused(target, chunk, indices, &code).await?);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(folded)
}

async fn fold_in_one(
    target: &Target,
    chunk: &Chunk,
    indices: &[usize],
    parked_keys: &BTreeSet<String>,
) -> Result<Folded, RunError> {
    let projector = target.model.projector.as_ref();
    let work = work(projector, chunk, indices.iter().copied());
    if work.is_empty() {
        return Ok(Folded::default());
    }
    let mut parked_keys = parked_keys.clone();
    let now = target.inner.clock.now();
    let mut tx = target.inner.db.begin().await?;
    match apply(&mut tx, projector, target.suffix, &work, &mut parked_keys, now).await {
        Ok(applied) => {
            purge_parked(&mut tx, projector, &[target.suffix], &work, &applied.parked).await?;
            target.guard.fence(&mut tx).await?;
            tx.commit().await?;
            Ok(Folded { parked: applied.parked, parked_keys })
        }
        Err(error) => {
            tx.rollback().await?;
            Err(error.into())
        }
    }
}

/// Parks an event that the database refuses.
async fn refused(
    target: &Target,
    chunk: &Chunk,
    indices: Vec<usize>,
    code: &str,
) -> Result<Folded, RunError> {
    let projector = target.model.projector.as_ref();
    let work = work(projector, chunk, indices);
    let parked = park_refused(projector, &work, code, target.inner.clock.now());
    let mut tx = target.inner.db.begin().await?;
    purge_parked(&mut tx, projector, &[target.suffix], &work, &parked).await?;
    target.guard.fence(&mut tx).await?;
    tx.commit().await?;
    Ok(Folded { parked, parked_keys: work.into_iter().map(|item| item.key).collect() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clue_list::ClueList;
    use crate::tests::{FakeIndex, World, on_each_database};

    async fn order(
        world: &World,
        inner: &Arc<Inner>,
        model: &Arc<Model>,
        count: usize,
    ) -> Vec<Vec<Vec<usize>>> {
        let guard = Guard::take(inner, model, "rebuild").await.unwrap();
        let target =
            Target { inner: Arc::clone(inner), model: Arc::clone(model), guard, suffix: Suffix::Next };
        let events = world.log.events.lock().unwrap().clone();
        steps(&target, &Chunk::of(events), count, 3)
    }

    #[tokio::test]
    async fn keys_stay_together_and_nothing_overtakes_an_event_that_others_read() {
        on_each_database(|world| async move {
            for round in 0..2 {
                world.define_line(&format!("line-{round}"));
                for n in 0..400 {
                    world.register(n % 100, "line-0", "Li Wei", "+8613800000000");
                }
            }
            let projections =
                world.with(Default::default(), vec![Arc::new(ClueList::new(Arc::new(FakeIndex)))]);
            let (inner, model) = projections.rebuild_parts();
            let count = world.log.events.lock().unwrap().len();
            let steps = order(&world, &inner, &model, count).await;
            let events = world.log.events.lock().unwrap();
            let shared = |index: &usize| events[*index].stream.aggregate_type() == "business_line";
            let mut seen = Vec::new();
            let mut widest = 0;
            for step in &steps {
                let mut keys: std::collections::BTreeMap<String, usize> = Default::default();
                widest = widest.max(step.len());
                for (number, part) in step.iter().enumerate() {
                    assert!(part.is_sorted());
                    assert!(part.iter().all(shared) || !part.iter().any(shared));
                    for index in part {
                        let key = model.projector.key(&events[*index]).unwrap();
                        assert_eq!(*keys.entry(key).or_insert(number), number, "a key has one worker");
                    }
                }
                let mut step: Vec<usize> = step.iter().flatten().copied().collect();
                step.sort_unstable();
                assert!(seen.last() < step.first(), "steps are in the order of the log");
                seen.extend(step);
            }
            assert_eq!(seen, (0..count).collect::<Vec<_>>(), "everything once");
            assert_eq!(widest, 3);
            assert!(steps.len() >= 4);
        })
        .await;
    }
}
