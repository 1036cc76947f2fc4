//! Progress of long work, its speed and the time that is left: a bar on a terminal, log lines elsewhere.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use domain::Position;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use projections::Phase;

/// How often a line is logged where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress of one piece of work.
pub(super) struct Progress {
    bar: ProgressBar,
    what: String,
    logged: Mutex<Logged>,
}

/// What was known when it was shown first and last.
struct Logged {
    /// When the work began and how far it was, once that is known: it need not begin at zero.
    begin: Option<(Instant, u64)>,
    last: Instant,
}

impl Progress {
    /// Begins to show work on `what`, counted in `unit`.
    pub fn begin(what: &str, unit: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template = format!(
            "{{prefix}} [{{bar:30}}] {{percent}}%, {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left"
        );
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what.to_owned());
        let logged = Logged { begin: None, last: Instant::now() };
        Self { bar, what: what.to_owned(), logged: Mutex::new(logged) }
    }

    /// Shows how far it is.
    pub fn show(&self, done: u64, of: u64) {
        let Ok(mut logged) = self.logged.lock() else { return };
        let first = logged.begin.is_none();
        let (began, from) = *logged.begin.get_or_insert((Instant::now(), done));
        if !self.bar.is_hidden() {
            if first {
                // What was done before is no speed of this work.
                self.bar.set_position(done);
                self.bar.reset_eta();
            }
            self.bar.set_length(of);
            self.bar.set_position(done);
            return;
        }
        if logged.last.elapsed() >= LINE_EVERY {
            logged.last = Instant::now();
            let Pace { percent, per_second, seconds_left } =
                pace(done - from.min(done), done, of, began.elapsed());
            tracing::info!(done, of, percent, per_second, seconds_left, "{}", self.what);
        }
    }

    /// Shows how far along the log it is.
    pub fn positions(&self, position: Position, head: Position) {
        self.show(position.get().unsigned_abs(), head.get().unsigned_abs());
    }

    /// Shows what a replay of a read model is at.
    pub fn replay(&self, model: &str, at: projections::Progress) {
        let doing = match at.phase {
            Phase::Building => None,
            Phase::Indexing => Some("indexing"),
            Phase::Comparing => Some("comparing"),
            Phase::Swapping => Some("swapping"),
        };
        if let Some(doing) = doing
            && self.bar.is_hidden()
        {
            tracing::info!(doing, "{}", self.what);
        }
        self.bar.set_prefix(doing.map_or_else(|| model.to_owned(), |doing| format!("{model}: {doing}")));
        self.positions(at.position, at.head);
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// How fast work goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    percent: u64,
    per_second: u64,
    /// Not known before anything is done.
    seconds_left: Option<u64>,
}

/// The pace of work that did `since` of `done` in this time, of `of` in all.
fn pace(since: u64, done: u64, of: u64, elapsed: Duration) -> Pace {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_second = since.saturating_mul(1_000) / millis;
    let left = of.saturating_sub(done);
    let seconds_left = (since > 0).then(|| left.saturating_mul(millis) / since / 1_000);
    Pace { percent: done.min(of).saturating_mul(100) / of.max(1), per_second, seconds_left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_that_of_what_was_done_in_this_run() {
        let ten = Duration::from_secs(10);
        let expected = Pace { percent: 60, per_second: 100, seconds_left: Some(40) };
        assert_eq!(pace(1_000, 6_000, 10_000, ten), expected, "what was done before is no speed");
        assert_eq!(pace(0, 0, 10_000, ten).seconds_left, None);
        assert_eq!(pace(10, 10, 10, ten), Pace { percent: 100, per_second: 1, seconds_left: Some(0) });
        assert_eq!(pace(0, 0, 0, Duration::ZERO).percent, 0);
    }
}
