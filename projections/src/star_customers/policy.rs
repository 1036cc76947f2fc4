//! Scoring: one signal more, or everything again under a new policy.

use domain::business_line::{ScorePolicy, Signal};
use domain::ids::CustomerId;
use domain::values::LineKey;

use super::rows::*;
use super::score::Score;
use crate::runner::Folding;
use crate::sql::{Record, SqlError, Suffix, Tx, Value};

/// How many reasons are kept.
pub(super) const REASONS: usize = 3;
/// Customers scored at a time under a new policy.
const CUSTOMERS: i64 = 500;

/// The reason that a signal is, under a policy; `None` when it has no points.
pub(super) fn reason(row: &SignalRow, points: i32, half_life_hours: u32) -> Option<(Score, ReasonRow)> {
    let score = Score::of(points, row.at, half_life_hours);
    if score == Score::ZERO {
        return None;
    }
    let reason = ReasonRow {
        customer_id: row.customer_id,
        line: row.line.clone(),
        rank: 0,
        signal: row.signal,
        points: i64::from(points),
        weight: score.size().key(),
        at: row.at,
        clue_id: row.clue_id,
        event_id: row.event_id,
        position: row.position,
    };
    Some((score, reason))
}

/// The strongest of these, in order; of equals the later.
pub(super) fn strongest(mut reasons: Vec<ReasonRow>) -> Vec<ReasonRow> {
    reasons.sort_by_key(|reason| std::cmp::Reverse((reason.weight, reason.position)));
    reasons.truncate(REASONS);
    for (rank, reason) in (1..).zip(&mut reasons) {
        reason.rank = rank;
    }
    reasons
}

/// The rows of a line's policy.
pub(super) fn rows(line: &LineKey, version: u32, policy: &ScorePolicy) -> Vec<PolicyRow> {
    let row = |signal: Signal, points: i32| PolicyRow {
        line: line.clone(),
        signal,
        points: i64::from(points),
        half_life_hours: policy.half_life_hours,
        version,
    };
    policy.weights.iter().map(|weight| row(weight.signal, weight.points)).collect()
}

fn points(policy: &ScorePolicy, signal: Signal) -> i32 {
    policy.weights.iter().find(|weight| weight.signal == signal).map_or(0, |weight| weight.points)
}

/// Publishes a policy: scores every customer of the line again, a few hundred at a time, all in the
/// caller's transaction, so that no query ever sees two policies in one order.
pub(super) async fn publish(
    tx: &mut Tx,
    suffix: Suffix,
    event: &Folding<'_>,
    line: &LineKey,
    version: u32,
    policy: &ScorePolicy,
) -> Result<(), SqlError> {
    let delete = format!("DELETE FROM {} WHERE line = $1", STAR_POLICY.named(suffix));
    tx.execute(&delete, &[line.as_str().into()]).await?;
    let rows = rows(line, version, policy).iter().map(Record::to_values).collect();
    STAR_POLICY.upsert(tx, suffix, rows).await?;

    let reasons = format!("DELETE FROM {} WHERE line = $1", STAR_REASON.named(suffix));
    tx.execute(&reasons, &[line.as_str().into()]).await?;
    // The line is an expression here so that the primary key gives the order.
    let next = format!(
        "SELECT customer_id FROM {} WHERE (line || '') = $1 AND customer_id > $2 ORDER BY customer_id LIMIT {CUSTOMERS}",
        STAR_CUSTOMERS.named(suffix)
    );
    let mut after = String::new();
    loop {
        let found = tx.fetch(&next, &[line.as_str().into(), after.as_str().into()]).await?;
        let ids: Vec<CustomerId> = found.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
        let Some(last) = ids.last() else { return Ok(()) };
        after = last.to_string();
        score_again(tx, suffix, event, line, policy, &ids).await?;
    }
}

async fn score_again(
    tx: &mut Tx,
    suffix: Suffix,
    event: &Folding<'_>,
    line: &LineKey,
    policy: &ScorePolicy,
    ids: &[CustomerId],
) -> Result<(), SqlError> {
    let params = [line.as_str().into(), Value::texts(ids)];
    let of = |table: &crate::sql::TableDef, order: &str| {
        format!(
            "SELECT {} FROM {} WHERE line = $1 AND customer_id = ANY($2){order}",
            table.column_list(),
            table.named(suffix)
        )
    };
    let scores = tx.fetch(&of(STAR_CUSTOMERS, ""), &params).await?;
    let signals = tx.fetch(&of(STAR_SIGNAL, " ORDER BY customer_id, position"), &params).await?;
    let signals: Vec<SignalRow> = signals.iter().map(SignalRow::from_row).collect::<Result<_, _>>()?;
    let (mut scored, mut kept) = (Vec::new(), Vec::new());
    for row in &scores {
        let mut row = ScoreRow::from_row(row)?;
        let first = signals.partition_point(|signal| signal.customer_id < row.customer_id);
        let own = signals[first..].iter().take_while(|signal| signal.customer_id == row.customer_id);
        let mut sum = Score::ZERO;
        let mut reasons = Vec::new();
        for signal in own {
            if let Some((score, reason)) =
                reason(signal, points(policy, signal.signal), policy.half_life_hours)
            {
                sum = sum.plus(score);
                reasons.push(reason);
            }
        }
        row.score = sum.key();
        row.position = event.position();
        scored.push(row.to_values());
        kept.extend(strongest(reasons).iter().map(Record::to_values));
    }
    STAR_CUSTOMERS.upsert(tx, suffix, scored).await?;
    STAR_REASON.upsert(tx, suffix, kept).await
}
