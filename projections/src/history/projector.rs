//! Folds the past: each state is a row that the event behind it ends.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Event;
use domain::business_line::{BusinessLineEvent, StageCategory};
use domain::clue::ClueEvent;
use domain::customer::CustomerEvent;
use domain::envelope::{Position, RecordedEvent};
use domain::ids::{ClueId, ContactPointId, CustomerId};
use domain::personal::Personal;
use domain::ports::BlindIndex;
use domain::values::{ContactKind, LineKey, StageKey};

use super::clue::{attempt_states, clue_states};
use super::customer::{END_WITH_ERASURE, customer_states};
use super::era::LASTS;
use super::rows::*;
use super::value::{Stating, ValueKind};
use crate::clue_list::{captured_row, fold_row, text};
use crate::read::phone_hashes;
use crate::runner::{Batch, Folding, Poison, Projector, subject_key};
use crate::sql::{Record as _, Records, SqlError, Suffix, TableBatch, TableDef, Tx, Value};

/// The read model `history`.
#[derive(Clone)]
pub struct History {
    index: Arc<dyn BlindIndex>,
}

impl History {
    /// Its name.
    pub const NAME: &'static str = "history";

    /// With the keyed hashes by which phones are found.
    #[must_use]
    pub fn new(index: Arc<dyn BlindIndex>) -> Self {
        Self { index }
    }
}

#[async_trait]
impl Projector for History {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> i64 {
        1
    }

    fn tables(&self) -> &'static [&'static TableDef] {
        &[CLUE_PAST, PAST_VALUE, PAST_GRAM, PAST_PHONE, PAST_GRAPH, PAST_EVENT]
    }

    fn reads_personal(&self) -> bool {
        true
    }

    /// Every event has an envelope, and may be the cause of another.
    fn key(&self, event: &RecordedEvent) -> Option<String> {
        Some(match event.stream.aggregate_type() {
            "clue" | "clue_attempts" | "customer" => subject_key(event),
            _ => event.stream.to_string(),
        })
    }

    /// States of a retired copy go on to an erasure only by the events between.
    async fn forget(&self, tx: &mut Tx, copy: Suffix, people: &Value) -> Result<bool, SqlError> {
        let kinds = Value::texts(ValueKind::PERSONAL.map(ValueKind::word));
        let named = |table: &TableDef| table.named(copy);
        let clues = format!(
            "UPDATE {} SET customer_name = NULL, name_folded = NULL WHERE customer_id = ANY($1)",
            named(CLUE_PAST)
        );
        tx.execute(&clues, std::slice::from_ref(people)).await?;
        let values = format!(
            "UPDATE {} SET personal = NULL, redacted = 1 WHERE customer_id = ANY($1) AND kind = ANY($2)",
            named(PAST_VALUE)
        );
        tx.execute(&values, &[people.clone(), kinds]).await?;
        for table in [PAST_GRAM, PAST_PHONE] {
            let sql = format!("DELETE FROM {} WHERE customer_id = ANY($1)", named(table));
            tx.execute(&sql, std::slice::from_ref(people)).await?;
        }
        Ok(true)
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::new(HistoryBatch {
            index: Arc::clone(&self.index),
            clues: Records::default(),
            values: Records::default(),
            grams: Records::default(),
            phones: Records::default(),
            graphs: Records::default(),
            events: Records::default(),
        })
    }
}

struct HistoryBatch {
    index: Arc<dyn BlindIndex>,
    clues: Records<CluePast>,
    values: Records<PastValueRow>,
    grams: Records<PastGramRow>,
    phones: Records<PastPhoneRow>,
    graphs: Records<PastGraphRow>,
    events: Records<PastEventRow>,
}

