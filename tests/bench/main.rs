//! The benchmarks: ours, the stock libraries and the physical limit, interleaved in one run.
//!
//! Absolute figures belong to a machine; what counts is the ratio of figures of one round. Every
//! step runs once a round, so that a busy neighbour slows all contenders alike.

#![allow(missing_docs, reason = "a program")]

mod append;
mod cluster;
mod limits;
mod lists;
mod load;
mod log_append;
mod memory;
mod mutations;
mod past;
mod plain;
mod rebuild;
mod replay;
mod replay_http;
mod report;
mod same_server;
mod served;
mod stock;
mod stock_customers;
mod verify;
mod wire;

use std::process::ExitCode;

use report::Report;

/// The allocator of the program; every contender of this process has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if memory::is_program() {
        return api::run();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    // Cargo adds a word of its own.
    let only: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    runtime.block_on(async {
        let mut report = Report::default();
        if wanted("append") {
            append::on_postgres(&mut report).await;
        }
        if wanted("log") {
            log_append::run(&mut report).await;
        }
        if wanted("sqlite") {
            append::on_sqlite(&mut report).await;
        }
        if wanted("eventstore") {
            append::on_the_eventstore_double(&mut report).await;
        }
        if wanted("replay") {
            replay::run(&mut report).await;
        }
        if wanted("replay_http") {
            replay_http::run(&mut report).await;
        }
        if wanted("verify") {
            verify::run(&mut report).await;
        }
        if wanted("rebuild") {
            rebuild::run(&mut report).await;
        }
        if wanted("mutations") {
            mutations::run(&mut report).await;
        }
        if wanted("lists") {
            lists::run(&mut report).await;
        }
        if wanted("past") {
            past::run(&mut report).await;
        }
        // Not with the others, for it takes as long as all of them.
        if only.iter().any(|only| only == "memory") {
            memory::run(&mut report).await;
        }
        report.print();
    });
    ExitCode::SUCCESS
}
