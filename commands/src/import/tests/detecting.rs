use std::io::Write;

use super::super::detect::{Layout, detect};
use super::super::error::ImportError;
use super::super::map::{Column, Format};
use super::super::scan::Encoding;

fn layout_of(content: &[u8], columns: &[Column]) -> Result<Layout, ImportError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    detect(&mut file, &Format::default(), &columns.iter().collect::<Vec<_>>())
}

fn name(name: &str) -> Column {
    Column::Name(name.to_owned())
}

fn number(number: usize) -> Column {
    Column::Number(number.try_into().unwrap())
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

#[test]
fn separators_and_quotes_are_found() {
    for separator in [',', ';', '\t', '|'] {
        for quote in ['"', '\''] {
            let text = "编号,姓名,备注\n1,王芳,Q看车, 已到店Q\n2,李伟,Q好, 的Q\n"
                .replace(", ", "\u{1}")
                .replace(',', &separator.to_string())
                .replace('\u{1}', &format!("{separator} "))
                .replace('Q', &quote.to_string());
            let layout = layout_of(text.as_bytes(), &[name("编号"), name("备注")]).unwrap();
            assert_eq!(char::from(layout.dialect.separator), separator, "{text}");
            assert_eq!(layout.dialect.quote.map(char::from), Some(quote), "{text}");
            assert_eq!((layout.columns, layout.data.1), (3, 2), "{text}");
        }
    }
}

#[test]
fn a_comma_in_every_cell_does_not_outvote_the_separator() {
    let text = "key;amount;city\n1;12,50;a\n2;13,50;b\n3;14,50;c\n";
    assert_eq!(layout_of(text.as_bytes(), &[name("amount")]).unwrap().dialect.separator, b';');
}

#[test]
fn gb18030_is_told_from_utf8_even_in_short_files_with_broken_rows() {
    let text = "编号,姓名,电话\n1,王芳,13800138000\n2,李伟,13900139000\n3,张敏,13700137000\n";
    let encoding = |content: &[u8]| layout_of(content, &[name("编号")]).unwrap().dialect.encoding;
    assert_eq!(encoding(text.as_bytes()), Encoding::Utf8);
    assert_eq!(encoding(&gb18030(text)), Encoding::Gb18030);
    let mut broken = gb18030(text);
    broken.extend(b"4,\xff\xff,13600136000\n");
    assert_eq!(encoding(&broken), Encoding::Gb18030);
    let mut broken = text.as_bytes().to_vec();
    broken.extend(b"4,\xff\xff,13600136000\n");
    assert_eq!(encoding(&broken), Encoding::Utf8);
}

#[test]
fn chinese_that_begins_late_in_the_file_is_seen() {
    let mut content = b"key,name\n".to_vec();
    for row in 0..100_000 {
        content.extend(format!("{row},Li\n").bytes());
    }
    content.extend(gb18030("k,王芳\nk,李伟\nk,张敏\n"));
    assert_eq!(layout_of(&content, &[name("key")]).unwrap().dialect.encoding, Encoding::Gb18030);
}

#[test]
fn other_encodings_are_refused_by_name() {
    let japanese = "番号,名前\n1,こんにちは、さくらです\n2,カタカナとひらがな\n".repeat(3);
    let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode(&japanese);
    let refused = layout_of(&bytes, &[number(1)]).unwrap_err();
    assert!(matches!(refused, ImportError::EncodingUnknown { looks_like } if looks_like == "Shift_JIS"));
    let utf16: Vec<u8> = b"\xff\xfek\0".to_vec();
    assert!(matches!(layout_of(&utf16, &[number(1)]), Err(ImportError::EncodingUnknown { .. })));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    let layout = layout_of("\u{feff}编号,姓名\n1,王芳\n".as_bytes(), &[name("编号")]).unwrap();
    assert_eq!(layout.header.unwrap()[0], "编号");
    assert!(layout.bom);
    assert_eq!(layout.data, (3 + "编号,姓名\n".len() as u64, 2));
}

#[test]
fn a_first_row_of_data_is_no_header() {
    let header = |text: &str, columns: &[Column]| layout_of(text.as_bytes(), columns).unwrap().header;
    assert!(header("1,王芳,13800138000\n2,李伟,13900139000\n", &[number(1)]).is_none());
    assert!(header("key,name,phone\n1,王芳,13800138000\n", &[number(1)]).is_some());
    assert!(header("key,name\n", &[name("key")]).is_some());
}

#[test]
fn an_empty_file_is_an_error() {
    assert!(matches!(layout_of(b"", &[number(1)]), Err(ImportError::Empty)));
    assert!(matches!(layout_of(b"\n\r\n", &[number(1)]), Err(ImportError::Empty)));
}
