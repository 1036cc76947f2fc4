//! Every row of every form of file is accepted, known or rejected, in the counts that the generator
//! knows; rejected rows are kept byte for byte.

use std::path::Path;

use commands::import::{Encoding, Options, import};
use tests::generator::{Form, Generated, PLAIN};
use tests::stores::{Backend, Store};

use super::{SALES, SOME, counts, expected, generated, map, run, sales, service, state};

const FORMS: [Form; 5] = [
    PLAIN,
    Form { gb18030: true, line_end: "\r", separator: ';', ..PLAIN },
    Form { gb18030: true, line_end: "\r\n", separator: '|', header: false, ends_with_line_end: false },
    Form { line_end: "\r", separator: '\t', header: false, ..PLAIN },
    Form { line_end: "\r\n", separator: '|', ends_with_line_end: false, ..PLAIN },
];

on_every_backend! {
    every_row_of_every_form_of_file_ends_as_the_generator_knows,
}

async fn every_row_of_every_form_of_file_ends_as_the_generator_knows(store: Store) {
    // Two forms a store: the same clues in another form are known.
    for (seed, form) in (1..).zip(FORMS) {
        let store = if seed == 1 { &store } else { &Store::fresh(store.backend()).await };
        let service = service(store, SALES).await;
        let (_folder, path, generated) = generated(seed, form, SOME);
        let summary = import(&service, &map(form.header), &sales(), &path, Options::default(), &mut |_| ())
            .await
            .unwrap();
        assert_eq!(counts(&summary), expected(&generated), "{form:?}");
        assert_eq!(summary.exit_code(), 3);
        assert_eq!(summary.layout.dialect.encoding == Encoding::Gb18030, form.gb18030);
        let state = state(&service).await;
        assert_eq!(state.customers.len() as u64, u64::try_from(generated.customers).unwrap(), "{form:?}");
        assert_eq!(state.clues.len() as u64, generated.accepted);
        assert_rejected_bytes(&summary.rejected_file.expect("some are rejected"), form, &generated);
    }
}

/// Reads the file of rejected rows as its format says.
fn assert_rejected_bytes(path: &Path, form: Form, generated: &Generated) {
    let found = read_rejected(&std::fs::read(path).unwrap(), form);
    assert_eq!(found, generated.rejected_rows, "{form:?}");
    assert!(!path.with_extension("csv.partial").exists());
}

fn read_rejected(bytes: &[u8], form: Form) -> Vec<(u64, Vec<u8>)> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let mut rest = &bytes[bytes.iter().position(is_end).unwrap()..];
    let mut rows = Vec::new();
    loop {
        let start = rest.iter().take_while(|byte| is_end(byte)).count();
        rest = &rest[start..];
        if rest.is_empty() {
            return rows;
        }
        let mut cells = Vec::new();
        let mut begin = 0;
        let mut quoted = false;
        for (at, byte) in rest.iter().enumerate() {
            match char::from(*byte) {
                '"' => quoted = !quoted,
                c if c == form.separator && !quoted => {
                    cells.push(&rest[begin..at]);
                    begin = at + 1;
                    if cells.len() == 5 {
                        break;
                    }
                }
                _ => {}
            }
        }
        let number = |cell: &[u8]| -> usize { std::str::from_utf8(cell).unwrap().parse().unwrap() };
        let length = number(cells[4]);
        rows.push((number(cells[0]) as u64, rest[begin..begin + length].to_vec()));
        rest = &rest[begin + length..];
    }
}

