//! Folds stage intervals.

use domain::Event;
use domain::business_line::{BusinessLineEvent, StageCategory};
use domain::clue::{ClueEvent, Lifecycle};
use domain::envelope::{Position, RecordedEvent};
use domain::ids::{ClueId, CustomerId, OperatorId, TeamId};
use domain::values::{Instant, LineKey, StageKey};

use crate::runner::{Batch, Folding, Poison, Projector, concerns_a_line, subject_key};
use crate::sql::{Records, TableBatch, TableDef, record};

record! {
    /// An interval that a clue stood in a stage.
    StageIntervalRow in FACT_CLUE_STAGE = "fact_clue_stage",
    key (clue_id: ClueId, interval_number: i64), group customer_id: CustomerId {
        /// Which clue.
        clue_id: ClueId,
        /// Which of its intervals, from 1.
        interval_number: i64,
        /// Whose clue; a pseudonym.
        customer_id: CustomerId,
        /// Its line.
        line: LineKey,
        /// The stage.
        stage: StageKey,
        /// What standing there means.
        category: StageCategory,
        /// Version of the stage graph by which it came there.
        graph_version: u32,
        /// Where it was in its life when it came there.
        lifecycle: Lifecycle,
        /// Who owned it then.
        owner_id: Option<OperatorId>,
        /// The owner's team.
        team_id: Option<TeamId>,
        /// When it came there.
        entered_at: Instant,
        /// When it left.
        left_at: Option<Instant>,
        /// How long it stood there, in whole seconds.
        seconds: Option<i64>,
        /// The event by which it came.
        entered_position: Position,
        /// The event by which it left.
        left_position: Option<Position>,
    }
}

record! {
    /// Who owns a clue now, for the interval that it enters next.
    FactClueRow in FACT_CLUE_STAGE_CLUE = "fact_clue_stage_clue",
    key (clue_id: ClueId), group customer_id: CustomerId {
        /// Which clue.
        clue_id: ClueId,
        /// Whose.
        customer_id: CustomerId,
        /// Who owns it.
        owner_id: Option<OperatorId>,
        /// The owner's team.
        team_id: Option<TeamId>,
    }
}

record! {
    /// What standing in a stage means, by version of the line's graph.
    FactGraphRow in FACT_CLUE_STAGE_GRAPH = "fact_clue_stage_graph",
    key (line: LineKey, graph_version: u32, stage: StageKey), group line: LineKey {
        /// Of which line.
        line: LineKey,
        /// Which version.
        graph_version: u32,
        /// Which stage.
        stage: StageKey,
        /// What standing there means.
        category: StageCategory,
    }
}

/// The read model `fact_clue_stage`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FactClueStage;

impl FactClueStage {
    /// Its name.
    pub const NAME: &'static str = "fact_clue_stage";
}

impl Projector for FactClueStage {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> i64 {
        1
    }

    fn tables(&self) -> &'static [&'static TableDef] {
        &[FACT_CLUE_STAGE, FACT_CLUE_STAGE_CLUE, FACT_CLUE_STAGE_GRAPH]
    }

    fn key(&self, event: &RecordedEvent) -> Option<String> {
        match event.stream.aggregate_type() {
            "clue" => Some(subject_key(event)),
            "business_line" => Some(event.stream.id().to_owned()),
            _ => None,
        }
    }

    fn shared(&self, event: &RecordedEvent) -> bool {
        concerns_a_line(event)
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::<FactBatch>::default()
    }
}

#[derive(Default)]
struct FactBatch {
    intervals: Records<StageIntervalRow>,
    clues: Records<FactClueRow>,
    graphs: Records<FactGraphRow>,
}

/// Where a clue goes, and by what.
struct Entry<'a> {
    stage: &'a StageKey,
    category: StageCategory,
    graph_version: u32,
    lifecycle: Lifecycle,
    at: Instant,
}

impl Batch for FactBatch {
    fn want(&mut self, event: &Folding<'_>) {
        let (Event::Clue(fact), Some(customer)) = (event.event, event.customer()) else { return };
        if matters(fact) {
            self.intervals.want(&customer);
            self.clues.want(&customer);
        }
        if let (ClueEvent::StageMoved { .. }, Some(line)) = (fact, &event.recorded.metadata.line) {
            self.graphs.want(line);
        }
    }

