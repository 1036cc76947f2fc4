//! The parameters of a replay.

use std::num::NonZeroU64;

use axum::extract::Query;
use axum::http::{HeaderMap, Uri, header};
use domain::Position;
use domain::contracts::{aggregate_types, event_types};

use super::format::Format;
use crate::http::error::HttpError;

/// What to replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    /// Everything up to here is known to the client.
    pub after: Position,
    /// Types that are asked for.
    pub types: Types,
    /// How many events at most.
    pub limit: Option<NonZeroU64>,
    /// Whether to go on at the end of the log.
    pub follow: bool,
    /// Whether to add the stored texts.
    pub raw: bool,
    /// The form of the reply.
    pub format: Format,
}

/// Event types that are asked for; all of them when none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Types(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// One type.
    Exactly(&'static str),
    /// All types of an aggregate, those included that only a newer program knows.
    Of(&'static str),
}

impl Parameters {
    /// Reads a query string and what the client accepts, which a `format` overrides. Every parameter is
    /// known and given once, but `types`, which adds up.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, HttpError> {
        Self::of_pairs(&pairs(uri)?, headers)
    }

    /// The same from a query string that is taken apart already.
    pub fn of_pairs(pairs: &[(String, String)], headers: &HeaderMap) -> Result<Self, HttpError> {
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let format = Format::accepted(accepted).unwrap_or_default();
        Self { format, ..Self::default() }.read(pairs)?.checked()
    }

    fn read(self, pairs: &[(String, String)]) -> Result<Self, HttpError> {
        let mut parameters = self;
        let mut seen = Vec::new();
        for (name, value) in pairs {
            match name.as_str() {
                "after" => parameters.after = Position::new(number("after", value)?),
                "types" => parameters.types.add(value)?,
                "limit" => {
                    let limit = u64::try_from(number("limit", value)?).ok().and_then(NonZeroU64::new);
                    parameters.limit = Some(limit.ok_or_else(|| bad("limit", "is a number from 1"))?);
                }
                "follow" => parameters.follow = flag("follow", value)?,
                "raw" => parameters.raw = flag("raw", value)?,
                "format" => {
                    let format = Format::ALL.into_iter().find(|format| format.word() == value);
                    parameters.format = format.ok_or_else(|| bad("format", "is ndjson, arrow or parquet"))?;
                }
                _ => {
                    let message =
                        "a parameter is unknown: there are after, types, limit, follow, raw and format";
                    return Err(HttpError::bad_request("bad_parameter", message));
                }
            }
            if name != "types" && seen.contains(&name) {
                return Err(bad(name, "is given twice"));
            }
            seen.push(name);
        }
        Ok(parameters)
    }

    /// What goes together and what does not.
    fn checked(self) -> Result<Self, HttpError> {
        match self.format {
            Format::Parquet if self.follow => {
                let message = "a Parquet file ends, so it cannot follow the log: ask for format=arrow or \
                               format=ndjson, or leave the parameter follow out";
                Err(HttpError::bad_request("format_cannot_follow", message))
            }
            Format::Arrow | Format::Parquet if self.raw => {
                let message = "the parameter raw is for format=ndjson: columns have no stored texts";
                Err(HttpError::bad_request("format_without_raw", message))
            }
            _ => Ok(self),
        }
    }
}

impl Types {
    /// These types and no other; all of them when none is named.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, HttpError> {
        let mut types = Self::default();
        for name in names {
            types.add(name)?;
        }
        Ok(types)
    }

    /// Adds a list with commas.
    fn add(&mut self, list: &str) -> Result<(), HttpError> {
        for (index, name) in list.split(',').enumerate() {
            let pattern = Pattern::parse(name.trim()).ok_or_else(|| {
                let number = index + 1;
                let wrong = "is neither an event type nor an aggregate with .* behind it; `cluestream schema \
                             events` lists them";
                bad("types", &format!("is a list with commas, whose entry {number} {wrong}"))
            })?;
            if !self.0.contains(&pattern) {
                self.0.push(pattern);
            }
        }
        Ok(())
    }

    /// Whether every type is asked for.
    pub const fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a type is asked for.
    pub fn contain(&self, event_type: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.matches(event_type))
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        if let Some(aggregate) = text.strip_suffix(".*") {
            return aggregate_types().find(|known| *known == aggregate).map(Self::Of);
        }
        event_types().find(|known| known.name == text).map(|known| Self::Exactly(known.name))
    }

    fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::Exactly(name) => event_type == *name,
            Self::Of(aggregate) => {
                event_type.strip_prefix(aggregate).is_some_and(|rest| rest.starts_with('.'))
            }
        }
    }
}

/// The parameters of a query string.
pub(super) fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, HttpError> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| HttpError::bad_request("bad_request", "the query string cannot be read"))?;
    Ok(pairs)
}

pub(super) fn number(name: &str, value: &str) -> Result<i64, HttpError> {
    let number = value.parse::<i64>().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| bad(name, "is a number from 0"))
}

fn flag(name: &str, value: &str) -> Result<bool, HttpError> {
    value.parse().map_err(|_| bad(name, "is true or false"))
}

/// Says what is wrong and never what stood there: answers get logged by others.
pub(super) fn bad(name: &str, wrong: &str) -> HttpError {
    HttpError::bad_request("bad_parameter", format!("the parameter {name} {wrong}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Parameters, HttpError> {
        Parameters::of(&format!("/events?{query}").parse().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn without_parameters_everything_is_replayed_from_the_beginning() {
        let parameters = Parameters::of(&"/events".parse().unwrap(), &HeaderMap::new()).unwrap();
        assert_eq!(parameters, Parameters::default());
        assert!(parameters.types.contain("clue.invented_tomorrow"));
    }

    #[test]
    fn a_prefix_asks_for_all_types_of_its_aggregate_and_of_no_other() {
        let types = read("types=clue.*").unwrap().types;
        assert!(types.contain("clue.captured") && types.contain("clue.invented_tomorrow"));
        assert!(!types.contain("clue_attempts.claim_refused") && !types.contain("clue"));
    }

    #[test]
    fn lists_of_types_add_up() {
        let types = read("types=clue.won,%20team.*&types=clue.lost").unwrap().types;
        for (event_type, asked) in
            [("clue.won", true), ("clue.lost", true), ("team.renamed", true), ("clue.captured", false)]
        {
            assert_eq!(types.contain(event_type), asked, "{event_type}");
        }
    }

    #[test]
    fn whatever_is_wrong_is_named_without_repeating_it() {
        for (query, named) in [
            ("after=hunter2", "parameter after"),
            ("after=-1", "parameter after"),
            ("after=99999999999999999999", "parameter after"),
            ("after=1&after=2", "parameter after is given twice"),
            ("limit=0", "parameter limit"),
            ("limit=", "parameter limit"),
            ("follow=hunter2", "parameter follow"),
            ("raw=1", "parameter raw"),
            ("types=", "entry 1"),
            ("types=clue.won,clue.hunter2", "entry 2"),
            ("types=*", "entry 1"),
            ("types=cl*", "entry 1"),
            ("types=clue.w*", "entry 1"),
            ("types=hunter2.*", "entry 1"),
            ("format=csv", "parameter format"),
            ("type=clue.won", "after, types, limit, follow, raw and format"),
        ] {
            let error = read(query).unwrap_err();
            assert_eq!((error.status.as_u16(), error.code), (400, "bad_parameter"), "{query}");
            assert!(error.message.contains(named), "{query}: {}", error.message);
            assert!(!error.message.contains("hunter2"), "{}", error.message);
        }
    }
}
