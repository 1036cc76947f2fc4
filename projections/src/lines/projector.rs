//! Folds business lines.

use domain::Aggregate as _;
use domain::Event;
use domain::business_line::{BusinessLine, BusinessLineEvent};
use domain::envelope::{Position, RecordedEvent};
use domain::values::LineKey;

use crate::runner::{Batch, Folding, Poison, Projector};
use crate::sql::{Records, TableBatch, TableDef, record};

record! {
    /// A business line.
    LineRow in LINES = "lines", key (line: LineKey), group line: LineKey {
        /// Its identity for ever.
        line: LineKey,
        /// What people call it.
        name: Option<String>,
        /// Whose numbering plan reads its phone numbers.
        country: Option<String>,
        /// Where its local days begin.
        time_zone: Option<String>,
        /// The currency of its amounts.
        currency: Option<String>,
        /// Version of the stage graph in force.
        graph_version: u32,
        /// Whether it takes no new clues.
        suspended: bool,
        /// The folded aggregate.
        state: String,
        /// Position of the last event in it.
        position: Position,
    }
}

/// The read model `lines`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines;

impl Lines {
    /// Its name.
    pub const NAME: &'static str = "lines";
}

impl Projector for Lines {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> i64 {
        1
    }

    fn tables(&self) -> &'static [&'static TableDef] {
        &[LINES]
    }

    fn key(&self, event: &RecordedEvent) -> Option<String> {
        (event.stream.aggregate_type() == "business_line").then(|| event.stream.id().to_owned())
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::<LinesBatch>::default()
    }
}

#[derive(Default)]
struct LinesBatch {
    lines: Records<LineRow>,
}

fn line_of(event: &Folding<'_>) -> Result<LineKey, Poison> {
    event.recorded.stream.id().parse().map_err(|_| Poison("the stream's id is not a line's key"))
}

impl Batch for LinesBatch {
    fn want(&mut self, event: &Folding<'_>) {
        if let Ok(line) = line_of(event) {
            self.lines.want(&line);
        }
    }

    fn fold(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        let Event::BusinessLine(fact) = event.event else { return Ok(()) };
        let line = line_of(event)?;
        let key = (line.clone(),);
        let mut row = self.lines.get(&line, &key).cloned().unwrap_or_else(|| LineRow {
            line: line.clone(),
            name: None,
            country: None,
            time_zone: None,
            currency: None,
            graph_version: 0,
            suspended: false,
            state: String::new(),
            position: Position::ZERO,
        });
        let mut state = BusinessLine::default();
        if !row.state.is_empty() {
            state = serde_json::from_str(&row.state).map_err(|_| Poison("the stored line cannot be read"))?;
        }
        state.evolve(fact);
        match fact {
            BusinessLineEvent::Defined { country, time_zone, currency, .. } => {
                row.country = Some(country.as_str().to_owned());
                row.time_zone = Some(time_zone.as_str().to_owned());
                row.currency = Some(currency.to_string());
            }
            BusinessLineEvent::Suspended {} => row.suspended = true,
            BusinessLineEvent::Resumed {} => row.suspended = false,
            _ => {}
        }
        row.name = state.name().map(ToString::to_string);
        row.graph_version = state.graph_version();
        row.state = serde_json::to_string(&state).map_err(|_| Poison("the line cannot be stored"))?;
        row.position = event.position();
        self.lines.put(row);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn TableBatch> {
        vec![&mut self.lines]
    }
}
