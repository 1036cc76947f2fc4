//! Folds clues, and what the list shows of customers.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Event;
use domain::business_line::{BusinessLineEvent, FieldKind, FieldValue, StageCategory};
use domain::clue::ClueEvent;
use domain::customer::CustomerEvent;
use domain::envelope::{Position, RecordedEvent};
use domain::ids::{ClueId, CustomerId};
use domain::personal::Personal;
use domain::ports::BlindIndex;
use domain::values::{ContactKind, FieldKey, LineKey, StageKey};

use super::fold::{captured_row, field_row, fold_row};
use super::rows::*;
use super::text;
use crate::changes::ChangedClue;
use crate::read::phone_hashes;
use crate::runner::{Batch, Folding, Poison, Projector, concerns_a_line, subject_key};
use crate::sql::{Records, TableBatch, TableDef};

/// The read model `clue_list`.
#[derive(Clone)]
pub struct ClueList {
    index: Arc<dyn BlindIndex>,
}

impl ClueList {
    /// Its name.
    pub const NAME: &'static str = "clue_list";

    /// With the keyed hashes by which phones are found.
    #[must_use]
    pub fn new(index: Arc<dyn BlindIndex>) -> Self {
        Self { index }
    }
}

impl Projector for ClueList {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> i64 {
        2
    }

    fn tables(&self) -> &'static [&'static TableDef] {
        &[
            CLUE_LIST,
            CLUE_LIST_FIELD,
            CLUE_LIST_CUSTOMER,
            CLUE_LIST_STAR,
            CLUE_LIST_PHONE,
            CLUE_LIST_GRAM,
            CLUE_LIST_GRAPH,
            CLUE_LIST_DEPARTURE,
        ]
    }

    fn reads_personal(&self) -> bool {
        true
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
        Box::new(ClueBatch::new(Arc::clone(&self.index)))
    }
}

/// A clue that the batch touches.
#[derive(Clone, Copy)]
struct Touched {
    customer: CustomerId,
    /// Who held it before the batch.
    before: Held,
    /// By which event it left first.
    left: Option<Position>,
}

struct ClueBatch {
    index: Arc<dyn BlindIndex>,
    clues: Records<ClueRow>,
    fields: Records<FieldRow>,
    customers: Records<ListCustomerRow>,
    stars: Records<ListStarRow>,
    phones: Records<ListPhoneRow>,
    grams: Records<ListGramRow>,
    graphs: Records<ListGraphRow>,
    departures: Records<DepartureRow>,
    /// Of each clue that the batch touches, for watchers.
    touched: BTreeMap<ClueId, Touched>,
}

impl ClueBatch {
    fn new(index: Arc<dyn BlindIndex>) -> Self {
        Self {
            index,
            clues: Records::default(),
            fields: Records::default(),
            customers: Records::default(),
            stars: Records::default(),
            phones: Records::default(),
            grams: Records::default(),
            graphs: Records::default(),
            departures: Records::default(),
            touched: BTreeMap::new(),
        }
    }
}

impl Batch for ClueBatch {
    fn want(&mut self, event: &Folding<'_>) {
        if let Event::BusinessLine(_) = event.event {
            return;
        }
        let Some(customer) = event.customer() else { return };
        self.clues.want(&customer);
        match event.event {
            Event::Clue(ClueEvent::Captured { .. }) => {
                self.customers.want(&customer);
                self.stars.want(&customer);
            }
            Event::Clue(ClueEvent::StageMoved { .. }) => {
                if let Some(line) = &event.recorded.metadata.line {
                    self.graphs.want(line);
                }
            }
            Event::Clue(ClueEvent::FieldsSet { .. }) => self.fields.want(&customer),
            Event::Customer(fact) => self.want_customer(&customer, fact),
            _ => {}
        }
    }

