//! Ways to reach a person, in one normal form each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::phone::{Country, InvalidPhone, Phone};

/// Longest e-mail address or account name, in bytes.
const MAX_ADDRESS: usize = 254;

/// What kind of contact point it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactKind {
    /// A phone number, E.164.
    Phone,
    /// An e-mail address, lower case.
    Email,
    /// A WeChat account name, lower case.
    Wechat,
}

impl ContactKind {
    /// The stable word for this kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Wechat => "wechat",
        }
    }
}

/// A contact in normal form: two ways of writing the same contact are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Contact {
    kind: ContactKind,
    value: String,
}

/// Why text is not a contact; never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidContact {
    /// Not a phone number.
    #[error(transparent)]
    Phone(#[from] InvalidPhone),
    /// Not an e-mail address.
    #[error("not an e-mail address")]
    Email,
    /// Not an account name.
    #[error("not an account name")]
    Account,
}

impl Contact {
    /// Reads a contact as people write it; phone numbers without a prefix are numbers of `home`.
    ///
    /// # Errors
    /// Says why the text is not a contact of this kind.
    pub fn parse(kind: ContactKind, text: &str, home: Country) -> Result<Self, InvalidContact> {
        let value = match kind {
            ContactKind::Phone => Phone::parse(text, home)?.to_string(),
            ContactKind::Email => email(text).ok_or(InvalidContact::Email)?,
            ContactKind::Wechat => account(text).ok_or(InvalidContact::Account)?,
        };
        Ok(Self { kind, value })
    }

    /// A phone number as a contact.
    #[must_use]
    pub fn phone(phone: &Phone) -> Self {
        Self { kind: ContactKind::Phone, value: phone.as_str().to_owned() }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ContactKind {
        self.kind
    }

    /// Its normal form.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

fn email(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, host) = text.rsplit_once('@')?;
    let fits = !local.is_empty()
        && host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && text.len() <= MAX_ADDRESS
        && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    fits.then(|| text.to_lowercase())
}

fn account(text: &str) -> Option<String> {
    let text = text.trim();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    ((5..=32).contains(&text.len()) && text.chars().all(word)).then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_normal_form_and_nonsense_is_refused() {
        let home = "CN".parse().unwrap();
        let read = |kind, text| Contact::parse(kind, text, home).map(|c| c.value);
        assert_eq!(read(ContactKind::Email, " Li.Wei@Example.COM "), Ok("li.wei@example.com".into()));
        assert_eq!(read(ContactKind::Wechat, "Wei_88"), Ok("wei_88".into()));
        assert_eq!(read(ContactKind::Email, "li.wei"), Err(InvalidContact::Email));
        assert_eq!(read(ContactKind::Wechat, "我"), Err(InvalidContact::Account));
        assert_eq!(read(ContactKind::Phone, "x"), Err(InvalidContact::Phone(InvalidPhone::Unreadable)));
    }
}
