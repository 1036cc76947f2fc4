//! A map that fits a file and a business line: everything about the import that no row decides.

use std::collections::HashMap;
use std::sync::Arc;

use domain::business_line::{BusinessLine, FieldDefinition, FieldKind};
use domain::values::{Country, Currency, LineKey};

use super::detect::Layout;
use super::error::ImportError;
use super::map::{Column, Map};

/// A map whose columns are in the file and whose fields are in the line.
pub(super) struct Plan {
    pub map: Map,
    pub line_key: LineKey,
    pub country: Country,
    pub currency: Currency,
    line: Arc<BusinessLine>,
    places: HashMap<Column, usize>,
    header: Option<Vec<String>>,
}

impl Plan {
    /// Fits a map to a file and a line.
    pub fn new(
        map: Map,
        layout: &Layout,
        line_key: LineKey,
        line: Arc<BusinessLine>,
    ) -> Result<Self, ImportError> {
        let (Some(country), Some(currency)) = (line.country(), line.currency()) else {
            return Err(ImportError::LineUnknown(line_key));
        };
        if !line.takes_clues() {
            return Err(ImportError::LineClosed(line_key));
        }
        fits_line(&map, &line)?;
        let places = places(&map, layout)?;
        Ok(Self { map, line_key, country, currency, line, places, header: layout.header.clone() })
    }

    /// Where a column is in a row.
    pub fn place(&self, column: &Column) -> usize {
        self.places.get(column).copied().unwrap_or(usize::MAX)
    }

    /// What a cell says; `None` when it says nothing.
    pub fn cell<'r>(&self, cells: &'r [String], column: &Column) -> Option<&'r str> {
        let text = cells.get(self.place(column))?.trim();
        let absent = text.is_empty() || self.map.format.absent.iter().any(|absent| absent.trim() == text);
        (!absent).then_some(text)
    }

    /// How people call a column: by its name where it has one.
    pub fn column_name(&self, place: usize) -> String {
        let name = self.header.as_ref().and_then(|header| header.get(place)).filter(|name| !name.is_empty());
        name.cloned().unwrap_or_else(|| (place + 1).to_string())
    }

    /// The definition of a field as the line had it when the import began.
    pub fn field(&self, key: &domain::values::FieldKey) -> Option<&FieldDefinition> {
        self.line.field(key)
    }
}

/// Fails when the map fills fields that the line lacks, or with options that it lacks.
fn fits_line(map: &Map, line: &BusinessLine) -> Result<(), ImportError> {
    let missing: Vec<_> = map.fields.keys().filter(|key| line.field(key).is_none()).cloned().collect();
    if !missing.is_empty() {
        return Err(ImportError::FieldsUnknown(missing));
    }
    for (key, mapped) in &map.fields {
        let Some(field) = line.field(key).filter(|field| field.kind == FieldKind::Choice) else { continue };
        let known =
            |option: &str| field.options.iter().any(|known| known.key.as_str() == option && !known.retired);
        if let Some(option) = mapped.values.values().find(|option| !known(option)) {
            return Err(ImportError::OptionUnknown { field: key.clone(), option: option.clone() });
        }
    }
    Ok(())
}

fn places(map: &Map, layout: &Layout) -> Result<HashMap<Column, usize>, ImportError> {
    let (mut places, mut missing) = (HashMap::new(), Vec::new());
    for column in map.columns() {
        let place = match column {
            Column::Number(number) => Some(number.get() - 1).filter(|place| *place < layout.columns),
            Column::Name(name) => {
                let header = layout.header.iter().flatten().enumerate();
                let mut found = header.filter(|(_, known)| *known == name).map(|(place, _)| place);
                let first = found.next();
                if found.next().is_some() {
                    return Err(ImportError::ColumnAmbiguous(name.clone()));
                }
                first
            }
        };
        match place {
            Some(place) => {
                places.insert(column.clone(), place);
            }
            None => missing.push(column.to_string()),
        }
    }
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() { Ok(places) } else { Err(ImportError::ColumnsMissing(missing)) }
}
