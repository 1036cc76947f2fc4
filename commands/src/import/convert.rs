//! From a row to the capture of a clue.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use domain::Instant;
use domain::business_line::{FieldDefinition, FieldKind, FieldValue};
use domain::clue::{Need, Source};
use domain::personal::Personal;
use domain::values::{Code, Contact, FieldKey, Label, Money, OptionKey, SourceKey};

use super::map::{Amount, Column, Field, Names, Pick, RouteName};
use super::plan::Plan;
use super::record::Fault;
use super::values::{budget, date, flag, moment, money, slug};
use crate::service::Refused;
use crate::use_cases::clue::{CaptureClue, CapturedCustomer, Route};
use crate::use_cases::customer::ContactInput;

/// How far ahead of the log's clock a source's clock may be.
const CLOCK_SKEW: std::time::Duration = std::time::Duration::from_secs(300);

/// A row as a command.
#[derive(Debug)]
pub(super) struct Row {
    pub capture: CaptureClue,
    pub occurred_at: Option<Instant>,
    /// Hashes of the source key and of every contact. Rows that share one are done in the order of
    /// the file, so that an import that was interrupted ends where one that was not does.
    pub shared: Vec<u64>,
    /// The columns of its contacts, in order.
    contacts: Vec<usize>,
}

impl Plan {
    /// Makes a command of a row.
    pub fn convert(&self, cells: &[String], now: Instant) -> Result<Row, Fault> {
        let occurred_at = self.occurred_at(cells, now)?;
        let source = self.source(cells)?;
        let (inputs, contacts, mut shared) = self.contacts(cells)?;
        shared.push(hash(&(source.channel.as_str(), source.key.as_ref().map(SourceKey::as_str))));
        let name = self.map.customer.name.as_ref().and_then(|column| self.cell(cells, column));
        let capture = CaptureClue {
            line: self.line_key.clone(),
            source,
            customer: CapturedCustomer::Described { name: name.and_then(Personal::text), contacts: inputs },
            need: self.need(cells)?,
            fields: self.fields(cells)?,
            route: self.route(cells)?,
        };
        Ok(Row { capture, occurred_at, shared, contacts })
    }

    /// What is wrong with a row whose command was refused.
    pub fn blame(&self, row: &Row, refused: &Refused) -> Option<usize> {
        let map = &self.map;
        let (part, rest) =
            refused.field.as_deref()?.split_once('.').unwrap_or((refused.field.as_deref()?, ""));
        let column = match part {
            "fields" => FieldKey::new(rest).ok().and_then(|key| Some(&map.fields.get(&key)?.column)),
            "contacts" => return rest.parse().ok().and_then(|index: usize| row.contacts.get(index).copied()),
            "source" => Some(map.source.key.get_ref()),
            "name" => map.customer.name.as_ref(),
            "amount" => map.amount.as_ref().map(|amount| &amount.column),
            _ => None,
        };
        column.map(|column| self.place(column))
    }

    fn fault(&self, code: &'static str, column: &Column, reason: impl Into<String>) -> Fault {
        Fault { code, column: Some(self.place(column)), reason: reason.into().into() }
    }

    fn source(&self, cells: &[String]) -> Result<Source, Fault> {
        let source = &self.map.source;
        let column = source.key.get_ref();
        let key = self.cell(cells, column).ok_or_else(|| {
            self.fault("source_key_missing", column, "without the source's key a second run would repeat it")
        })?;
        let key = SourceKey::new(key)
            .map_err(|error| self.fault("source_key_invalid", column, error.to_string()))?;
        let channel = self.picked(cells, &source.channel, "channel", |text| Code::new(&slug(text)?).ok())?;
        // A channel that follows from nothing is the map's mistake, not the row's.
        let channel = channel.ok_or_else(|| {
            Fault::new("channel_missing", None, "the row has no channel and the map none for absent ones")
        })?;
        let campaign = match &source.campaign {
            Some(column) => self.label(cells, column)?,
            None => None,
        };
        Ok(Source { channel, key: Some(key), campaign })
    }

