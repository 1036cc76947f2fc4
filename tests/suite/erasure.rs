//! Where personal data is in the files of a PostgreSQL server, before and after an erasure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use commands::use_cases::clue::{ClueStep, ReleaseClue, Route, WorkClue};
use commands::use_cases::customer::EraseCustomer;
use domain::business_line::FieldValue;
use domain::ids::{ClueId, CustomerId};
use domain::operator::Role;
use domain::personal::Personal;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor, Row};
use tests::given::{Person, World, id, parse};
use tests::postgres::Cluster;
use tests::served::Served;

/// Texts that occur nowhere else.
const NAME: &str = "Canary Zhang 金丝雀";
const PHONE: &str = "13712345678";
const NOTE: &str = "canary note";
const REMARK: &str = "canary remark";

/// The files of a server of the test's own.
struct Files {
    cluster: Cluster,
    database: PgConnectOptions,
}

impl Files {
    async fn run(&self, statements: &[&str]) {
        let mut connection = PgConnection::connect_with(&self.database).await.unwrap();
        for statement in statements {
            connection.execute(*statement).await.unwrap();
        }
    }

    /// What rewrites the copies that rebuilds left.
    async fn former_copies(&self) -> Vec<String> {
        let mut connection = PgConnection::connect_with(&self.database).await.unwrap();
        let sql = "SELECT format('VACUUM FULL %I', relname) FROM pg_class WHERE relname ~ '__old$' AND relkind = 'r'";
        connection.fetch_all(sql).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Which tables, with their indexes, hold these bytes on disk; and which other folders do.
    async fn holding(&self, bytes: &[u8]) -> BTreeSet<String> {
        let mut connection = PgConnection::connect_with(&self.database).await.unwrap();
        let sql = "SELECT pg_relation_filepath(c.oid), coalesce(t.oid, i.indrelid, c.oid)::regclass::text \
                   FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid \
                   LEFT JOIN pg_class t ON t.reltoastrelid = coalesce(i.indrelid, c.oid) \
                   WHERE pg_relation_filepath(c.oid) IS NOT NULL";
        let rows = connection.fetch_all(sql).await.unwrap();
        let tables: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        connection.execute("CHECKPOINT").await.unwrap();
        let pattern = bytes.iter().fold(String::new(), |mut pattern, byte| {
            let _ = write!(pattern, "\\x{byte:02x}");
            pattern
        });
        let grep = Command::new("grep")
            .args(["-rlaP", &pattern, "."])
            .current_dir(self.cluster.data())
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        let found = String::from_utf8(grep.stdout).unwrap();
        let name = |path: &str| {
            let path = path.trim_start_matches("./");
            let relation = path.split(['.', '_']).next().unwrap_or(path);
            let folder = || path.split('/').next().unwrap_or(path).to_owned();
            tables.get(path).or_else(|| tables.get(relation)).cloned().unwrap_or_else(folder)
        };
        // A rebuild's former copy counts as the table itself.
        found.lines().map(|path| name(path).trim_end_matches("__old").to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_read_models_and_their_journal_hold_a_person_in_clear_and_an_erasure_ends_that() {
    // Segments of the journal go when they are done, as those of a busy server are overwritten.
    let (cluster, database) = Cluster::own(&["fsync=off", "wal_recycle=off", "autovacuum=off"]).await;
    let files = Files { cluster, database };
    let served = Served::on(&files.database).await;
    let world = World::new(served.app.commands.clone()).await;
    let customer_id = plant(&world).await;
    served.caught_up().await;
    for model in ["clue_list", "customer", "history"] {
        served.app.projections.rebuild(model, &|_| {}).await.unwrap();
    }
    files.run(&["ANALYZE"]).await;
    let keys = served.app.log.data_keys(&[customer_id.into()]).await.unwrap();
    // A pattern of `grep` goes to the end of a line at most, and random bytes may hold one.
    let key = keys[0].wrapped.split(|byte| *byte == b'\n').max_by_key(|part| part.len()).unwrap();
    assert!(key.len() >= 8, "long enough to be there once");

    // Neither the log nor its indexes, nor the planner's statistics, nor the server's own log. The journal
    // has all of it, but where one of its pages ends in the middle of a word.
    let name: &[&str] = &["clue_list", "clue_list_customer", "clue_past", "customers", "past_value"];
    for (canary, holders) in [
        (NAME.as_bytes(), name),
        (PHONE.as_bytes(), &["customer_contact", "past_value"]),
        (NOTE.as_bytes(), &["customer_timeline", "past_value"]),
        (REMARK.as_bytes(), &["clue_list_field", "past_value"]),
        (key, &["vault.data_keys"]),
    ] {
        let expected: BTreeSet<String> = holders.iter().map(|holder| (*holder).to_owned()).collect();
        let mut found = files.holding(canary).await;
        found.remove("pg_wal");
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(canary));
    }

    let ground = parse("request-of-the-person");
    world.done(&world.system(), &EraseCustomer { customer_id, ground }).await;
    served.caught_up().await;
    served.end().await;
    let guide = include_str!("../../docs/operators.md");
    let (_, statements) = guide.split_once("```sql\n").expect("the guide says how to scrub the files");
    let (statements, _) = statements.split_once("```").expect("it has an end");
    files.run(&files.former_copies().await.iter().map(String::as_str).collect::<Vec<_>>()).await;
    files.run(&statements.lines().collect::<Vec<_>>()).await;
    for canary in [NAME.as_bytes(), PHONE.as_bytes(), NOTE.as_bytes(), REMARK.as_bytes(), key] {
        assert_eq!(files.holding(canary).await, BTreeSet::new(), "{}", String::from_utf8_lossy(canary));
    }
}

/// A customer of whom every kind of personal text is known, among others.
async fn plant(world: &World) -> CustomerId {
    let agent = world.hire(&[Role::Agent]).await;
    let capture = world.capture(&Person { name: NAME, phone: PHONE }, None, Route::Assign(agent));
    let receipt = world.done(&world.system(), &capture).await;
    let clue_id: ClueId = id(&receipt, "clue_id");
    let remark = Some(FieldValue::Text(REMARK.to_owned().into()));
    let fields = WorkClue { clue_id, step: ClueStep::SetFields([(parse("remark"), remark)].into()) };
    world.done(&world.operator(agent), &fields).await;
    let release = ReleaseClue { clue_id, note: Personal::text(NOTE) };
    world.done(&world.operator(agent), &release).await;
    for number in 0..3 {
        world.pooled_clue(&format!("1390013900{number}")).await;
    }
    id(&receipt, "customer_id")
}
