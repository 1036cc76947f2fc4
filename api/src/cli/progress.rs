//! Progress of long work: a bar on a terminal, log lines elsewhere.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use domain::Position;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a line is logged where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress of one piece of work.
pub(super) struct Progress {
    bar: ProgressBar,
    what: String,
    logged: Mutex<Instant>,
}

impl Progress {
    /// Begins to show work on `what`, counted in `unit`.
    pub fn begin(what: &str, unit: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template =
            format!("{{prefix}} [{{bar:30}}] {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what.to_owned());
        Self { bar, what: what.to_owned(), logged: Mutex::new(Instant::now()) }
    }

    /// Shows how far it is.
    pub fn show(&self, done: u64, of: u64) {
        if !self.bar.is_hidden() {
            self.bar.set_length(of);
            self.bar.set_position(done);
            return;
        }
        let Ok(mut logged) = self.logged.lock() else { return };
        if logged.elapsed() >= LINE_EVERY {
            *logged = Instant::now();
            tracing::info!(done, of, "{}", self.what);
        }
    }

    /// Shows how far along the log it is.
    pub fn positions(&self, position: Position, head: Position) {
        self.show(position.get().unsigned_abs(), head.get().unsigned_abs());
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
