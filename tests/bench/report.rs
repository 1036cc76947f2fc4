//! Figures of rounds, and their ratios as a Markdown table.

use std::collections::BTreeMap;

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
    notes: Vec<String>,
}

impl Report {
    /// Records a contender's figure of one round.
    pub fn record(&mut self, section: &str, contender: &str, unit: &'static str, figure: f64) {
        eprintln!("{section}: {contender}: {figure:.1} {unit}");
        let series = self.series.entry((section.to_owned(), contender.to_owned())).or_default();
        series.unit = unit;
        series.rounds.push(figure);
    }

    /// Asks for a ratio, the median of the rounds' own ratios.
    pub fn ratio(&mut self, section: &str, ours: &str, base: &str, floor: Option<f64>) {
        let (section, ours, base) = (section.to_owned(), ours.to_owned(), base.to_owned());
        self.ratios.push(Ratio { section, ours, base, floor });
    }

    /// Adds a line of prose.
    pub fn note(&mut self, note: String) {
        eprintln!("{note}");
        self.notes.push(note);
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
        for note in &self.notes {
            println!("\n{note}");
        }
    }
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
