use super::super::map::{Column, Map, Pick};

const SMALLEST: &str = "[source]\nkey = \"Id\"\nchannel = { value = \"website\" }\n";

fn error(text: &str) -> String {
    Map::parse(text).unwrap_err().to_string()
}

#[test]
fn a_small_map_is_enough() {
    let map = Map::parse(SMALLEST).unwrap();
    assert_eq!(map.columns(), [&Column::Name("Id".to_owned())]);
    assert!(matches!(map.source.channel, Pick::Always(code) if code.as_str() == "website"));
}

#[test]
fn errors_say_where() {
    for (added, place, what) in [
        ("[customer]\nnmae = \"Name\"\n", "line 5, column 1", "unknown field `nmae`"),
        ("[format]\nseparator = \"x\"\n", "line 5, column 13", "a separator is one of"),
        ("[format]\nencoding = \"latin1\"\n", "line 5, column 12", "utf-8 or gb18030"),
        ("[format]\nutc_offset = \"Asia/Shanghai\"\n", "line 5, column 14", "+08:00"),
        ("[customer]\nname = 0\n", "line 5, column 8", "numbered from 1"),
        ("[fields.City]\ncolumn = \"City\"\n", "line 4, column 9", "lower-case"),
        ("route = { value = \"pool\" }\n", "line 4, column 1", "unknown field"),
        ("[route]\nvalue = \"pool\"\ncolumn = \"x\"\n", "line 4, column 1", "either `value`, or `column`"),
        ("[customer]\nname = \"Id\"\n", "line 2, column 7", "stored in clear"),
        ("[customer\n", "line 4", ""),
    ] {
        let error = error(&format!("{SMALLEST}{added}"));
        assert!(error.starts_with(place) && error.contains(what), "{added}: {error}");
    }
    assert!(error("[source]\nkey = 1\n").contains("missing field `channel`"));
}
