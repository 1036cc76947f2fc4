//! Fail points: named places at which this process kills or stops itself, for fault tests.
//!
//! Guarantees: they are only in a build with the feature `fail-points`, and do nothing there unless
//! the environment names one; the end that they bring is SIGKILL, so nothing is flushed, closed or
//! answered; an order that makes no sense ends the program at once.
//!
//! Deliberately absent: a list of the names. `docs/faults.md` has it, and a test compares it with the
//! code.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

/// What to do where: `NAME=kill:3` at the third time that `NAME` is passed, `NAME=stop:1`; several
/// with commas between.
const VARIABLE: &str = "FAIL_POINTS";

/// How long a signal takes at most to be taken.
const TAKEN: Duration = Duration::from_millis(500);

/// Arms the fail points that the environment names.
pub(crate) fn arm() -> Result<(), String> {
    let Ok(orders) = std::env::var(VARIABLE) else { return Ok(()) };
    orders.split(',').filter(|order| !order.is_empty()).try_for_each(arm_one)
}

fn arm_one(order: &str) -> Result<(), String> {
    let wrong = || format!("{VARIABLE}: {order} is not NAME=kill:TIMES or NAME=stop:TIMES");
    let (name, what) = order.split_once('=').ok_or_else(wrong)?;
    let (action, times) = what.split_once(':').ok_or_else(wrong)?;
    let times: u64 = times.parse().map_err(|_| wrong())?;
    let signal = match action {
        "kill" => Signal::KILL,
        "stop" => Signal::STOP,
        _ => return Err(wrong()),
    };
    if times == 0 {
        return Err(wrong());
    }
    let (passed, told) = (AtomicU64::new(0), name.to_owned());
    fail::cfg_callback(name, move || {
        if passed.fetch_add(1, Ordering::SeqCst) + 1 == times {
            eprintln!("fail point {told} reached");
            // Nobody can refuse a signal to itself. Another thread may be the one that takes it: this one
            // must not pass before it has come.
            let _ = kill_process(getpid(), signal);
            std::thread::sleep(TAKEN);
        }
    })
}
