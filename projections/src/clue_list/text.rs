//! Names as searches see them. Pairs of characters work for Chinese, which has no word breaks, and
//! well enough for everything else.

use std::collections::BTreeSet;

/// A name, or part of one, without case and white space.
pub(crate) fn fold(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '\0').flat_map(char::to_lowercase).collect()
}

/// What a folded name is found by: each character, each pair of neighbours.
pub(crate) fn grams(folded: &str) -> BTreeSet<String> {
    let chars: Vec<char> = folded.chars().collect();
    let singles = chars.iter().map(ToString::to_string);
    singles.chain(chars.windows(2).map(|pair| pair.iter().collect())).collect()
}

/// What every name with this part must have: its pairs, or its one character.
pub(crate) fn probes(folded: &str) -> BTreeSet<String> {
    let chars: Vec<char> = folded.chars().collect();
    if chars.len() < 2 {
        return chars.iter().map(ToString::to_string).collect();
    }
    chars.windows(2).map(|pair| pair.iter().collect()).collect()
}

/// A LIKE pattern for text that contains this part; `\` escapes.
pub(crate) fn contains(folded: &str) -> String {
    let mut pattern = String::from("%");
    for c in folded.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_name_has_probes_among_the_grams_of_the_name() {
        let name = fold("Ouyang 小明 Li");
        let known = grams(&name);
        let chars: Vec<char> = name.chars().collect();
        for from in 0..chars.len() {
            for to in from + 1..=chars.len() {
                let part: String = chars[from..to].iter().collect();
                assert!(probes(&part).is_subset(&known), "{part}");
            }
        }
        assert_eq!(contains("50%_a"), r"%50\%\_a%");
    }
}
