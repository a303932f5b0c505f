//! The comparison as Markdown and JSON.

use tsp_mgs_kernels::Isa;

use crate::layer::Numbers;
use crate::{Case, HOPELESS, Running};

pub(crate) struct Report {
    isa: Isa,
    /// With the type of numbers.
    rows: Vec<(String, Row)>,
}

pub(crate) struct Row {
    tower: &'static str,
    views: usize,
    threads: usize,
    sides: Vec<Column>,
}

struct Column {
    name: &'static str,
    /// What the library calls what it took for each layer.
    kernels: Vec<String>,
    is_hopeless: bool,
    /// Results that differ from ours.
    wrong: usize,
    /// Operations a second, in thousand millions: of a block, and of each layer in it.
    block: f64,
    layers: [f64; 4],
}

impl Row {
    pub(crate) fn new<N: Numbers>(case: &Case, running: &[Running<N>]) -> Self {
        let operations = case.operations();
        let sides = running.iter().map(|side| {
            let layers = std::array::from_fn(|layer| {
                operations[layer] / median(side.seconds.iter().map(|each| each[layer])) / 1e9
            });
            let block =
                operations.iter().sum::<f64>() / median(side.seconds.iter().map(|each| each.iter().sum())) / 1e9;
            if let Some(rate) = side.hopeless {
                let (block, layers) = (rate / 1e9, [f64::NAN; 4]);
                return Column { name: side.name, kernels: Vec::new(), is_hopeless: true, wrong: 0, block, layers };
            }
            let mut kernels: Vec<String> = side.layers.iter().map(|layer| layer.kernel()).collect();
            kernels.dedup();
            Column { name: side.name, kernels, is_hopeless: false, wrong: side.wrong, block, layers }
        });
        Self { tower: case.tower, views: case.views, threads: case.threads, sides: sides.collect() }
    }
}

impl Report {
    pub(crate) fn new(isa: Isa) -> Self {
        Self { isa, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, kind: &str, row: Row) {
        self.rows.push((kind.to_owned(), row));
    }

    /// Markdown: a table for each type of numbers. Wrong results are marked, and kernels are named below.
    pub(crate) fn print(&self) {
        println!("10⁹ operations a second of the four layers of a block; ours with {}.", self.isa);
        let mut kind = "";
        for (this, row) in &self.rows {
            if this != kind {
                kind = this;
                let names: Vec<&str> = row.sides.iter().map(|side| side.name).collect();
                println!(
                    "\n| {kind} | views | threads | {} |\n|{}",
                    names.join(" | "),
                    " --- |".repeat(3 + names.len())
                );
            }
            let cells: Vec<String> = row.sides.iter().map(Column::cell).collect();
            println!("| {} | {} | {} | {} |", row.tower, row.views, row.threads, cells.join(" | "));
        }
        println!();
        let named = self.rows.iter().flat_map(|(kind, row)| row.sides.iter().map(move |side| (kind, side)));
        let mut lines: Vec<String> = named
            .filter(|(_, side)| side.kernels.iter().any(|kernel| !kernel.is_empty()))
            .map(|(kind, side)| format!("- {kind}, {}: {}", side.name, side.kernels.join(", ")))
            .collect();
        lines.sort();
        lines.dedup();
        lines.iter().for_each(|line| println!("{line}"));
        println!(
            "- †: results that are not ours'; ‡: {HOPELESS} times slower than ours with one layer of a single view, which is all that was measured"
        );
    }

    pub(crate) fn json(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(|(kind, row)| row.json(kind)).collect();
        format!("{{\"isa\": \"{}\", \"rows\": [\n{}\n]}}\n", self.isa, rows.join(",\n"))
    }
}

impl Row {
    fn json(&self, kind: &str) -> String {
        let Self { tower, views, threads, sides } = self;
        let sides: Vec<String> = sides.iter().map(Column::json).collect();
        let sides = sides.join(", ");
        format!(
            "{{\"type\": \"{kind}\", \"tower\": \"{tower}\", \"views\": {views}, \"threads\": {threads}, \"sides\": [{sides}]}}"
        )
    }
}

impl Column {
    fn cell(&self) -> String {
        let mark = if self.is_hopeless { "‡" } else { "" };
        format!("{:.1}{mark}{}", self.block, if self.wrong > 0 { "†" } else { "" })
    }

    fn json(&self) -> String {
        let Self { name, kernels, is_hopeless, wrong, block, layers } = self;
        let layers = if *is_hopeless { "null".to_owned() } else { format!("{layers:.1?}") };
        format!(
            "{{\"name\": \"{name}\", \"kernels\": {kernels:?}, \"wrong\": {wrong}, \"block\": {block:.1}, \"layers\": {layers}}}"
        )
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
