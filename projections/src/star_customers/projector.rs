//! Folds signals into scores.

use async_trait::async_trait;
use domain::Event;
use domain::business_line::{BusinessLineEvent, Policy, Signal};
use domain::clue::{ClueEvent, FollowUpOutcome};
use domain::customer::CustomerEvent;
use domain::envelope::RecordedEvent;
use domain::ids::CustomerId;
use domain::values::LineKey;

use super::policy;
use super::rows::*;
use super::score::Score;
use crate::runner::{Batch, Folding, Poison, Projector, concerns_a_line, subject_key};
use crate::sql::{Records, SqlError, Suffix, TableBatch, TableDef, Tx};

/// The read model `star_customers`.
#[derive(Clone, Copy, Debug, Default)]
pub struct StarCustomers;

impl StarCustomers {
    /// Its name.
    pub const NAME: &'static str = "star_customers";
}

#[async_trait]
impl Projector for StarCustomers {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> i64 {
        1
    }

    fn tables(&self) -> &'static [&'static TableDef] {
        &[STAR_CUSTOMERS, STAR_REASON, STAR_SIGNAL, STAR_POLICY]
    }

    fn key(&self, event: &RecordedEvent) -> Option<String> {
        match event.stream.aggregate_type() {
            "clue" | "customer" => Some(subject_key(event)),
            "business_line" => Some(event.stream.id().to_owned()),
            _ => None,
        }
    }

    fn shared(&self, event: &RecordedEvent) -> bool {
        concerns_a_line(event)
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::<StarBatch>::default()
    }

    /// A score policy touches every customer of its line.
    fn alone(&self, event: &Event) -> bool {
        matches!(
            event,
            Event::BusinessLine(BusinessLineEvent::PolicyPublished { policy: Policy::Score(_), .. })
        )
    }

    async fn apply_alone(&self, tx: &mut Tx, suffix: Suffix, event: &Folding<'_>) -> Result<(), SqlError> {
        if let Event::BusinessLine(BusinessLineEvent::PolicyPublished {
            version,
            policy: Policy::Score(policy),
        }) = event.event
            && let Ok(line) = event.recorded.stream.id().parse::<LineKey>()
        {
            policy::publish(tx, suffix, event, &line, *version, policy).await?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct StarBatch {
    scores: Records<ScoreRow>,
    reasons: Records<ReasonRow>,
    signals: Records<SignalRow>,
    policies: Records<PolicyRow>,
}

/// The signal that an event gives. Which talks reach the customer is judged without the line's
/// shortest duration, which belongs to another policy.
const fn signal(fact: &ClueEvent) -> Option<Signal> {
    match fact {
        ClueEvent::Captured { .. } => Some(Signal::ClueCaptured),
        ClueEvent::FollowUpLogged { follow_up } => match follow_up.outcome {
            FollowUpOutcome::Connected | FollowUpOutcome::Replied => Some(Signal::ContactMade),
            _ => None,
        },
        ClueEvent::NeedUpdated { .. } => Some(Signal::NeedStated),
        ClueEvent::ViewingBooked { .. } => Some(Signal::ViewingBooked),
        ClueEvent::ViewingCompleted { .. } => Some(Signal::ViewingCompleted),
        ClueEvent::ViewingNoShowed { .. } => Some(Signal::ViewingMissed),
        ClueEvent::Won { .. } => Some(Signal::DealWon),
        ClueEvent::Lost { .. } => Some(Signal::DealLost),
        _ => None,
    }
}

impl Batch for StarBatch {
    fn want(&mut self, event: &Folding<'_>) {
        let Some(customer) = event.customer() else { return };
        match event.event {
            Event::Clue(fact) if signal(fact).is_some() => {
                self.scores.want(&customer);
                self.reasons.want(&customer);
                if let Some(line) = &event.recorded.metadata.line {
                    self.policies.want(line);
                }
            }
            Event::Customer(
                CustomerEvent::StarGranted { .. }
                | CustomerEvent::StarExpired { .. }
                | CustomerEvent::StarRevoked { .. },
            ) => self.scores.want(&customer),
            Event::Customer(CustomerEvent::Erased { .. }) => {
                self.scores.want(&customer);
                self.reasons.want(&customer);
                self.signals.want(&customer);
            }
            _ => {}
        }
    }

    fn fold(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        match event.event {
            Event::Clue(fact) => match signal(fact) {
                Some(signal) => self.add(event, signal),
                None => Ok(()),
            },
            Event::Customer(CustomerEvent::StarGranted { line, tier, .. }) => {
                self.set_tier(event, line, i64::from(u8::from(*tier)))
            }
            Event::Customer(CustomerEvent::StarExpired { line } | CustomerEvent::StarRevoked { line }) => {
                self.set_tier(event, line, 0)
            }
            Event::Customer(CustomerEvent::Erased { .. }) => {
                let customer = event.known_customer()?;
                // Nobody can serve an erased person first: the profile goes altogether.
                self.scores.remove_where(&customer, |_| true);
                self.reasons.remove_where(&customer, |_| true);
                self.signals.remove_where(&customer, |_| true);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn tables(&mut self) -> Vec<&mut dyn TableBatch> {
        vec![&mut self.scores, &mut self.reasons, &mut self.signals, &mut self.policies]
    }
}

impl StarBatch {
    fn score_row(&mut self, event: &Folding<'_>, customer_id: CustomerId, line: &LineKey) -> ScoreRow {
        let row = self.scores.get(&customer_id, &(customer_id, line.clone())).cloned();
        let none = ScoreRow {
            customer_id,
            line: line.clone(),
            score: 0,
            tier: 0,
            signals: 0,
            position: event.position(),
        };
        row.unwrap_or(none)
    }

    fn set_tier(&mut self, event: &Folding<'_>, line: &LineKey, tier: i64) -> Result<(), Poison> {
        let customer_id = event.known_customer()?;
        let mut row = self.score_row(event, customer_id, line);
        row.tier = tier;
        row.position = event.position();
        self.scores.put(row);
        Ok(())
    }

    fn add(&mut self, event: &Folding<'_>, signal: Signal) -> Result<(), Poison> {
        let customer_id = event.known_customer()?;
        let line = event.recorded.metadata.line.clone().ok_or(Poison("the envelope names no line"))?;
        let row = SignalRow {
            position: event.position(),
            customer_id,
            line: line.clone(),
            signal,
            at: event.at(),
            clue_id: Some(event.clue()?),
            event_id: event.recorded.metadata.event_id,
        };
        let mut score = self.score_row(event, customer_id, &line);
        score.signals += 1;
        score.position = event.position();
        if let Some(weight) = self.policies.get(&line, &(line.clone(), signal)) {
            let points = i32::try_from(weight.points).unwrap_or(0);
            if let Some((worth, reason)) = policy::reason(&row, points, weight.half_life_hours) {
                score.score = Score::from_key(score.score).plus(worth).key();
                self.add_reason(customer_id, &line, reason);
            }
        }
        self.scores.put(score);
        self.signals.put(row);
        Ok(())
    }

    fn add_reason(&mut self, customer_id: CustomerId, line: &LineKey, reason: ReasonRow) {
        let mut reasons: Vec<ReasonRow> =
            self.reasons.of(&customer_id).filter(|known| known.line == *line).cloned().collect();
        let weakest = reasons.iter().map(|known| known.weight).min().unwrap_or(i64::MIN);
        if reasons.len() >= policy::REASONS && reason.weight < weakest {
            return;
        }
        reasons.push(reason);
        for reason in policy::strongest(reasons) {
            self.reasons.put(reason);
        }
    }
}
