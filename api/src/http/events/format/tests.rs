//! Which form is chosen.

use super::Format;

#[test]
fn the_best_liked_form_wins_and_the_first_of_equals() {
    for (accept, expected) in [
        ("*/*", None),
        ("text/html", None),
        ("application/vnd.apache.arrow.stream", Some(Format::Arrow)),
        ("Application/Vnd.Apache.Parquet; q=0.9, application/x-ndjson;q=0.5", Some(Format::Parquet)),
        ("application/x-ndjson, application/vnd.apache.parquet", Some(Format::Ndjson)),
        (
            "application/vnd.apache.parquet;q=0, application/vnd.apache.arrow.stream;q=0.1",
            Some(Format::Arrow),
        ),
    ] {
        assert_eq!(Format::accepted([accept].into_iter()), expected, "{accept}");
    }
    let several = ["application/x-ndjson;q=0.1", "application/vnd.apache.parquet"];
    assert_eq!(Format::accepted(several.into_iter()), Some(Format::Parquet));
}
