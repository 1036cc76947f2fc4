//! Folds the pool. Rows of clues that are not pooled stay, for they may come back.

use domain::Event;
use domain::clue::ClueEvent;
use domain::customer::CustomerEvent;
use domain::envelope::{Position, RecordedEvent};
use domain::ids::{ClueId, CustomerId, OperatorId};
use domain::values::{Code, Instant, LineKey, StageKey};

use crate::runner::{Batch, Folding, Poison, Projector, concerns_a_line, subject_key};
use crate::sql::{Records, TableBatch, TableDef, record};

/// Most stars that there are.
const MOST_STARS: i64 = 5;

record! {
    /// A clue, as far as the pool needs.
    PoolRow in CLUE_POOL = "clue_pool", key (clue_id: ClueId), group customer_id: CustomerId {
        /// Which clue.
        clue_id: ClueId,
        /// Whose.
        customer_id: CustomerId,
        /// Its line.
        line: LineKey,
        /// The stage where it stands.
        stage: StageKey,
        /// The channel that it came through.
        source_channel: Code,
        /// The campaign that brought it.
        campaign: Option<String>,
        /// When it came in.
        captured_at: Instant,
        /// Whether it is open to claim.
        pooled: bool,
        /// Since when.
        pooled_at: Option<Instant>,
        /// Five minus the customer's stars in this line.
        star_rank: i64,
        /// Who gave it back last.
        former_owner_id: Option<OperatorId>,
        /// When.
        released_at: Option<Instant>,
        /// How often it was in the pool.
        times_pooled: i64,
        /// Whether the customer was really reached before.
        first_response: bool,
        /// Position of the last event in it.
        position: Position,
    }
}

record! {
    /// A customer's stars in a line.
    PoolStarRow in CLUE_POOL_STAR = "clue_pool_star",
    key (customer_id: CustomerId, line: LineKey), group customer_id: CustomerId {
        /// Which customer.
        customer_id: CustomerId,
        /// In which line.
        line: LineKey,
        /// How many.
        tier: i64,
    }
}

/// The read model `clue_pool`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CluePool;

impl CluePool {
    /// Its name.
    pub const NAME: &'static str = "clue_pool";
}

impl Projector for CluePool {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> i64 {
        1
    }

    fn tables(&self) -> &'static [&'static TableDef] {
        &[CLUE_POOL, CLUE_POOL_STAR]
    }

    fn key(&self, event: &RecordedEvent) -> Option<String> {
        matches!(event.stream.aggregate_type(), "clue" | "customer").then(|| subject_key(event))
    }

    fn shared(&self, event: &RecordedEvent) -> bool {
        concerns_a_line(event)
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::<PoolBatch>::default()
    }
}

#[derive(Default)]
struct PoolBatch {
    clues: Records<PoolRow>,
    stars: Records<PoolStarRow>,
}

impl Batch for PoolBatch {
    fn want(&mut self, event: &Folding<'_>) {
        let Some(customer) = event.customer() else { return };
        match event.event {
            Event::Clue(_) => {
                self.clues.want(&customer);
                self.stars.want(&customer);
            }
            Event::Customer(
                CustomerEvent::StarGranted { .. }
                | CustomerEvent::StarExpired { .. }
                | CustomerEvent::StarRevoked { .. }
                | CustomerEvent::Erased { .. },
            ) => {
                self.clues.want(&customer);
                self.stars.want(&customer);
            }
            _ => {}
        }
    }

    fn fold(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        match event.event {
            Event::Clue(fact) => self.fold_clue(event, fact),
            Event::Customer(CustomerEvent::StarGranted { line, tier, .. }) => {
                self.set_star(event, line, i64::from(u8::from(*tier)))
            }
            Event::Customer(CustomerEvent::StarExpired { line } | CustomerEvent::StarRevoked { line }) => {
                self.set_star(event, line, 0)
            }
            Event::Customer(CustomerEvent::Erased { .. }) => {
                let customer = event.known_customer()?;
                self.stars.remove_where(&customer, |_| true);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn tables(&mut self) -> Vec<&mut dyn TableBatch> {
        vec![&mut self.clues, &mut self.stars]
    }
}

impl PoolBatch {
    fn fold_clue(&mut self, event: &Folding<'_>, fact: &ClueEvent) -> Result<(), Poison> {
        let customer_id = event.known_customer()?;
        let clue_id = event.clue()?;
        if let ClueEvent::Captured { line, source, stage, at, .. } = fact {
            let tier = self.stars.get(&customer_id, &(customer_id, line.clone())).map_or(0, |star| star.tier);
            self.clues.put(PoolRow {
                clue_id,
                customer_id,
                line: line.clone(),
                stage: stage.clone(),
                source_channel: source.channel.clone(),
                campaign: source.campaign.as_ref().map(ToString::to_string),
                captured_at: *at,
                pooled: false,
                pooled_at: None,
                star_rank: MOST_STARS - tier,
                former_owner_id: None,
                released_at: None,
                times_pooled: 0,
                first_response: false,
                position: event.position(),
            });
            return Ok(());
        }
        let unknown = Poison("the clue was never captured");
        let row = self.clues.get(&customer_id, &(clue_id,)).ok_or(unknown)?;
        let mut next = row.clone();
        match fact {
            ClueEvent::Pooled {} => enter(&mut next, event.at()),
            ClueEvent::Released { operator_id, at, .. } => {
                enter(&mut next, *at);
                next.former_owner_id = Some(*operator_id);
                next.released_at = Some(*at);
            }
            ClueEvent::Reopened { stage, .. } => {
                enter(&mut next, event.at());
                next.stage = stage.clone();
            }
            ClueEvent::Assigned { .. } | ClueEvent::Claimed { .. } | ClueEvent::Invalidated { .. } => {
                leave(&mut next);
            }
            ClueEvent::Won { stage, .. } | ClueEvent::Lost { stage, .. } => {
                leave(&mut next);
                next.stage = stage.clone();
            }
            ClueEvent::StageMoved { to, .. } => next.stage = to.clone(),
            ClueEvent::FirstResponseRecorded { .. } => next.first_response = true,
            _ => return Ok(()),
        }
        next.position = event.position();
        self.clues.put(next);
        Ok(())
    }

    fn set_star(&mut self, event: &Folding<'_>, line: &LineKey, tier: i64) -> Result<(), Poison> {
        let customer_id = event.known_customer()?;
        if tier == 0 {
            self.stars.remove(&customer_id, &(customer_id, line.clone()));
        } else {
            self.stars.put(PoolStarRow { customer_id, line: line.clone(), tier });
        }
        let clues: Vec<PoolRow> =
            self.clues.of(&customer_id).filter(|row| row.line == *line).cloned().collect();
        for mut row in clues {
            row.star_rank = MOST_STARS - tier;
            row.position = event.position();
            self.clues.put(row);
        }
        Ok(())
    }
}

fn enter(row: &mut PoolRow, at: Instant) {
    if !row.pooled {
        row.times_pooled += 1;
    }
    row.pooled = true;
    row.pooled_at = Some(at);
}

fn leave(row: &mut PoolRow) {
    row.pooled = false;
    row.pooled_at = None;
}
