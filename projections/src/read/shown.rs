//! Personal values on their way out.

use std::fmt;

use domain::values::ContactKind;

use super::viewer::Sight;

/// A personal value as this viewer may see it.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// In full.
    Visible(String),
    /// Enough of it to recognise, not enough to use.
    Masked(String),
    /// Not at all: the person was erased, or the viewer may see no personal data.
    Redacted,
}

/// Shows the form and never the value, so that logs cannot leak it.
impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Visible(_) => "Shown(visible)",
            Self::Masked(_) => "Shown(masked)",
            Self::Redacted => "Shown(redacted)",
        })
    }
}

impl Shown {
    pub(crate) fn new(value: Option<String>, sight: Sight, mask: impl Fn(&str) -> String) -> Self {
        match (value, sight) {
            (Some(value), Sight::Clear) => Self::Visible(value),
            (Some(value), Sight::Masked) => Self::Masked(mask(&value)),
            _ => Self::Redacted,
        }
    }

    /// A name that may be absent: `None` when there never was one.
    pub(crate) fn name(name: Option<String>, erased: bool, sight: Sight) -> Option<Self> {
        if name.is_none() && !erased {
            return None;
        }
        Some(Self::new(name, sight, mask_name))
    }

    /// A value that has no masked form: whoever may not see all of it sees nothing.
    pub(crate) fn whole(value: Option<String>, sight: Sight) -> Self {
        match (value, sight) {
            (Some(value), Sight::Clear) => Self::Visible(value),
            _ => Self::Redacted,
        }
    }

    /// The text, when any of it may be seen.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Visible(text) | Self::Masked(text) => Some(text),
            Self::Redacted => None,
        }
    }
}

/// A name's first character; the rest as stars, whose number says nothing beyond three.
#[must_use]
pub fn mask_name(name: &str) -> String {
    let mut chars = name.trim().chars();
    let first: String = chars.next().into_iter().collect();
    format!("{first}{}", "*".repeat(chars.count().clamp(1, 3)))
}

/// A contact's ends.
#[must_use]
pub fn mask_contact(kind: ContactKind, value: &str) -> String {
    match kind {
        ContactKind::Phone => mask_phone(value),
        ContactKind::Email => {
            let (local, host) = value.split_once('@').unwrap_or((value, ""));
            let first: String = local.chars().take(1).collect();
            format!("{first}***@{host}")
        }
        ContactKind::Wechat => {
            let first: String = value.chars().take(2).collect();
            format!("{first}***")
        }
    }
}

/// `138****8000`: mainland numbers without their prefix, others with as much in front as makes
/// four digits at each end the most that is seen.
fn mask_phone(value: &str) -> String {
    let national = value.strip_prefix("+86").filter(|rest| rest.len() == 11).unwrap_or(value);
    let chars: Vec<char> = national.chars().collect();
    if chars.len() < 9 {
        let tail: String = chars.iter().skip(chars.len().saturating_sub(2)).collect();
        return format!("****{tail}");
    }
    let head: String = chars.iter().take(3).collect();
    let tail: String = chars.iter().skip(chars.len() - 4).collect();
    format!("{head}****{tail}")
}