#[tokio::test]
async fn rejected_rows_say_where_and_why_and_never_repeat_the_person() {
    let store = Store::fresh(Backend::Sqlite).await;
    let service = service(&store, SALES).await;
    let (_folder, path) = super::file(
        "编号,渠道,活动,姓名,电话,备用电话,微信,时间,预算,品牌,城市,座位数,状态,成交价,备注\n\
         1,官网,,王芳,13800138000/打错了,,,,,,,,公海,,\n\
         2,官网,,李伟,13900139000,,,,,,,,公海,,\n"
            .as_bytes(),
    );
    let summary = run(&service, &path).await.unwrap();
    assert_eq!((summary.accepted, summary.rejected_rows(), summary.exit_code()), (1, 1, 3));
    let told = std::fs::read_to_string(summary.rejected_file.unwrap()).unwrap();
    let row = told.lines().nth(1).unwrap();
    let (about, raw) = row.split_at(row.find("1,官网").unwrap());
    assert!(about.starts_with("2,电话,contact_invalid,the phone number has characters"), "{about}");
    assert!(!about.contains("138") && !about.contains("打错"), "{about}");
    assert_eq!(raw, "1,官网,,王芳,13800138000/打错了,,,,,,,,公海,,");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = path.with_extension("csv.rejected.csv").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "people's data is its owner's alone");
    }
}

#[tokio::test]
async fn a_corrected_file_of_rejected_rows_is_taken_in_with_the_same_map() {
    let store = Store::fresh(Backend::Sqlite).await;
    let service = service(&store, SALES).await;
    let (_folder, path, generated) = generated(11, PLAIN, SOME);
    let summary = run(&service, &path).await.unwrap();
    let rejected = summary.rejected_file.unwrap();
    // The correction: a day that exists.
    let mut told = std::fs::read(&rejected).unwrap();
    let (wrong, right) = (b"2026-02-30 10:00", b"2026-02-28 10:00");
    for at in 0..told.len() - wrong.len() {
        if told[at..].starts_with(wrong) {
            told[at..at + right.len()].copy_from_slice(right);
        }
    }
    let corrected = rejected.with_file_name("corrected.csv");
    std::fs::write(&corrected, told).unwrap();
    let summary = run(&service, &corrected).await.unwrap();
    assert_eq!(summary.accepted, generated.rejected["occurred_at_invalid"]);
    assert_eq!(summary.rows, generated.rejected.values().sum::<u64>());
}

#[tokio::test]
async fn a_file_without_faults_ends_with_zero_and_leaves_no_rejected_file() {
    let store = Store::fresh(Backend::Sqlite).await;
    let service = service(&store, SALES).await;
    let (_folder, path, _) = generated(5, PLAIN, super::Amounts { broken: 0, ..SOME });
    let stale = path.with_extension("csv.rejected.csv");
    std::fs::write(&stale, "of an earlier run").unwrap();
    let (mut last, mut steps) = (None, 0);
    let summary = import(&service, &map(true), &sales(), &path, Options::default(), &mut |progress| {
        last = Some(progress);
        steps += 1;
    })
    .await
    .unwrap();
    assert_eq!((summary.exit_code(), summary.rejected_file.as_ref()), (0, None));
    assert!(!stale.exists());
    let last = last.unwrap();
    assert_eq!((last.bytes, last.rows, last.accepted), (last.total_bytes, summary.rows, summary.accepted));
    assert!(steps > 2);
}

#[tokio::test]
async fn a_dry_run_tells_what_a_run_then_does_and_appends_nothing() {
    let store = Store::fresh(Backend::Sqlite).await;
    let service = service(&store, SALES).await;
    let (_folder, path, generated) = generated(21, PLAIN, SOME);
    let before = super::head(&service).await;
    let commands = store.count("SELECT count(*) FROM commands").await.unwrap();
    let look = Options { dry_run: true, ..Options::default() };
    let dry = import(&service, &map(true), &sales(), &path, look, &mut |_| ()).await.unwrap();
    assert_eq!(counts(&dry), expected(&generated));
    assert!(dry.dry_run && !dry.approximate);
    assert_eq!(super::head(&service).await, before);
    assert_eq!(store.count("SELECT count(*) FROM commands").await.unwrap(), commands);
    let done = run(&service, &path).await.unwrap();
    assert_eq!(counts(&done), counts(&dry));
    let again = import(&service, &map(true), &sales(), &path, look, &mut |_| ()).await.unwrap();
    assert_eq!((again.accepted, again.known), (0, generated.accepted + generated.known));
}