impl Batch for HistoryBatch {
    fn want(&mut self, event: &Folding<'_>) {
        let Some(customer) = event.customer() else { return };
        match event.event {
            Event::Clue(fact) => {
                self.clues.want(&customer);
                if matches!(fact, ClueEvent::Captured { .. }) || !clue_states(fact).is_empty() {
                    self.values.want(&customer);
                }
                if let (ClueEvent::StageMoved { .. }, Some(line)) = (fact, &event.recorded.metadata.line) {
                    self.graphs.want(line);
                }
            }
            Event::ClueAttempts(_) => self.values.want(&customer),
            Event::Customer(CustomerEvent::Erased { .. }) => {
                self.clues.want_whole(&customer);
                self.values.want_whole(&customer);
                self.grams.want_whole(&customer);
                self.phones.want_whole(&customer);
            }
            Event::Customer(fact) => {
                self.values.want(&customer);
                self.want_customer(&customer, fact);
            }
            _ => {}
        }
    }

    fn fold(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        self.events.put(envelope(event.recorded));
        match event.event {
            Event::Clue(ClueEvent::Captured { .. }) => self.capture(event),
            Event::Clue(fact) => self.fold_clue(event, fact),
            Event::ClueAttempts(fact) => {
                let (customer, clue) = (event.known_customer()?, event.clue()?);
                self.state(&clue.to_string(), customer, event.position(), attempt_states(fact));
                Ok(())
            }
            Event::Customer(fact) => self.fold_customer(event, fact),
            Event::BusinessLine(BusinessLineEvent::StageGraphPublished { version, graph }) => {
                let line = event.recorded.stream.id().parse::<LineKey>();
                let line = line.map_err(|_| Poison("the stream's id is not a line's key"))?;
                for stage in &graph.stages {
                    let (line, graph_version) = (line.clone(), *version);
                    let (stage, category) = (stage.key.clone(), stage.category);
                    self.graphs.put(PastGraphRow { line, graph_version, stage, category });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn tables(&mut self) -> Vec<&mut dyn TableBatch> {
        vec![
            &mut self.clues,
            &mut self.values,
            &mut self.grams,
            &mut self.phones,
            &mut self.graphs,
            &mut self.events,
        ]
    }
}

fn envelope(event: &RecordedEvent) -> PastEventRow {
    let metadata = &event.metadata;
    PastEventRow {
        position: event.position,
        event_id: metadata.event_id,
        subject_id: event.stream.id().to_owned(),
        kind: event.event_type.to_string(),
        recorded_at: event.recorded_at,
        occurred_at: metadata.occurred_at,
        actor: metadata.actor.clone(),
        on_behalf_of: metadata.on_behalf_of,
        line: metadata.line.clone(),
        command_id: metadata.command_id,
        correlation_id: metadata.correlation_id,
        causation_id: metadata.causation_id,
        reason: metadata.reason.clone(),
        policy_version: metadata.policy_version,
    }
}

/// Ends a row; one that began with this very event never was.
fn end<R: Dated>(rows: &mut Records<R>, row: &R, began: Position, at: Position) {
    let (group, key) = (row.group(), row.key());
    if began == at {
        rows.remove(&group, &key);
    } else if let Some(row) = rows.get_mut(&group, &key) {
        *row.until() = at;
    }
}

impl HistoryBatch {
    fn want_customer(&mut self, customer: &CustomerId, fact: &CustomerEvent) {
        match fact {
            CustomerEvent::Registered { .. } | CustomerEvent::Renamed { .. } => {
                self.clues.want(customer);
                self.grams.want(customer);
            }
            CustomerEvent::ContactPointAdded { .. } | CustomerEvent::ContactPointRemoved { .. } => {
                self.phones.want(customer);
            }
            CustomerEvent::StarGranted { .. }
            | CustomerEvent::StarExpired { .. }
            | CustomerEvent::StarRevoked { .. } => self.clues.want(customer),
            _ => {}
        }
    }

    /// The present state of a clue.
    fn present(&self, customer: CustomerId, clue: ClueId) -> Option<&CluePast> {
        self.clues.last_between(&customer, (clue, Position::ZERO)..=(clue, LASTS))
    }

    /// Ends the present state of a clue with an event; the next begins there.
    fn advance(&mut self, mut next: CluePast, at: Position) {
        let (customer, key) = (next.clue.customer_id, next.key());
        if next.clue.position < at
            && let Some(before) = self.clues.get_mut(&customer, &key)
        {
            before.until = at;
        }
        next.clue.position = at;
        self.clues.put(next);
    }

    fn value(&self, customer: CustomerId, subject: &str, field: &str) -> Option<&PastValueRow> {
        let key = |at| (subject.to_owned(), field.to_owned(), at);
        let last = self.values.last_between(&customer, key(Position::ZERO)..=key(LASTS));
        last.filter(|row| row.lasts())
    }

    /// Puts what an event states in the place of what was.
    fn state(&mut self, subject: &str, customer: CustomerId, at: Position, states: Stating) {
        for (field, stated) in states {
            let known = self.value(customer, subject, &field).cloned();
            if let (Some(known), Some(stated)) = (&known, &stated)
                && stated.is(known)
            {
                continue;
            }
            if let Some(known) = known {
                end(&mut self.values, &known, known.position, at);
            }
            if let Some(stated) = stated {
                self.values.put(stated.row(subject, &field, at, customer));
            }
        }
    }

    fn capture(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        let mut clue = captured_row(event)?;
        let customer = clue.customer_id;
        if self.present(customer, clue.clue_id).is_some() {
            return Err(Poison("the clue was captured already"));
        }
        let subject = customer.to_string();
        let star = self.value(customer, &subject, &format!("stars.{}.tier", clue.line));
        clue.star = star.and_then(|row| row.text.as_ref()?.parse().ok()).unwrap_or(0);
        clue.customer_name = self.value(customer, &subject, "name").and_then(|row| row.personal.clone());
        clue.erased = self.value(customer, &subject, "erasedAt").is_some();
        let name_folded = clue.customer_name.as_deref().map(text::fold);
        self.clues.put(CluePast { clue, name_folded, until: LASTS });
        Ok(())
    }

    fn fold_clue(&mut self, event: &Folding<'_>, fact: &ClueEvent) -> Result<(), Poison> {
        let (customer, clue_id) = (event.known_customer()?, event.clue()?);
        let unknown = Poison("the clue was never captured");
        let mut next = self.present(customer, clue_id).cloned().ok_or(unknown)?;
        fold_row(&mut next.clue, fact, event.at());
        if let ClueEvent::StageMoved { to, graph_version, .. } = fact {
            next.clue.stage_category = self.category(event, to, *graph_version)?;
        }
        next.clue.updated_at = event.at();
        self.advance(next, event.position());
        self.state(&clue_id.to_string(), customer, event.position(), clue_states(fact));
        Ok(())
    }

    fn category(&self, event: &Folding<'_>, stage: &StageKey, version: u32) -> Result<StageCategory, Poison> {
        let line = event.recorded.metadata.line.clone().ok_or(Poison("the envelope names no line"))?;
        let stage = self.graphs.get(&line, &(line.clone(), version, stage.clone()));
        Ok(stage.ok_or(Poison("the stage graph was never published"))?.category)
    }

    fn fold_customer(&mut self, event: &Folding<'_>, fact: &CustomerEvent) -> Result<(), Poison> {
        let (customer, at) = (event.known_customer()?, event.position());
        let subject = customer.to_string();
        let known = self.value(customer, &subject, "registeredAt").is_some();
        if !known && !matches!(fact, CustomerEvent::Registered { .. }) {
            return Err(Poison("the customer was never registered"));
        }
        self.state(&subject, customer, at, customer_states(fact, event.at()));
        match fact {
            CustomerEvent::Registered { name, .. } => {
                self.rename(customer, at, name.as_ref().and_then(Personal::clear));
            }
            CustomerEvent::Renamed { name } => self.rename(customer, at, name.clear()),
            CustomerEvent::ContactPointAdded { contact_point_id, kind: ContactKind::Phone, value } => {
                if let Some(number) = value.clear() {
                    self.add_phone(customer, *contact_point_id, number, at);
                }
            }
            CustomerEvent::ContactPointRemoved { contact_point_id } => {
                let key = |at| (customer, *contact_point_id, at);
                let last = self.phones.last_between(&customer, key(Position::ZERO)..=key(LASTS)).cloned();
                if let Some(phone) = last.filter(|phone| phone.until_position == LASTS) {
                    end(&mut self.phones, &phone, phone.position, at);
                }
            }
            CustomerEvent::StarGranted { line, tier, .. } => {
                self.set_star(customer, line, i64::from(u8::from(*tier)), at);
            }
            CustomerEvent::StarExpired { line } | CustomerEvent::StarRevoked { line } => {
                self.set_star(customer, line, 0, at);
            }
            CustomerEvent::Erased { .. } => self.erase(customer, at),
            _ => {}
        }
        Ok(())
    }

    fn add_phone(&mut self, customer_id: CustomerId, contact: ContactPointId, number: &str, at: Position) {
        let [exact, last8, last4] = phone_hashes(self.index.as_ref(), number);
        self.phones.put(PastPhoneRow {
            customer_id,
            contact_point_id: contact,
            position: at,
            until_position: LASTS,
            exact,
            last8,
            last4,
        });
    }

    /// Every clue of the customer goes on under the new name.
    fn rename(&mut self, customer_id: CustomerId, at: Position, name: Option<&String>) {
        let folded = name.map(|name| text::fold(name));
        let grams = folded.as_deref().map(text::grams).unwrap_or_default();
        let lasting: Vec<PastGramRow> =
            self.grams.of(&customer_id).filter(|row| row.until_position == LASTS).cloned().collect();
        for row in lasting.iter().filter(|row| !grams.contains(&row.gram)) {
            end(&mut self.grams, row, row.position, at);
        }
        for gram in grams.into_iter().filter(|gram| !lasting.iter().any(|row| row.gram == *gram)) {
            self.grams.put(PastGramRow { customer_id, gram, position: at, until_position: LASTS });
        }
        for mut clue in self.lasting(customer_id) {
            clue.clue.customer_name = name.cloned();
            clue.name_folded.clone_from(&folded);
            self.advance(clue, at);
        }
    }

    fn set_star(&mut self, customer: CustomerId, line: &LineKey, tier: i64, at: Position) {
        for mut clue in self.lasting(customer).into_iter().filter(|clue| clue.clue.line == *line) {
            clue.clue.star = tier;
            self.advance(clue, at);
        }
    }

    /// The present states of a customer's clues.
    fn lasting(&self, customer: CustomerId) -> Vec<CluePast> {
        self.clues.of(&customer).filter(|clue| clue.until == LASTS).cloned().collect()
    }

    /// Takes what names or describes the person out of every state there was. The same rows are left
    /// as after a replay of events whose personal fields are redacted.
    fn erase(&mut self, customer: CustomerId, at: Position) {
        for clue in self.clues.of_mut(&customer) {
            clue.clue.customer_name = None;
            clue.clue.erased = true;
            clue.name_folded = None;
        }
        for clue in self.lasting(customer) {
            self.advance(clue, at);
        }
        for value in self.values.of_mut(&customer).filter(|value| value.kind.is_personal()) {
            value.personal = None;
            value.redacted = true;
        }
        let ending = |value: &&PastValueRow| {
            value.lasts() && END_WITH_ERASURE.iter().any(|group| value.field.starts_with(group))
        };
        let states: Stating =
            self.values.of(&customer).filter(ending).map(|value| (value.field.clone(), None)).collect();
        self.state(&customer.to_string(), customer, at, states);
        self.grams.remove_where(&customer, |_| true);
        self.phones.remove_where(&customer, |_| true);
    }
}
