//! A map that fits neither file nor line is an error before anything is appended.

use commands::CommandContext;
use commands::clock::fresh_uuid;
use commands::import::{ImportError, Map, Options, import};
use commands::use_cases::business_line::{ChangeLine, LineChange};
use domain::envelope::Actor;
use domain::ids::CommandId;
use tests::generator::{self, PLAIN};
use tests::given::parse;
use tests::stores::{Backend, Store};

use super::{SALES, SOME, generated, head, map, run, sales, service};

async fn error(change: impl Fn(String) -> String, line: &str) -> ImportError {
    let store = Store::fresh(Backend::Sqlite).await;
    let service = service(&store, SALES).await;
    let (_folder, path, _) = generated(1, PLAIN, SOME);
    let before = head(&service).await;
    let map = Map::parse(&change(generator::map(true))).unwrap();
    let result = import(&service, &map, &parse(line), &path, Options::default(), &mut |_| ()).await;
    assert_eq!(head(&service).await, before, "nothing is appended");
    assert!(!path.with_extension("csv.rejected.csv").exists());
    result.unwrap_err()
}

#[tokio::test]
async fn columns_that_the_file_lacks_are_all_named() {
    let change = |map: String| map.replace("\"预算\"", "\"Budget\"").replace("\"微信\"", "99");
    let error = error(change, "used-car-sales").await;
    assert!(matches!(&error, ImportError::ColumnsMissing(names) if *names == ["99", "Budget"]), "{error}");
}

#[tokio::test]
async fn fields_and_options_that_the_line_lacks_are_named() {
    let unknown = error(|map| map.replace("seats =", "chairs ="), "used-car-sales").await;
    assert!(
        matches!(&unknown, ImportError::FieldsUnknown(keys) if keys[0].as_str() == "chairs"),
        "{unknown}"
    );
    let option = error(|map| map.replace("= \"beijing\"", "= \"peking\""), "used-car-sales").await;
    assert!(matches!(&option, ImportError::OptionUnknown { option, .. } if option == "peking"), "{option}");
}

#[tokio::test]
async fn a_line_that_does_not_exist_or_takes_no_clues_is_an_error() {
    let unknown = error(|map| map, "no-such-line").await;
    assert!(matches!(unknown, ImportError::LineUnknown(_)), "{unknown}");
    let store = Store::fresh(Backend::Sqlite).await;
    let service = service(&store, SALES).await;
    let id = CommandId::new(fresh_uuid(service.clock().now()));
    let context = CommandContext::new(id, Actor::System(parse("test")));
    let suspend = ChangeLine { line: sales(), change: LineChange::Suspend };
    service.execute(&context, &suspend).await.unwrap();
    let (_folder, path, _) = generated(1, PLAIN, SOME);
    assert!(matches!(run(&service, &path).await, Err(ImportError::LineClosed(_))));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_an_error() {
    let store = Store::fresh(Backend::Sqlite).await;
    let service = service(&store, SALES).await;
    let (folder, path, _) = generated(1, PLAIN, SOME);
    drop(folder);
    let result = import(&service, &map(true), &sales(), &path, Options::default(), &mut |_| ()).await;
    assert!(matches!(result, Err(ImportError::Read(_))));
}