    fn label(&self, cells: &[String], column: &Column) -> Result<Option<Label>, Fault> {
        let label = self.cell(cells, column).map(Label::new).transpose();
        label.map_err(|error| self.fault("label_invalid", column, error.to_string()))
    }

    /// The value that the map gives to a cell, or that `other` makes of it.
    fn picked<T: Clone>(
        &self,
        cells: &[String],
        pick: &Pick<T>,
        what: &str,
        other: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let (column, values, absent) = match pick {
            Pick::Always(value) => return Ok(Some(value.clone())),
            Pick::By { column, values, absent } => (column, values, absent),
        };
        let Some(text) = self.cell(cells, column) else { return Ok(absent.clone()) };
        let value = values.get(text).cloned().or_else(|| other(text));
        let reason = || format!("the map knows no {what} for this text");
        value.map(Some).ok_or_else(|| self.fault("value_unknown", column, reason()))
    }

    #[allow(clippy::type_complexity, reason = "three parallel lists that live for one call")]
    fn contacts(&self, cells: &[String]) -> Result<(Vec<ContactInput>, Vec<usize>, Vec<u64>), Fault> {
        let (mut inputs, mut columns, mut shared) = (Vec::new(), Vec::new(), Vec::new());
        for group in &self.map.customer.contacts {
            for column in &group.columns {
                let Some(cell) = self.cell(cells, column) else { continue };
                for text in split(cell, &group.split) {
                    let contact = Contact::parse(group.kind, text, self.country)
                        .map_err(|error| self.fault("contact_invalid", column, error.to_string()))?;
                    inputs.push(ContactInput { kind: group.kind, text: Personal::Clear(text.to_owned()) });
                    columns.push(self.place(column));
                    shared.push(hash(&contact));
                }
            }
        }
        Ok((inputs, columns, shared))
    }

    fn occurred_at(&self, cells: &[String], now: Instant) -> Result<Option<Instant>, Fault> {
        let Some(mapped) = &self.map.occurred_at else { return Ok(None) };
        let column = &mapped.column;
        let Some(text) = self.cell(cells, column) else {
            let missing = || self.fault("occurred_at_missing", column, "the map requires a time");
            return if mapped.required { Err(missing()) } else { Ok(None) };
        };
        let at = moment(text, self.map.format.utc_offset.as_deref())
            .map_err(|reason| self.fault("occurred_at_invalid", column, reason))?;
        if at > now + CLOCK_SKEW {
            return Err(self.fault("occurred_at_in_future", column, "it has not happened yet"));
        }
        Ok(Some(at))
    }

    fn need(&self, cells: &[String]) -> Result<Option<Need>, Fault> {
        let map = &self.map.need;
        let mut need = Need::default();
        if let Some(pick) = &map.intent {
            need.intent = self.picked(cells, pick, "intent", |_| None)?;
        }
        if let Some(Amount { column, unit }) = &map.budget
            && let Some(text) = self.cell(cells, column)
        {
            (need.budget_min, need.budget_max) = budget(text, *unit, self.currency)
                .map_err(|reason| self.fault("budget_invalid", column, reason))?;
        }
        need.budget_min = self.amount(cells, map.budget_min.as_ref())?.or(need.budget_min);
        need.budget_max = self.amount(cells, map.budget_max.as_ref())?.or(need.budget_max);
        need.brands = self.names(cells, map.brands.as_ref())?;
        need.models = self.names(cells, map.models.as_ref())?;
        need.note = map.note.as_ref().and_then(|column| Personal::text(self.cell(cells, column)?));
        if need == Need::default() {
            return Ok(None);
        }
        need.validate().map_err(|error| {
            let budgets = [&map.budget, &map.budget_max, &map.budget_min];
            let column = budgets.into_iter().flatten().next().map(|amount| self.place(&amount.column));
            Fault { code: "need_invalid", column, reason: error.to_string().into() }
        })?;
        Ok(Some(need))
    }

