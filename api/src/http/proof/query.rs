//! Numbers in a query string.

use axum::extract::Query;
use axum::http::Uri;

use crate::http::error::HttpError;

/// The values of these parameters, each known and given at most once.
pub(super) fn numbers<const N: usize>(
    uri: &Uri,
    names: [&'static str; N],
) -> Result<[Option<u64>; N], HttpError> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| HttpError::bad_request("bad_request", "the query string cannot be read"))?;
    let mut numbers = [None; N];
    for (name, value) in &pairs {
        let Some(place) = names.iter().position(|known| known == name) else {
            return Err(bad(format!("a parameter is unknown: there are {}", names.join(" and "))));
        };
        // Positions are 64 bits with a sign.
        let number = value.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
        let number = number.ok_or_else(|| bad(format!("the parameter {name} is a number from 0")))?;
        if numbers[place].replace(number).is_some() {
            return Err(bad(format!("the parameter {name} is given twice")));
        }
    }
    Ok(numbers)
}

/// Says what is wrong and never what stood there: answers get logged by others.
fn bad(message: String) -> HttpError {
    HttpError::bad_request("bad_parameter", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_wrong_is_named_without_repeating_it() {
        let read = |query: &str| numbers(&format!("/log?{query}").parse().unwrap(), ["from", "to"]);
        assert_eq!(read("to=7&from=3"), Ok([Some(3), Some(7)]));
        assert_eq!(read("from=3"), Ok([Some(3), None]));
        for (query, named) in [
            ("from=hunter2", "parameter from"),
            ("from=-1", "parameter from"),
            ("to=18446744073709551615", "parameter to"),
            ("to=1&to=1", "to is given twice"),
            ("hunter2=1", "from and to"),
        ] {
            let error = read(query).unwrap_err();
            assert_eq!((error.status.as_u16(), error.code), (400, "bad_parameter"), "{query}");
            assert!(error.message.contains(named) && !error.message.contains("hunter2"), "{}", error.message);
        }
    }
}
