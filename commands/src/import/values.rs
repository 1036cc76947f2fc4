//! From a cell's text to values. Reasons never repeat the text.

use domain::Instant;
use domain::values::{Currency, LocalDate, Money};

use super::map::Unit;

/// Minor units in a unit of a currency; of the currencies in use here, all have hundredths.
const MINOR: i128 = 100;
const WAN: i128 = 10_000;

/// The default rule for codes: lower-case ASCII letters and digits, everything else one `-`. `None`
/// when that leaves no key, as with Chinese: the map then lists the values.
pub(super) fn slug(text: &str) -> Option<String> {
    let mut slug = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    slug.starts_with(|c: char| c.is_ascii_lowercase()).then(|| slug.to_owned())
}

pub(super) fn flag(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "1" | "y" | "yes" | "true" | "是" => Some(true),
        "0" | "n" | "no" | "false" | "否" => Some(false),
        _ => None,
    }
}

/// Full-width forms (U+FF01..U+FF5E) as ASCII.
fn half_width(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        other => other,
    };
    text.chars().map(narrow).collect()
}

/// An amount as people write it: `34.17万`, `¥341,700`, `341700元`.
pub(super) fn money(text: &str, unit: Unit, currency: Currency) -> Result<Money, &'static str> {
    let text = half_width(text);
    minor(&text, unit)
        .map(|minor| Money { minor, currency })
        .ok_or("not an amount of money, or one with fractions of the smallest unit")
}

fn minor(text: &str, unit: Unit) -> Option<i64> {
    let text = text.trim().trim_start_matches(['¥', '￥']).trim();
    let text = text.trim_end_matches('元').trim_end();
    let (figure, unit) =
        text.strip_suffix('万').map_or((text, unit), |figure| (figure.trim_end(), Unit::Wan));
    let scale = MINOR * if unit == Unit::Wan { WAN } else { 1 };
    let (whole, fraction) = figure.split_once('.').unwrap_or((figure, ""));
    let whole = ungrouped(whole)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 15 || fraction.len() > 9 || !digits(&whole) || !digits(fraction) {
        return None;
    }
    let tens = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let figure: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = figure * scale;
    (scaled % tens == 0).then(|| i64::try_from(scaled / tens).ok())?
}

/// Digits without the commas between groups of three.
fn ungrouped(whole: &str) -> Option<String> {
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let mut rest = groups.peekable();
    if rest.peek().is_none() {
        return Some(first.to_owned());
    }
    if first.is_empty() || first.len() > 3 {
        return None;
    }
    let mut digits = first.to_owned();
    for group in rest {
        if group.len() != 3 {
            return None;
        }
        digits.push_str(group);
    }
    Some(digits)
}

/// Lowest and highest price: `10-15万`, `15万以内`, `20以上`; a lone price is the highest.
pub(super) fn budget(
    text: &str,
    unit: Unit,
    currency: Currency,
) -> Result<(Option<Money>, Option<Money>), &'static str> {
    let text = half_width(text);
    let text = text.trim();
    let read = |text: &str, unit| money(text, unit, currency).map(Some);
    for (suffix, is_lowest) in [("以上", true), ("以下", false), ("以内", false), ("左右", false)] {
        if let Some(price) = text.strip_suffix(suffix) {
            let price = read(price, unit)?;
            return Ok(if is_lowest { (price, None) } else { (None, price) });
        }
    }
    let Some((low, high)) = ["-", "~", "至", "到", "—"].iter().find_map(|between| text.split_once(between))
    else {
        return Ok((None, read(text, unit)?));
    };
    // In "10-15万" the unit behind the highest price counts for both.
    let shared = if high.contains('万') { Unit::Wan } else { unit };
    Ok((read(low, shared)?, read(high, unit)?))
}

/// A point in time: RFC 3339, or a day with or without a time, year first, in the map's offset.
pub(super) fn moment(text: &str, utc_offset: Option<&str>) -> Result<Instant, &'static str> {
    let text = half_width(text);
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let (date, time) = parts(&text).ok_or("not a date and time that is written year first")?;
    let offset = utc_offset.ok_or("a time without an offset from UTC, and the map states none")?;
    format!("{date}T{time}{offset}").parse().map_err(|_| "no such date or time")
}

/// A calendar day, year first.
pub(super) fn date(text: &str) -> Result<LocalDate, &'static str> {
    let (date, _) = parts(&half_width(text)).ok_or("not a date that is written year first")?;
    date.parse().map_err(|_| "no such date")
}