    fn amount(&self, cells: &[String], mapped: Option<&Amount>) -> Result<Option<Money>, Fault> {
        let Some(Amount { column, unit }) = mapped else { return Ok(None) };
        let Some(text) = self.cell(cells, column) else { return Ok(None) };
        let amount = money(text, *unit, self.currency);
        amount.map(Some).map_err(|reason| self.fault("amount_invalid", column, reason))
    }

    fn names(&self, cells: &[String], mapped: Option<&Names>) -> Result<Vec<Label>, Fault> {
        let Some(Names { column, split: between }) = mapped else { return Ok(Vec::new()) };
        let Some(cell) = self.cell(cells, column) else { return Ok(Vec::new()) };
        let names: Result<_, _> = split(cell, between).into_iter().map(Label::new).collect();
        names.map_err(|error| self.fault("label_invalid", column, error.to_string()))
    }

    fn route(&self, cells: &[String]) -> Result<Route, Fault> {
        let Some(pick) = &self.map.route else { return Ok(Route::Wait) };
        let route = self.picked(cells, pick, "route", |_| None)?.unwrap_or(RouteName::Wait);
        Ok(match route {
            RouteName::Wait => Route::Wait,
            RouteName::Pool => Route::Pool,
            RouteName::Won => Route::Won { amount: self.amount(cells, self.map.amount.as_ref())? },
        })
    }

    fn fields(&self, cells: &[String]) -> Result<BTreeMap<FieldKey, FieldValue>, Fault> {
        let mut fields = BTreeMap::new();
        for (key, mapped) in &self.map.fields {
            let column = &mapped.column;
            let cell = self.cell(cells, column);
            let Some(text) = cell.filter(|text| !mapped.absent.iter().any(|absent| absent == text)) else {
                if mapped.required {
                    return Err(self.fault("field_missing", column, "the map requires a value"));
                }
                continue;
            };
            let Some(field) = self.field(key) else { continue };
            let text = mapped.values.get(text).map_or(text, String::as_str);
            let invalid = |reason: String| self.fault("field_value_invalid", column, reason);
            let value = self.value(text, field, mapped).map_err(|reason| invalid(reason.to_owned()))?;
            field.check(&value).map_err(|error| invalid(format!("field {key} {error}")))?;
            fields.insert(key.clone(), value);
        }
        Ok(fields)
    }

    fn value(&self, text: &str, field: &FieldDefinition, mapped: &Field) -> Result<FieldValue, &'static str> {
        Ok(match field.kind {
            FieldKind::Text => FieldValue::Text(Personal::Clear(text.to_owned())),
            FieldKind::Choice => FieldValue::Choice(option(text, field).ok_or("no option of that name")?),
            FieldKind::Number => FieldValue::Number(text.parse().map_err(|_| "not a decimal number")?),
            FieldKind::Flag => FieldValue::Flag(flag(text).ok_or("neither yes nor no")?),
            FieldKind::Date => FieldValue::Date(date(text)?),
            FieldKind::Instant => FieldValue::Instant(moment(text, self.map.format.utc_offset.as_deref())?),
            FieldKind::Money => FieldValue::Money(money(text, mapped.unit, self.currency)?),
        })
    }
}

/// An option by its key, by its label, or by the slug of the text.
fn option(text: &str, field: &FieldDefinition) -> Option<OptionKey> {
    let slug = slug(text);
    let is = |known: &OptionKey| known.as_str() == text || Some(known.as_str()) == slug.as_deref();
    let by_label = field.options.iter().find(|option| option.label.as_str().eq_ignore_ascii_case(text));
    by_label.or_else(|| field.options.iter().find(|option| is(&option.key))).map(|option| option.key.clone())
}

/// The parts of a cell with several entries, without empty ones.
fn split<'t>(cell: &'t str, between: &[String]) -> Vec<&'t str> {
    let mut parts = vec![cell];
    for separator in between.iter().filter(|separator| !separator.is_empty()) {
        parts = parts.into_iter().flat_map(|part| part.split(separator.as_str())).collect();
    }
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
