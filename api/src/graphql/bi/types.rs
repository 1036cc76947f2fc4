//! Facts as GraphQL objects.

use domain::ids::{ClueId, CustomerId, OperatorId, TeamId};
use domain::values::{LineKey, StageKey};
use projections::fact_clue_stage::{StageIntervalRow, StageSummary};

use crate::graphql::connection::Node;
use crate::graphql::enums::{Lifecycle, StageCategory};
use crate::graphql::scalars::{Id, Instant, Long, Position, Text};
use crate::plain_object;

plain_object! {
    /// An interval that a clue stood in a stage.
    StageIntervalNode as "StageInterval" {
        /// Which clue.
        clue_id "clueId": Id<ClueId>,
        /// Which of its intervals, from 1.
        interval_number "intervalNumber": i32,
        /// Whose clue; a pseudonym.
        customer_id "customerId": Id<CustomerId>,
        /// Its line.
        line "line": Text<LineKey>,
        /// The stage.
        stage "stage": Text<StageKey>,
        /// What standing there means.
        stage_category "stageCategory": StageCategory,
        /// Version of the stage graph by which it came there.
        graph_version "graphVersion": i32,
        /// Where it was in its life when it came there.
        lifecycle "lifecycle": Lifecycle,
        /// Who owned it then.
        owner_id "ownerId": Option<Id<OperatorId>>,
        /// The owner's team.
        team_id "teamId": Option<Id<TeamId>>,
        /// When it came there.
        entered_at "enteredAt": Instant,
        /// When it left; null while it stands there.
        left_at "leftAt": Option<Instant>,
        /// How long it stood there.
        seconds "seconds": Option<Long>,
        /// Place in the log of the event by which it came.
        entered_position "enteredPosition": Position,
        /// Place in the log of the event by which it left.
        left_position "leftPosition": Option<Position>,
    }
}

plain_object! {
    /// What became of the clues that entered a stage in a span of time.
    StageSummaryNode as "StageSummary" {
        /// The stage.
        stage "stage": Text<StageKey>,
        /// What standing there means.
        stage_category "stageCategory": StageCategory,
        /// How often clues entered it.
        entered "entered": Long,
        /// How many of these stays are over.
        left "left": Long,
        /// How long those lasted together.
        seconds "seconds": Long,
    }
}

impl Node for StageIntervalNode {
    const CONNECTION: &'static str = "StageIntervalConnection";
    const EDGE: &'static str = "StageIntervalEdge";
}

impl From<StageIntervalRow> for StageIntervalNode {
    fn from(row: StageIntervalRow) -> Self {
        Self {
            clue_id: Id(row.clue_id),
            interval_number: i32::try_from(row.interval_number).unwrap_or(i32::MAX),
            customer_id: Id(row.customer_id),
            line: Text(row.line),
            stage: Text(row.stage),
            stage_category: row.category.into(),
            graph_version: i32::try_from(row.graph_version).unwrap_or(i32::MAX),
            lifecycle: row.lifecycle.into(),
            owner_id: row.owner_id.map(Id),
            team_id: row.team_id.map(Id),
            entered_at: Instant(row.entered_at),
            left_at: row.left_at.map(Instant),
            seconds: row.seconds.map(Long),
            entered_position: Position(row.entered_position),
            left_position: row.left_position.map(Position),
        }
    }
}

impl From<StageSummary> for StageSummaryNode {
    fn from(summary: StageSummary) -> Self {
        Self {
            stage: Text(summary.stage),
            stage_category: summary.category.into(),
            entered: Long(summary.entered),
            left: Long(summary.left),
            seconds: Long(summary.seconds),
        }
    }
}
