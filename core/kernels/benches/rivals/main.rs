//! The linear layers of CLIP's image towers beside those of other libraries: results are compared, then timed in turns.
//!
//! Each library packs the weights once, in its own order. Timed is what a layer costs then: packing rows, products, bias, and
//! adding to what was there, as every second layer of a block does. All layers of some blocks go by in order, so that weights
//! come from where they would come from in a tower: the memory, where there are few rows.
//!
//! `make bench-kernels BENCH=--quick`; [`Options`] tells what else can be asked for.

mod general;
mod layer;
mod ours;
mod report;
mod rten;
mod tract;

use std::str::FromStr;
use std::time::Instant;

use general::Gemm;
use layer::{Bytes, Float32, Layer, Numbers, Packed};
use ours::{Sums, Whole};
use rayon::ThreadPoolBuilder;
use report::{Report, Row};
use rten::Rten;
use tract::{First, Tract};
use tsp_mgs_kernels::{Isa, Store, WeightFormat};

/// Name, width, and tokens of a view.
const TOWERS: [(&str, usize, usize); 3] = [("B/32", 768, 50), ("B/16", 768, 197), ("L/14", 1024, 257)];
/// Operations of a sample, of one block after the other, each with weights of its own; those of ViT-B/32 take 28 MB.
const SAMPLE: f64 = 20e9;
const MOST_BLOCKS: usize = 3;

/// A side that takes so many times as long as ours for one layer of a single view is left at that.
const HOPELESS: f64 = 20.0;

/// The command line: a flag and its value.
struct Options {
    /// `--towers B/32,B/16,L/14`
    towers: Vec<String>,
    /// `--views 1,16,64`
    views: Vec<usize>,
    /// `--threads 1,2`
    threads: Vec<usize>,
    /// `--types float32,bytes`
    types: Vec<String>,
    /// `--rounds 5`
    rounds: usize,
    /// `--isa NAME`: limits ours; for tract there is its variable TRACT_CPU_ISA
    isa: Option<Isa>,
    /// `--only NAME`: one side, by name
    only: Option<String>,
    /// `--count 2`: so many times the layers of one block and nothing else, for a counter of instructions
    count: Option<usize>,
    /// `--json FILE`
    json: Option<String>,
}

