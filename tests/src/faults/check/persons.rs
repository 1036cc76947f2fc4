//! What must be true of persons: a contact is one customer's, and no clue is taken in of one who was
//! erased.

use std::collections::BTreeMap;

use super::log::Entry;
use crate::faults::clients::Observed;
use crate::faults::command::{Answer, Wish};

/// Checks both.
///
/// # Panics
/// When one is broken.
pub fn assert_persons(log: &[Entry], history: &[Observed]) {
    let erased: BTreeMap<&str, i64> = log
        .iter()
        .filter(|entry| entry.kind == "customer.erased")
        .map(|entry| (&*entry.stream.1, entry.position))
        .collect();
    assert_none_is_taken_in(log, &erased);
    assert_contacts(history, &erased);
}

fn assert_none_is_taken_in(log: &[Entry], erased: &BTreeMap<&str, i64>) {
    for entry in log {
        if let Some(customer) = &entry.customer
            && let Some(at) = erased.get(&**customer).filter(|at| **at < entry.position)
        {
            panic!("customer {customer} was erased at {at}, and this came later: {entry:?}");
        }
    }
}

/// Whoever registered with a number, or was taken in with it, is one customer, until that one is erased.
fn assert_contacts(history: &[Observed], erased: &BTreeMap<&str, i64>) {
    let mut done: Vec<(i64, &str, &str)> = Vec::new();
    for observed in history {
        let (Wish::Register { phone } | Wish::Capture { phone, customer: None, .. }) = &observed.command.wish
        else {
            continue;
        };
        if let Answer::Done(answer) = &observed.answer
            && let Some(customer) = &answer.customer
        {
            done.push((answer.position, phone, customer));
        }
    }
    done.sort_unstable();
    let mut holders: BTreeMap<&str, &str> = BTreeMap::new();
    for (position, phone, customer) in done {
        let holder = holders.insert(phone, customer).unwrap_or(customer);
        let free = erased.get(holder).is_some_and(|at| *at < position);
        assert!(
            holder == customer || free,
            "the number of customer {holder} went to {customer} at {position}, and nobody was erased"
        );
    }
}