    fn fold(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        match event.event {
            Event::Clue(ClueEvent::Captured { .. }) => self.capture(event),
            Event::Clue(fact) => self.fold_clue(event, fact),
            Event::Customer(fact) => self.fold_customer(event, fact),
            Event::BusinessLine(BusinessLineEvent::StageGraphPublished { version, graph }) => {
                let line: LineKey = event
                    .recorded
                    .stream
                    .id()
                    .parse()
                    .map_err(|_| Poison("the stream's id is not a line's key"))?;
                for stage in &graph.stages {
                    self.graphs.put(ListGraphRow {
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
        vec![
            &mut self.clues,
            &mut self.fields,
            &mut self.customers,
            &mut self.stars,
            &mut self.phones,
            &mut self.grams,
            &mut self.graphs,
            &mut self.departures,
        ]
    }

    fn changes(&self) -> Vec<ChangedClue> {
        let changed = |(clue_id, touched): (&ClueId, &Touched)| {
            let row = self.clues.get(&touched.customer, &(*clue_id,))?;
            let (before, now) = (touched.before, Held::of(row));
            Some(ChangedClue {
                clue_id: *clue_id,
                position: row.position,
                left: touched.left,
                line: row.line.clone(),
                owners: [now.owner, before.owner],
                teams: [now.team, before.team],
                pooled: before.pooled || now.pooled,
            })
        };
        self.touched.iter().filter_map(changed).collect()
    }
}

impl ClueBatch {
    fn want_customer(&mut self, customer: &CustomerId, fact: &CustomerEvent) {
        match fact {
            CustomerEvent::Registered { .. } | CustomerEvent::Renamed { .. } => {
                self.customers.want(customer);
                self.grams.want(customer);
            }
            CustomerEvent::ContactPointAdded { .. } | CustomerEvent::ContactPointRemoved { .. } => {
                self.phones.want(customer);
            }
            CustomerEvent::StarGranted { .. }
            | CustomerEvent::StarExpired { .. }
            | CustomerEvent::StarRevoked { .. } => self.stars.want(customer),
            CustomerEvent::Erased { .. } => {
                self.customers.want(customer);
                self.grams.want(customer);
                self.phones.want(customer);
                self.fields.want(customer);
            }
            _ => {}
        }
    }

    fn capture(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        let mut row = captured_row(event)?;
        let (clue_id, customer) = (row.clue_id, row.customer_id);
        if self.clues.get(&customer, &(clue_id,)).is_some() {
            return Err(Poison("the clue was captured already"));
        }
        let known = self.customers.get(&customer, &(customer,));
        row.customer_name = known.and_then(|known| known.name.clone());
        row.erased = known.is_some_and(|known| known.erased);
        let star = self.stars.get(&customer, &(customer, row.line.clone()));
        row.star = star.map_or(0, |star| star.tier);
        touch(&mut self.touched, &row, Held::default());
        self.clues.put(row);
        Ok(())
    }

    fn fold_clue(&mut self, event: &Folding<'_>, fact: &ClueEvent) -> Result<(), Poison> {
        let customer = event.known_customer()?;
        let clue_id = event.clue()?;
        if let ClueEvent::FieldsSet { values } = fact {
            self.fold_fields(customer, clue_id, values);
        }
        let category = match fact {
            ClueEvent::StageMoved { to, graph_version, .. } => {
                Some(self.category(event, to, *graph_version)?)
            }
            _ => None,
        };
        let row = self.clues.get_mut(&customer, &(clue_id,)).ok_or(Poison("the clue was never captured"))?;
        let before = Held::of(row);
        fold_row(row, fact, event.at());
        if let Some(category) = category {
            row.stage_category = category;
        }
        row.updated_at = event.at();
        row.position = event.position();
        let departure = DepartureRow::between(&before, row, event.position());
        let touched = touch(&mut self.touched, row, before);
        if let Some(departure) = departure {
            touched.left.get_or_insert(departure.position);
            self.departures.put(departure);
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
        let stage = self.graphs.get(&line, &key).ok_or(Poison("the stage graph was never published"))?;
        Ok(stage.category)
    }

    fn fold_fields(
        &mut self,
        customer_id: CustomerId,
        clue_id: ClueId,
        values: &BTreeMap<FieldKey, Option<FieldValue>>,
    ) {
        for (field, value) in values {
            match value {
                Some(value) => self.fields.put(field_row(customer_id, clue_id, field.clone(), value)),
                None => drop(self.fields.remove(&customer_id, &(clue_id, field.clone()))),
            }
        }
    }

    fn fold_customer(&mut self, event: &Folding<'_>, fact: &CustomerEvent) -> Result<(), Poison> {
        let customer_id = event.known_customer()?;
        match fact {
            CustomerEvent::Registered { name, .. } => {
                self.rename(event, customer_id, name.as_ref().and_then(Personal::clear), false);
            }
            CustomerEvent::Renamed { name } => self.rename(event, customer_id, name.clear(), false),
            CustomerEvent::ContactPointAdded { contact_point_id, kind: ContactKind::Phone, value } => {
                if let Some(value) = value.clear() {
                    let [exact, last8, last4] = phone_hashes(self.index.as_ref(), value);
                    let contact_point_id = *contact_point_id;
                    self.phones.put(ListPhoneRow { customer_id, contact_point_id, exact, last8, last4 });
                }
            }
            CustomerEvent::ContactPointRemoved { contact_point_id } => {
                self.phones.remove(&customer_id, &(customer_id, *contact_point_id));
            }
            CustomerEvent::StarGranted { line, tier, .. } => {
                self.set_star(event, customer_id, line, i64::from(u8::from(*tier)));
            }
            CustomerEvent::StarExpired { line } | CustomerEvent::StarRevoked { line } => {
                self.set_star(event, customer_id, line, 0);
            }
            CustomerEvent::Erased { .. } => {
                self.rename(event, customer_id, None, true);
                self.phones.remove_where(&customer_id, |_| true);
                for field in self.fields.of_mut(&customer_id).filter(|field| field.kind == FieldKind::Text) {
                    field.free_text = None;
                    field.redacted = true;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn rename(&mut self, event: &Folding<'_>, customer_id: CustomerId, name: Option<&String>, erased: bool) {
        let folded = name.map(|name| text::fold(name));
        let grams = folded.as_deref().map(text::grams).unwrap_or_default();
        self.grams.remove_where(&customer_id, |row| !grams.contains(&row.gram));
        for gram in grams {
            if self.grams.get(&customer_id, &(customer_id, gram.clone())).is_none() {
                self.grams.put(ListGramRow { customer_id, gram });
            }
        }
        let name = name.cloned();
        self.customers.put(ListCustomerRow { customer_id, name: name.clone(), name_folded: folded, erased });
        for row in self.clues.of_mut(&customer_id) {
            touch(&mut self.touched, row, Held::of(row));
            row.customer_name.clone_from(&name);
            row.erased = erased;
            row.position = event.position();
        }
    }

    fn set_star(&mut self, event: &Folding<'_>, customer_id: CustomerId, line: &LineKey, tier: i64) {
        if tier == 0 {
            self.stars.remove(&customer_id, &(customer_id, line.clone()));
        } else {
            self.stars.put(ListStarRow { customer_id, line: line.clone(), tier });
        }
        let touched = self.clues.of(&customer_id).filter(|row| row.line == *line);
        let touched: Vec<ClueId> = touched.map(|row| row.clue_id).collect();
        for clue_id in touched {
            if let Some(row) = self.clues.get_mut(&customer_id, &(clue_id,)) {
                touch(&mut self.touched, row, Held::of(row));
                row.star = tier;
                row.position = event.position();
            }
        }
    }
}

/// Notes that the batch touches a clue, which was held so before.
fn touch<'a>(touched: &'a mut BTreeMap<ClueId, Touched>, row: &ClueRow, before: Held) -> &'a mut Touched {
    touched.entry(row.clue_id).or_insert(Touched { customer: row.customer_id, before, left: None })
}
