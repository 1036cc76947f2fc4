//! Finding phone numbers by keyed hashes.

use domain::ports::BlindIndex;
use domain::values::ContactKind;

/// The hashes that a number is found by: of all of it, of its last eight digits, of its last four.
pub(crate) fn phone_hashes(index: &dyn BlindIndex, number: &str) -> [String; 3] {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let last = |n: usize| digits[digits.len().saturating_sub(n)..].iter().collect::<String>();
    [index.contact(ContactKind::Phone, number), index.suffix(&last(8)), index.suffix(&last(4))]
}
