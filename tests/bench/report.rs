//! Figures of rounds, and their ratios as a Markdown table.

use std::collections::BTreeMap;

use crate::load::Reached;

/// One contender's figures, a round each.
#[derive(Default)]
struct Series {
    unit: &'static str,
    rounds: Vec<f64>,
}

/// A ratio between two contenders, with the floor that it must reach.
struct Ratio {
    section: String,
    ours: String,
    base: String,
    floor: Option<f64>,
}

/// All figures of a run.
#[derive(Default)]
pub struct Report {
    series: BTreeMap<(String, String), Series>,
    ratios: Vec<Ratio>,
    /// Median and 99th percentile of each round, in milliseconds.
    latencies: BTreeMap<(String, String), Vec<(f64, f64)>>,
}

impl Report {
    /// Records a contender's figure of one round.
    pub fn record(&mut self, section: &str, contender: &str, unit: &'static str, figure: f64) {
        eprintln!("{section}: {contender}: {figure:.1} {unit}");
        let series = self.series.entry((section.to_owned(), contender.to_owned())).or_default();
        series.unit = unit;
        series.rounds.push(figure);
    }

    /// Records the rate and the latencies of commands.
    pub fn commands(&mut self, section: &str, contender: &str, reached: &Reached) {
        self.record(section, contender, "commands/s", reached.per_second);
        self.latencies(section, contender, reached);
    }

    /// Records the latencies of a round.
    pub fn latencies(&mut self, section: &str, contender: &str, reached: &Reached) {
        let latencies = self.latencies.entry((section.to_owned(), contender.to_owned())).or_default();
        latencies.push((reached.percentile(0.5), reached.percentile(0.99)));
    }

    /// Asks for a ratio, the median of the rounds' own ratios.
    pub fn ratio(&mut self, section: &str, ours: &str, base: &str, floor: Option<f64>) {
        let (section, ours, base) = (section.to_owned(), ours.to_owned(), base.to_owned());
        self.ratios.push(Ratio { section, ours, base, floor });
    }

    /// Prints everything as Markdown.
    pub fn print(&self) {
        println!("\n| what | contender | median | rounds |\n|---|---|---|---|");
        for ((section, contender), series) in &self.series {
            let rounds: Vec<String> = series.rounds.iter().map(|figure| format!("{figure:.0}")).collect();
            let (median, unit) = (median(series.rounds.clone()), series.unit);
            println!("| {section} | {contender} | {median:.0} {unit} | {} |", rounds.join(", "));
        }
        println!("\n| what | ratio | median of rounds | floor | |\n|---|---|---|---|---|");
        for ratio in &self.ratios {
            let figures = |name: &str| {
                self.series.get(&(ratio.section.clone(), name.to_owned())).map(|series| &series.rounds)
            };
            let (Some(ours), Some(base)) = (figures(&ratio.ours), figures(&ratio.base)) else { continue };
            let value = median(ours.iter().zip(base).map(|(ours, base)| ours / base).collect());
            let floor = ratio.floor.map_or_else(String::new, |floor| format!("{floor:.2}"));
            let verdict =
                ratio.floor.map_or("", |floor| if value >= floor { "reached" } else { "**missed**" });
            println!(
                "| {} | {} / {} | {value:.2} | {floor} | {verdict} |",
                ratio.section, ratio.ours, ratio.base
            );
        }
        println!("\n| what | contender | p50 | p99 | p99 / p50, median of rounds |\n|---|---|---|---|---|");
        for ((section, contender), rounds) in &self.latencies {
            let p50 = median(rounds.iter().map(|(p50, _)| *p50).collect());
            let p99 = median(rounds.iter().map(|(_, p99)| *p99).collect());
            let spread = median(rounds.iter().map(|(p50, p99)| p99 / p50).collect());
            println!("| {section} | {contender} | {p50:.2} ms | {p99:.2} ms | {spread:.1} |");
        }
    }
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