/// A name, and what packs a layer.
type Side<N> = (&'static str, fn(&Layer<N>) -> Box<dyn Packed<N>>);

const SIDES: [Side<Float32>; 7] = [
    ("ours", |layer| Box::new(Whole::pack(layer, WeightFormat::Float32))),
    ("gemm", |layer| Box::new(Gemm::pack(layer))),
    ("rten-gemm", |layer| Box::new(Rten::pack(layer))),
    ("tract, weight first", |layer| Box::new(Tract::pack(layer, First::Weight))),
    ("tract, rows first", |layer| Box::new(Tract::pack(layer, First::Rows))),
    ("ours in bfloat16", |layer| Box::new(Whole::pack(layer, WeightFormat::BFloat16))),
    ("ours in 8 bits", |layer| Box::new(Whole::pack(layer, WeightFormat::Int8))),
];
/// Those of them that compute the same.
const EXACT: usize = 5;

const SIDES_OF_BYTES: [Side<Bytes>; 4] = [
    ("ours", |layer| Box::new(Sums::pack(layer))),
    ("rten-gemm", |layer| Box::new(Rten::pack(layer))),
    ("tract, weight first", |layer| Box::new(Tract::pack(layer, First::Weight))),
    ("tract, rows first", |layer| Box::new(Tract::pack(layer, First::Rows))),
];

fn main() {
    let options = Options::new();
    if let Some(isa) = options.isa {
        isa.limit().unwrap_or_else(|error| refuse(&error.to_string()));
    }
    let mut report = Report::new(Isa::current());
    for kind in &options.types {
        for (tower, width, tokens) in
            TOWERS.into_iter().filter(|(name, ..)| options.towers.iter().any(|each| each == name))
        {
            for &views in &options.views {
                for &threads in &options.threads {
                    let case = Case { tower, width, rows: tokens * views, views, threads };
                    let row = || match kind.as_str() {
                        "float32" => case.row(&options, &SIDES, EXACT),
                        "bytes" => case.row(&options, &SIDES_OF_BYTES, SIDES_OF_BYTES.len()),
                        _ => refuse("--types are float32 and bytes"),
                    };
                    // A thread belongs to one pool for ever.
                    let row = std::thread::scope(|scope| scope.spawn(row).join());
                    report.add(kind, row.expect("a case that panicked has said why"));
                }
            }
        }
    }
    report.print();
    if let Some(path) = &options.json {
        std::fs::write(path, report.json()).unwrap_or_else(|error| refuse(&format!("{path}: {error}")));
    }
}

struct Case {
    tower: &'static str,
    width: usize,
    rows: usize,
    views: usize,
    threads: usize,
}

/// A side of a case: the layers of all blocks, and what it takes for each layer, round by round.
struct Running<N: Numbers> {
    name: &'static str,
    layers: Vec<Box<dyn Packed<N>>>,
    seconds: Vec<[f64; 4]>,
    /// Operations a second where that is all that was measured.
    hopeless: Option<f64>,
    /// Results that differ from the first side's.
    wrong: usize,
}

impl Case {
    /// Inputs and outputs of a block's layers: queries, keys and values; their projection; the two of the perceptron.
    fn layers(&self) -> [(usize, usize); 4] {
        let width = self.width;
        [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    }

    /// Of a multiplication and an addition, each.
    fn operations(&self) -> [f64; 4] {
        self.layers().map(|(inputs, outputs)| 2.0 * (self.rows * inputs * outputs) as f64)
    }

    fn row<N: Numbers>(&self, options: &Options, sides: &[Side<N>], exact: usize) -> Row {
        let pool = ThreadPoolBuilder::new().num_threads(self.threads).use_current_thread();
        let _pool = pool.build().expect("this thread has no pool yet");
        let block: f64 = self.operations().iter().sum();
        let blocks = if options.count.is_some() { 1 } else { ((SAMPLE / block) as usize).clamp(1, MOST_BLOCKS) };
        let mut running: Vec<Running<N>> = Vec::new();
        let mut fastest = None;
        for (place, (name, pack)) in
            sides.iter().enumerate().filter(|(_, side)| options.only.as_ref().is_none_or(|only| only == side.0))
        {
            let mut side = Running { name, layers: Vec::new(), seconds: Vec::new(), hopeless: None, wrong: 0 };
            if options.count.is_none() {
                let probed = self.probed(*pack);
                if probed * HOPELESS < *fastest.get_or_insert(probed) {
                    side.hopeless = Some(probed);
                    running.push(side);
                    continue;
                }
            }
            for seed in 0..blocks {
                let packed = self.layers().into_iter().zip(1..).map(|((inputs, outputs), layer)| {
                    pack(&Layer::new(self.rows, inputs, outputs, 10 * seed as u64 + layer))
                });
                side.layers.extend(packed);
            }
            if let Some(times) = options.count {
                (0..times).for_each(|_| {
                    side.block();
                });
            } else if let Some(first) = running.first_mut().filter(|_| place < exact) {
                side.wrong = side.differences(first);
            }
            running.push(side);
        }
        for _ in 0..if options.count.is_some() { 0 } else { options.rounds } {
            for side in running.iter_mut().filter(|side| side.hopeless.is_none()) {
                let mut seconds = [0.0; 4];
                // One by one at least as long as a sample, whatever a product takes.
                let (start, mut times) = (Instant::now(), 0);
                while times == 0 || start.elapsed().as_secs_f64() < 0.1 {
                    let each = side.block();
                    seconds.iter_mut().zip(each).for_each(|(seconds, each)| *seconds += each);
                    times += blocks;
                }
                side.seconds.push(seconds.map(|seconds| seconds / times as f64));
            }
        }
        Row::new(self, &running)
    }

    /// Operations a second of one layer of a single view, at the second try.
    fn probed<N: Numbers>(&self, pack: fn(&Layer<N>) -> Box<dyn Packed<N>>) -> f64 {
        let (rows, width) = (self.rows / self.views, self.width);
        let mut layer = pack(&Layer::new(rows, width, width, 1));
        layer.product(Store::Overwrite);
        let start = Instant::now();
        layer.product(Store::Overwrite);
        2.0 * (rows * width * width) as f64 / start.elapsed().as_secs_f64()
    }
}

impl<N: Numbers> Running<N> {
    /// The layers of all blocks, and the seconds that each took in them. Every second one adds to what was there.
    fn block(&mut self) -> [f64; 4] {
        let mut seconds = [0.0; 4];
        for (place, layer) in self.layers.iter_mut().enumerate() {
            let store = if place % 2 == 1 { Store::Add } else { Store::Overwrite };
            let start = Instant::now();
            layer.product(store);
            seconds[place % 4] += start.elapsed().as_secs_f64();
        }
        seconds
    }

    /// Results of the layers of one block that are not the other side's, in both ways of storing them.
    fn differences(&mut self, other: &mut Self) -> usize {
        let mut different = 0;
        for (a, b) in self.layers.iter_mut().zip(&mut other.layers).take(4) {
            for store in [Store::Overwrite, Store::Add] {
                for side in [&mut *a, &mut *b] {
                    side.out().fill(N::ONE);
                    side.product(store);
                }
                different += a.out().iter().zip(b.out()).filter(|(a, b)| !N::is_same(**a, **b)).count();
            }
        }
        different
    }
}

impl Options {
    fn new() -> Self {
        let mut options = Self {
            towers: TOWERS.map(|(name, ..)| name.to_owned()).to_vec(),
            views: vec![1, 16, 64],
            threads: vec![1, 2],
            types: vec!["float32".to_owned(), "bytes".to_owned()],
            rounds: 5,
            isa: None,
            only: None,
            count: None,
            json: None,
        };
        // Cargo's own flag is not for us.
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(flag) = words.next() {
            if flag == "--quick" {
                options.towers.truncate(1);
                (options.views, options.threads, options.rounds) = (vec![1, 16], vec![1], 2);
                continue;
            }
            let value = words.next().unwrap_or_else(|| refuse(&format!("{flag} has no value")));
            match flag.as_str() {
                "--towers" => options.towers = list(&value),
                "--views" => options.views = list(&value),
                "--threads" => options.threads = list(&value),
                "--types" => options.types = list(&value),
                "--rounds" => options.rounds = number(&value),
                "--isa" => options.isa = Some(value.parse().unwrap_or_else(|error: String| refuse(&error))),
                "--only" => options.only = Some(value),
                "--count" => options.count = Some(number(&value)),
                "--json" => options.json = Some(value),
                _ => refuse(&format!("{flag} is not known")),
            }
        }
        options
    }
}

fn list<T: FromStr>(text: &str) -> Vec<T> {
    text.split(',').map(number).collect()
}

fn number<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| refuse(&format!("{text} is no value")))
}

/// Ends for wrong usage.
fn refuse(why: &str) -> ! {
    eprintln!("error: {why}");
    std::process::exit(2)
}