/// `YYYY-MM-DD` and `HH:MM:SS` from the ways in which people write them.
fn parts(text: &str) -> Option<(String, String)> {
    let text = text.trim();
    let (date, time) = match text.find(['T', ' ', '日']) {
        Some(at) => (&text[..at], text[at..].trim_start_matches(['T', ' ', '日']).trim()),
        None => (text, ""),
    };
    let number = |text: &str, least: usize, most: usize| -> Option<u32> {
        let fits = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| text.parse().ok())?
    };
    let dated: Vec<&str> = date.split(['-', '/', '.', '年', '月']).collect();
    let [year, month, day] = dated.as_slice() else { return None };
    let date = format!("{:04}-{:02}-{:02}", number(year, 4, 4)?, number(month, 1, 2)?, number(day, 1, 2)?);
    if time.is_empty() {
        return Some((date, "00:00:00".to_owned()));
    }
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let timed: Vec<&str> = clock.split(':').collect();
    let (hour, minute, second) = match timed.as_slice() {
        [hour, minute] => (hour, minute, &"00"),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let mut time =
        format!("{:02}:{:02}:{:02}", number(hour, 1, 2)?, number(minute, 2, 2)?, number(second, 2, 2)?);
    if !fraction.is_empty() {
        number(fraction, 1, 9)?;
        time.push('.');
        time.push_str(fraction);
    }
    Some((date, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fen(text: &str, unit: Unit) -> Option<i64> {
        money(text, unit, "CNY".parse().unwrap()).ok().map(|money| money.minor)
    }

    #[test]
    fn amounts_are_exact_whatever_their_unit() {
        assert_eq!(fen("34.17万", Unit::Yuan), Some(34_170_000));
        assert_eq!(fen("34.17", Unit::Wan), Some(34_170_000));
        assert_eq!(fen("¥341,700.50", Unit::Yuan), Some(34_170_050));
        assert_eq!(fen("１２万元", Unit::Yuan), Some(12_000_000));
        assert_eq!(fen("12.345", Unit::Yuan), None, "a tenth of a fen");
        for bad in ["", "-3", "1,23", "abc", "万", "1e5", "99999999999999999999", "1.2.3"] {
            assert_eq!(fen(bad, Unit::Yuan), None, "{bad}");
        }
    }

    #[test]
    fn budgets_are_ranges_or_bounds() {
        let read = |text| {
            let (min, max) = budget(text, Unit::Wan, "CNY".parse().unwrap()).unwrap();
            (min.map(|money| money.minor / 1_000_000), max.map(|money| money.minor / 1_000_000))
        };
        assert_eq!(read("10-15"), (Some(10), Some(15)));
        assert_eq!(read("10万～15万"), (Some(10), Some(15)));
        assert_eq!(read("15万以内"), (None, Some(15)));
        assert_eq!(read("20以上"), (Some(20), None));
        assert_eq!(read("18"), (None, Some(18)));
        assert!(budget("便宜的", Unit::Wan, "CNY".parse().unwrap()).is_err());
    }

    #[test]
    fn times_are_read_year_first_in_the_maps_offset() {
        let read = |text| moment(text, Some("+08:00")).map(|instant| instant.to_string());
        let noon = Ok("2026-05-01T04:00:00.000000Z".to_owned());
        for text in [
            "2026-05-01 12:00",
            "2026-05-01T12:00:00",
            "2026/5/1 12:00:00",
            "2026年5月1日 12:00",
            "2026.5.1 12:00:00.000",
            "2026-05-01T04:00:00Z",
        ] {
            assert_eq!(read(text), noon, "{text}");
        }
        assert_eq!(read("2026/5/1"), Ok("2026-04-30T16:00:00.000000Z".to_owned()));
        assert_eq!(read("2026-02-30 12:00"), Err("no such date or time"));
        for bad in ["01/05/2026", "昨天", "", "2026-05", "2026-05-01 noon"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(moment("2026-05-01 12:00", None).is_err(), "whose noon?");
    }

    #[test]
    fn slugs_are_keys_or_nothing() {
        assert_eq!(slug("Pay per Click Ads").as_deref(), Some("pay-per-click-ads"));
        assert_eq!(slug("NC_EDM").as_deref(), Some("nc-edm"));
        assert_eq!(slug("Google"), slug("google"));
        assert_eq!((slug("朋友介绍"), slug("02.Medium")), (None, None));
    }
}
