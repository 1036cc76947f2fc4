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
    /// What each round's callers waited.
    latencies: BTreeMap<(String, String), Vec<Latency>>,
    /// What the slowest hundredth may wait, in medians.
    ceilings: BTreeMap<(String, String), f64>,
}

/// How long the callers of one round waited, in milliseconds.
#[derive(Clone, Copy)]
struct Latency {
    p50: f64,
    p99: f64,
    p999: f64,
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
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| reached.percentile(share));
        latencies.push(Latency { p50, p99, p999 });
    }

    /// Asks that the 99th percentile is at most so many medians.
    pub fn ceiling(&mut self, section: &str, contender: &str, medians: f64) {
        self.ceilings.insert((section.to_owned(), contender.to_owned()), medians);
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
        println!(
            "\n| what | contender | p50 | p99 | p99.9 | p99 / p50, median of rounds | at most | |\n\
             |---|---|---|---|---|---|---|---|"
        );
        for (name, rounds) in &self.latencies {
            let of = |figure: fn(&Latency) -> f64| median(rounds.iter().map(figure).collect());
            let (p50, p99, p999) = (of(|round| round.p50), of(|round| round.p99), of(|round| round.p999));
            let spread = of(|round| round.p99 / round.p50);
            let (section, contender) = name;
            let ceiling = self.ceilings.get(name);
            let most = ceiling.map_or_else(String::new, |most| format!("{most:.0}"));
            let verdict = ceiling.map_or("", |most| if spread <= *most { "reached" } else { "**missed**" });
            println!(
                "| {section} | {contender} | {p50:.2} ms | {p99:.2} ms | {p999:.2} ms | {spread:.1} | {most} | \
                 {verdict} |"
            );
        }
    }
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