    fn fold(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        match event.event {
            Event::Clue(fact) if matters(fact) => self.fold_clue(event, fact),
            Event::BusinessLine(BusinessLineEvent::StageGraphPublished { version, graph }) => {
                let line: LineKey = event
                    .recorded
                    .stream
                    .id()
                    .parse()
                    .map_err(|_| Poison("the stream's id is not a line's key"))?;
                for stage in &graph.stages {
                    self.graphs.put(FactGraphRow {
                        line: line.clone(),
                        graph_version: *version,
                        stage: stage.key.clone(),
                        category: stage.category,
                    });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn tables(&mut self) -> Vec<&mut dyn TableBatch> {
        vec![&mut self.intervals, &mut self.clues, &mut self.graphs]
    }
}

/// Whether the event moves the clue between stages or owners.
const fn matters(fact: &ClueEvent) -> bool {
    matches!(
        fact,
        ClueEvent::Captured { .. }
            | ClueEvent::Assigned { .. }
            | ClueEvent::Claimed { .. }
            | ClueEvent::Released { .. }
            | ClueEvent::Transferred { .. }
            | ClueEvent::StageMoved { .. }
            | ClueEvent::Lost { .. }
            | ClueEvent::Won { .. }
            | ClueEvent::Invalidated { .. }
            | ClueEvent::Reopened { .. }
    )
}

impl FactBatch {
    fn fold_clue(&mut self, event: &Folding<'_>, fact: &ClueEvent) -> Result<(), Poison> {
        let customer_id = event.known_customer()?;
        let clue_id = event.clue()?;
        if let ClueEvent::Captured { line, stage, graph_version, at, .. } = fact {
            self.clues.put(FactClueRow { clue_id, customer_id, owner_id: None, team_id: None });
            let (category, lifecycle) = (StageCategory::Open, Lifecycle::Captured);
            let entry = Entry { stage, category, graph_version: *graph_version, lifecycle, at: *at };
            self.enter(event, customer_id, clue_id, line, &entry);
            return Ok(());
        }
        let clue = self.clues.get_mut(&customer_id, &(clue_id,));
        let clue = clue.ok_or(Poison("the clue was never captured"))?;
        match fact {
            ClueEvent::Assigned { operator_id, team_id, .. }
            | ClueEvent::Claimed { operator_id, team_id, .. } => {
                clue.owner_id = Some(*operator_id);
                clue.team_id = *team_id;
            }
            ClueEvent::Transferred { to, team_id, .. } => {
                clue.owner_id = Some(*to);
                clue.team_id = *team_id;
            }
            ClueEvent::Released { .. } => {
                clue.owner_id = None;
                clue.team_id = None;
            }
            ClueEvent::Invalidated { .. } => drop(self.leave(event, customer_id, clue_id)?),
            ClueEvent::Reopened { stage, graph_version } => {
                clue.owner_id = None;
                clue.team_id = None;
                let category = StageCategory::Open;
                self.go(
                    event,
                    customer_id,
                    clue_id,
                    stage,
                    category,
                    Some(*graph_version),
                    Lifecycle::Pooled,
                )?;
            }
            ClueEvent::StageMoved { to, graph_version, .. } => {
                let category = self.category(event, to, *graph_version)?;
                self.go(event, customer_id, clue_id, to, category, Some(*graph_version), Lifecycle::Owned)?;
            }
            ClueEvent::Won { stage, .. } => {
                self.go(event, customer_id, clue_id, stage, StageCategory::Won, None, Lifecycle::Won)?;
            }
            ClueEvent::Lost { stage, .. } => {
                self.go(event, customer_id, clue_id, stage, StageCategory::Lost, None, Lifecycle::Lost)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn category(
        &self,
        event: &Folding<'_>,
        stage: &StageKey,
        graph_version: u32,
    ) -> Result<StageCategory, Poison> {
        let line = event.recorded.metadata.line.clone().ok_or(Poison("the envelope names no line"))?;
        let key = (line.clone(), graph_version, stage.clone());
        let row = self.graphs.get(&line, &key).ok_or(Poison("the stage graph was never published"))?;
        Ok(row.category)
    }

    /// Leaves the stage and enters another.
    #[allow(clippy::too_many_arguments)]
    fn go(
        &mut self,
        event: &Folding<'_>,
        customer_id: CustomerId,
        clue_id: ClueId,
        stage: &StageKey,
        category: StageCategory,
        graph_version: Option<u32>,
        lifecycle: Lifecycle,
    ) -> Result<(), Poison> {
        let (line, version) = self.leave(event, customer_id, clue_id)?;
        // Won and lost carry no version: they are stages of the graph by which the clue came here.
        let graph_version = graph_version.unwrap_or(version);
        let entry = Entry { stage, category, graph_version, lifecycle, at: event.at() };
        self.enter(event, customer_id, clue_id, &line, &entry);
        Ok(())
    }

    /// Closes the open interval; the line and graph version of the last one.
    fn leave(
        &mut self,
        event: &Folding<'_>,
        customer_id: CustomerId,
        clue_id: ClueId,
    ) -> Result<(LineKey, u32), Poison> {
        let last = self.last(customer_id, clue_id);
        let row = self.intervals.get_mut(&customer_id, &(clue_id, last));
        let row = row.ok_or(Poison("the clue never stood in a stage"))?;
        if row.left_at.is_none() {
            let left = event.at();
            row.left_at = Some(left);
            // A fact that is recorded late may be older than the entry: such a stay lasted no time.
            row.seconds = Some((left.micros_since(row.entered_at) / 1_000_000).max(0));
            row.left_position = Some(event.position());
        }
        Ok((row.line.clone(), row.graph_version))
    }

    fn last(&self, customer_id: CustomerId, clue_id: ClueId) -> i64 {
        let rows = self.intervals.of(&customer_id).filter(|row| row.clue_id == clue_id);
        rows.map(|row| row.interval_number).max().unwrap_or(0)
    }

    fn enter(
        &mut self,
        event: &Folding<'_>,
        customer_id: CustomerId,
        clue_id: ClueId,
        line: &LineKey,
        entry: &Entry<'_>,
    ) {
        let clue = self.clues.get(&customer_id, &(clue_id,));
        let (owner_id, team_id) = clue.map_or((None, None), |clue| (clue.owner_id, clue.team_id));
        let interval_number = self.last(customer_id, clue_id) + 1;
        self.intervals.put(StageIntervalRow {
            clue_id,
            interval_number,
            customer_id,
            line: line.clone(),
            stage: entry.stage.clone(),
            category: entry.category,
            graph_version: entry.graph_version,
            lifecycle: entry.lifecycle,
            owner_id,
            team_id,
            entered_at: entry.at,
            left_at: None,
            seconds: None,
            entered_position: event.position(),
            left_position: None,
        });
    }
}
