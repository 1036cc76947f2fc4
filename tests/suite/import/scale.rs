//! Many rows a commit; no more memory for a long file than for a short one.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use commands::clock::SystemClock;
use tests::generator::PLAIN;
use tests::stores::{Backend, Store};

use super::{Amounts, SALES, file, generated, run, service};

on_every_backend! {
    many_rows_share_a_commit,
}

async fn many_rows_share_a_commit(store: Store) {
    service(&store, SALES).await;
    let amounts = Amounts { people: 2_000, again: 0, repeated: 0, broken: 0, tangled: 0 };
    let (_folder, path, generated) = generated(7, PLAIN, amounts);
    // Every commit reads the clock once, and this one moves.
    let summary = run(&store.service(Arc::new(SystemClock)).await, &path).await.unwrap();
    assert_eq!(summary.accepted, generated.accepted);
    let commits = store.count("SELECT count(DISTINCT recorded_at) FROM events").await.unwrap() - 1;
    // Commits take up to 256; a busy machine gathers fewer in time.
    assert!((1..=40).contains(&commits), "2000 rows in {commits} commits");
}

/// How a child process is told what to do.
const CHILD: &str = "IMPORT_CHILD_MEASURES";
const PEAK: &str = "peak memory in kB: ";

#[test]
fn a_long_file_takes_no_more_memory_than_a_short_one() {
    // Rows that are rejected are the ones that are kept longest.
    let rows = |count: usize| {
        let mut text =
            "编号,渠道,活动,姓名,电话,备用电话,微信,时间,预算,品牌,城市,座位数,状态,成交价,备注\n".to_owned();
        for row in 0..count {
            writeln!(
                text,
                "{row},官网,,王芳,电话打错了,,,2026-03-01,10-15,大众,北京,5,公海,,备注很长很长很长"
            )
            .unwrap();
        }
        file(text.as_bytes())
    };
    let (_short_folder, short) = rows(2_000);
    let (_long_folder, long) = rows(200_000);
    let (small, large) = (peak(&short), peak(&long));
    let length = long.metadata().unwrap().len() / 1_024;
    assert!(large < small + length / 4, "{small} kB, then {large} kB for a file of {length} kB");
}

fn peak(path: &Path) -> u64 {
    let child = "import::scale::a_child_process_measures_its_memory";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture"])
        .env(CHILD, path)
        .output()
        .unwrap();
    assert!(output.status.success());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let peak = told.lines().find_map(|line| line.split_once(PEAK)).expect("the child tells");
    peak.1.trim().parse().unwrap()
}

/// The body of the child process. Without a parent it measures a file without rows.
#[tokio::test]
async fn a_child_process_measures_its_memory() {
    let (_folder, empty, _) =
        generated(8, PLAIN, Amounts { people: 0, again: 0, repeated: 0, broken: 0, tangled: 0 });
    let path = std::env::var_os(CHILD).map_or(empty, Into::into);
    let store = Store::fresh(Backend::Sqlite).await;
    let summary = run(&service(&store, SALES).await, &path).await.unwrap();
    assert_eq!(summary.rows, summary.rejected_rows());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells");
    println!("{PEAK}{}", peak.trim().trim_end_matches("kB").trim());
}
