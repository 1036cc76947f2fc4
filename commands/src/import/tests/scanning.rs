use std::io::Read;

use super::super::record::Record;
use super::super::scan::{Dialect, Encoding, MAX_ROW, Rows};

const COMMA: Dialect = Dialect { encoding: Encoding::Utf8, separator: b',', quote: Some(b'"') };
const GB_BAR: Dialect = Dialect { encoding: Encoding::Gb18030, separator: b'|', quote: Some(b'"') };

/// Gives a few bytes at a time, as pipes and networks do.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(buffer.len()).min(self.0.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

fn records(input: &[u8], dialect: Dialect, columns: Option<usize>, drip: usize) -> Vec<Record> {
    let mut rows = Rows::new(Dripping(input, drip), dialect, columns, (0, 1));
    let mut records = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        records.push(Record::decode(row, dialect));
    }
    records
}

type Told = Vec<(u64, Result<Vec<String>, &'static str>)>;

fn told(input: &[u8], dialect: Dialect, columns: Option<usize>) -> Told {
    let tell = |record: Record| (record.line, record.cells.map_err(|fault| fault.code));
    records(input, dialect, columns, usize::MAX).into_iter().map(tell).collect()
}

fn cells(cells: &[&str]) -> Result<Vec<String>, &'static str> {
    Ok(cells.iter().map(ToString::to_string).collect())
}

#[test]
fn every_kind_of_line_end_ends_a_row_and_counts_one_line() {
    let expected = vec![(1, cells(&["a", "b"])), (2, cells(&["c", "d"])), (4, cells(&["e", ""]))];
    assert_eq!(told(b"a,b\r\nc,d\r\re,\n", COMMA, None), expected);
    assert_eq!(told(b"a,b\nc,d\n\ne,", COMMA, None), expected);
}

#[test]
fn quoted_cells_hold_separators_line_ends_and_quotes() {
    assert_eq!(
        told(b"\"a,\"\"1\"\"\",\"b\r\nc\"\n\"\",5\" \n", COMMA, Some(2)),
        [(1, cells(&["a,\"1\"", "b\r\nc"])), (3, cells(&["", "5\" "]))]
    );
}

#[test]
fn a_missing_quote_costs_its_own_line_only() {
    let input = b"1,\"Li,138\n2,Wang,139\n3,Zhao,137\n";
    assert_eq!(
        told(input, COMMA, Some(3)),
        [
            (1, Err("quote_unterminated")),
            (2, cells(&["2", "Wang", "139"])),
            (3, cells(&["3", "Zhao", "137"])),
        ]
    );
    // The next quote of the file seems to close the cell; what follows it shows that it does not.
    let input = b"1,\"Li,138\n2,\"Wang\",139\n3,Zhao,137\n";
    assert_eq!(told(input, COMMA, Some(3))[0], (1, Err("quote_misplaced")));
    assert_eq!(told(input, COMMA, Some(3)).len(), 3);
    // And here only the number of columns shows it.
    let input = b"1,\"Li,138\n2,Wang\",139,1\n3,Zhao,137\n";
    let lines: Vec<_> =
        told(input, COMMA, Some(3)).into_iter().map(|(line, row)| (line, row.err())).collect();
    assert_eq!(lines, [(1, Some("column_count")), (2, Some("column_count")), (3, None)]);
}

#[test]
fn rows_with_other_columns_are_rejected_but_empty_surplus_is_not() {
    assert_eq!(
        told(b"a,b\na,b,,\na,b,c\na\n", COMMA, Some(2)),
        [
            (1, cells(&["a", "b"])),
            (2, cells(&["a", "b", "", ""])),
            (3, Err("column_count")),
            (4, Err("column_count")),
        ]
    );
}

#[test]
fn a_separator_inside_a_gb18030_character_is_none() {
    // These are B2 7C and DC 7C: their second byte is '|'.
    let (text, _, _) = encoding_rs::GB18030.encode("瞸𠮷|13800138000|軀|\u{20bb7}\n");
    assert!(text.windows(2).any(|pair| pair[0] >= 0x81 && pair[1] == b'|'), "the text tests it");
    assert_eq!(told(&text, GB_BAR, Some(4)), [(1, cells(&["瞸𠮷", "13800138000", "軀", "\u{20bb7}"]))]);
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_column() {
    let faults = |input: &[u8], dialect| -> Vec<_> {
        let fault = |record: Record| record.cells.err().map(|fault| (fault.code, fault.column));
        records(input, dialect, None, 7).into_iter().map(fault).collect()
    };
    assert_eq!(
        faults(b"a,\xff\n\0,b\nc,d", COMMA),
        [Some(("encoding_invalid", Some(1))), Some(("nul_byte", Some(0))), None]
    );
    assert_eq!(faults(b"a|\xff\n", GB_BAR), [Some(("encoding_invalid", Some(1)))]);
}

#[test]
fn a_row_that_is_too_long_comes_in_pieces_and_costs_no_other() {
    let mut input = b"1,".to_vec();
    input.resize(2 * MAX_ROW + 77, b'x');
    input.extend(b"\r\n2,b\n");
    let rows = records(&input, COMMA, Some(2), 10_000);
    let kinds: Vec<_> = rows.iter().map(|row| (row.line, row.continued, row.cells.is_ok())).collect();
    assert_eq!(kinds.first(), Some(&(1, false, false)));
    assert_eq!(kinds.last(), Some(&(2, false, true)));
    assert!(kinds[1..kinds.len() - 1].iter().all(|kind| *kind == (1, true, false)), "{kinds:?}");
    assert!(rows.iter().all(|row| row.raw.len() <= MAX_ROW + 64 * 1024 + 1));
    assert_eq!(rows.iter().flat_map(|row| row.raw.clone()).collect::<Vec<_>>(), input);
}

#[test]
fn a_quote_that_never_closes_swallows_at_most_its_line_in_a_long_file() {
    let mut input = b"1,\"oops\n".to_vec();
    let count = MAX_ROW / 4;
    input.extend(b"2,two\n".repeat(count));
    let rows = records(&input, COMMA, Some(2), usize::MAX);
    assert_eq!(rows.len(), count + 1);
    assert_eq!(rows.iter().filter(|row| row.cells.is_err()).count(), 1);
}

/// Random bytes from a small alphabet, in which every structure is likely.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let length = next() % 200;
    (0..length).map(|_| b"ab,|\"\n\r\xb7\x7c\xff\x00\x30"[usize::try_from(next() % 12).unwrap()]).collect()
}

#[test]
fn whatever_the_bytes_none_is_lost_and_chunks_make_no_difference() {
    for seed in 1..4_000 {
        let input = noise(seed);
        for (dialect, columns) in [(COMMA, Some(2)), (COMMA, None), (GB_BAR, Some(3))] {
            let whole = records(&input, dialect, columns, usize::MAX);
            let mut at = 0;
            for row in &whole {
                let end = usize::try_from(row.end).unwrap();
                let begin = end - row.raw.len();
                assert_eq!(row.raw, input[begin..end], "seed {seed}");
                assert!(input[at..begin].iter().all(|byte| b"\r\n".contains(byte)), "seed {seed}");
                at = end;
            }
            assert!(input[at..].iter().all(|byte| b"\r\n".contains(byte)), "seed {seed}");
            let dripped = records(&input, dialect, columns, 1);
            let plain = |rows: &[Record]| -> Vec<_> {
                rows.iter().map(|row| (row.line, row.raw.clone(), row.cells.clone())).collect()
            };
            assert_eq!(plain(&whole), plain(&dripped), "seed {seed}");
        }
    }
}
