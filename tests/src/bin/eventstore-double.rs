//! Runs the *double* of EventStoreDB until its input ends, to try the program by hand where there is no
//! server: `EVENT_STORE_URL` is what it prints. It forgets everything when it ends.

use tests::eventstore_double::EventStoreDouble;
use tokio::io::{AsyncReadExt, stdin};

#[tokio::main]
async fn main() {
    let double = EventStoreDouble::start().await;
    println!("{}", double.url());
    let mut input = [0; 64];
    while stdin().read(&mut input).await.is_ok_and(|bytes| bytes > 0) {}
}
