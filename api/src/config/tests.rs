//! Where settings come from and what is refused.

use std::path::PathBuf;

use super::*;

fn load(file: &str, variables: &[(&str, &str)], mut flags: Flags) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cluestream.toml");
    std::fs::write(&path, file).unwrap();
    flags.config = Some(path);
    Config::from_sources(&flags, variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
}

fn file_error(text: &str) -> (usize, usize, String) {
    match load(text, &[], Flags::default()) {
        Err(ConfigError::File { line, column, reason, .. }) => (line, column, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_committed_example_is_what_the_program_writes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/config.example.toml");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, example()).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        example(),
        "run the test with UPDATE_GOLDEN=1 to write {path} anew"
    );
}

#[test]
fn the_example_file_changes_no_default() {
    assert_eq!(load(&example(), &[], Flags::default()).unwrap(), Config::default());
}

#[test]
fn without_any_source_the_defaults_hold() {
    assert_eq!(Config::from_sources(&Flags::default(), []).unwrap(), Config::default());
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let file = "listen = \"127.0.0.1:1\"\nkeys_dir = \"file\"\n[limits]\ndepth = 3\ntokens = 7\n";
    let variables = [("LISTEN", "127.0.0.1:2"), ("CLUESTREAM_LIMITS_DEPTH", "4"), ("HOME", "/")];
    let flags = Flags { listen: Some("127.0.0.1:3".into()), ..Flags::default() };
    let config = load(file, &variables, flags).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.limits.depth, 4);
    assert_eq!(config.limits.tokens, 7);
    assert_eq!(config.keys_dir, PathBuf::from("file"));
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_column() {
    let (line, column, reason) = file_error("listen = \"127.0.0.1:1\"\n[limits]\n  dephts = 3\n");
    assert_eq!((line, column), (3, 3));
    assert!(reason.contains("limits.dephts"), "{reason}");
    let (line, column, _) = file_error("[limit]\ndepth = 3\n");
    assert_eq!((line, column), (1, 2));
}

#[test]
fn a_wrong_value_is_refused_where_it_stands() {
    let (line, column, reason) = file_error("[limits]\ndepth = 0\n");
    assert_eq!((line, column), (2, 9));
    assert!(reason.contains("above zero"), "{reason}");
    assert_eq!(file_error("listen = 8080\n").0, 1);
    assert_eq!(file_error("[log]\nformat = true\n").1, 10);
    assert_eq!(file_error("[log\n").0, 1);
}

#[test]
fn an_unknown_variable_of_ours_is_refused_and_others_are_not() {
    let error = load("", &[("CLUESTREAM_LIMIT_DEPTH", "4")], Flags::default()).unwrap_err();
    assert!(matches!(error, ConfigError::UnknownVariable { ref name } if name == "CLUESTREAM_LIMIT_DEPTH"));
    assert!(load("", &[("CLUESTREAM_CONFIG", "x"), ("PATH", "/bin")], Flags::default()).is_ok());
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let error = load("", &[("LISTEN", "nowhere")], Flags::default()).unwrap_err();
    assert!(matches!(error, ConfigError::Variable { ref name, .. } if name == "LISTEN"), "{error}");
    let flags = Flags { log_format: Some("xml".into()), ..Flags::default() };
    assert!(matches!(load("", &[], flags), Err(ConfigError::Flag { name: "log-format", .. })));
    let flags = Flags { config: Some("/nowhere/cluestream.toml".into()), ..Flags::default() };
    assert!(matches!(Config::from_sources(&flags, []), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn a_password_is_taken_from_the_environment_but_not_from_a_flag() {
    let url = "postgres://clue:s3cret@db/clue";
    let config = load("", &[("DATABASE_URL", url)], Flags::default()).unwrap();
    assert_eq!(config.database_url.expose(), url);
    for shown in [format!("{config:?}"), config.database_url.to_string()] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let flags = Flags { database_url: Some(url.into()), ..Flags::default() };
    assert!(matches!(load("", &[], flags), Err(ConfigError::Flag { name: "database-url", .. })));
    let flags = Flags { database_url: Some("postgres://clue@db/clue".into()), ..Flags::default() };
    assert!(load("", &[], flags).is_ok());
}

#[test]
fn an_address_of_eventstoredb_is_checked_and_its_password_never_shown() {
    let url = "esdb://clue:s3cret@one:2113,two:2113?tls=false";
    let config =
        load("", &[("EVENT_STORE_URL", url), ("EVENT_STORE_STREAM", "sales")], Flags::default()).unwrap();
    assert_eq!(config.event_store_url.as_ref().unwrap().expose(), url);
    assert_eq!(config.event_store_stream, "sales");
    assert!(!format!("{config:?}").contains("s3cret"));
    let none = load("event_store_url = \"\"\n", &[], Flags::default()).unwrap();
    assert_eq!(none.event_store_url, None);
    for wrong in
        ["http://u:s3cret@host", "esdb://u:s3cret@host:port", "esdb://u:s3cret@host?tlsCaFile=/nowhere.pem"]
    {
        let error = load("", &[("EVENT_STORE_URL", wrong)], Flags::default()).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn a_database_url_of_an_unknown_kind_is_refused_without_repeating_it() {
    let error = load("", &[("DATABASE_URL", "mysql://u:s3cret@db")], Flags::default()).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
