use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_core::gpu::{Adapter, Epilogue, Queue};
use tsp_mgs_core::options::Options;
use tsp_mgs_core::preprocess::views;
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::scorer::{ImageTower, Input, Scorer};
use tsp_mgs_core::seeded;
use tsp_mgs_core::transformer::Attention;
use tsp_mgs_core::work::Counter;
use tsp_mgs_trainer::score::batching::score_batch;

use crate::support::compare::{assert_close, magnitude};
use crate::support::device::software_gpu;
use crate::support::program::assert_passes_alone;

/// The tolerance relative to the largest number, for sums of a few hundred products in float32.
const RELATIVE: f64 = 2e-6;

const ADAPTERS: [Adapter; 2] = [Adapter::Card, Adapter::Emulated];

/// Pseudorandom numbers that depend on a name and a count.
struct Numbers(Vec<f32>);

impl Numbers {
    fn new(name: &str, count: usize) -> Self {
        Self(seeded::uniform(name, 5, count))
    }

    fn on<const D: usize>(&self, shape: [usize; D], device: &Device) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.0.clone(), shape), device)
    }

    fn at(&self, place: usize) -> f64 {
        f64::from(self.0[place])
    }
}

fn queue(device: &Device, adapter: Adapter) -> Queue {
    Queue::of(&Tensor::<1>::zeros([4], device)).expect("a GPU").with_adapter(adapter)
}

fn assert_numbers<const D: usize>(found: Tensor<D>, expected: &[f64], what: &str) {
    let found: Vec<f32> = found.into_data().try_to_vec().expect("float32");
    let expected: Vec<f32> = expected.iter().map(|&number| number as f32).collect();
    assert_close(&found, &expected, (RELATIVE * f64::from(magnitude(&expected))).max(1e-6) as f32, what);
}

/// The error function, by its series or its continued fraction (Abramowitz & Stegun 1964, 7.1.6 and 7.1.14).
fn erf(x: f64) -> f64 {
    if x.abs() < 3.0 {
        let mut term = x;
        let mut sum = x;
        for n in 1..100 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
        }
        return std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum;
    }
    let fraction = (1..60).rev().fold(x.abs(), |fraction, n| x.abs() + f64::from(n) / 2.0 / fraction);
    x.signum() * (1.0 - (-x * x).exp() / (std::f64::consts::PI.sqrt() * fraction))
}

fn assert_product(device: &Device, adapter: Adapter, [rows, inputs, outputs]: [usize; 3], epilogue: Epilogue) {
    let (input, weight) = (Numbers::new("input", rows * inputs), Numbers::new("weight", inputs * outputs));
    let (bias, stream) = (Numbers::new("bias", outputs), Numbers::new("stream", rows * outputs));
    let mut expected = Vec::with_capacity(rows * outputs);
    for row in 0..rows {
        let mut sums: Vec<f64> = (0..outputs).map(|output| bias.at(output)).collect();
        for i in 0..inputs {
            let factor = input.at(row * inputs + i);
            sums.iter_mut().enumerate().for_each(|(output, sum)| *sum += factor * weight.at(i * outputs + output));
        }
        expected.extend(sums.into_iter().enumerate().map(|(output, sum)| match epilogue {
            Epilogue::Store => sum,
            Epilogue::QuickGelu => sum / (1.0 + (-1.702 * sum).exp()),
            Epilogue::Gelu => 0.5 * sum * (1.0 + erf(sum / 2f64.sqrt())),
            Epilogue::Accumulate => stream.at(row * outputs + output) + sum,
        }));
    }
    let found = queue(device, adapter).linear(
        input.on([rows, inputs], device),
        weight.on([inputs, outputs], device),
        bias.on([outputs], device),
        stream.on([rows, outputs], device),
        epilogue,
    );
    assert_numbers(found, &expected, &format!("{rows} × {inputs} × {outputs}, {epilogue:?}, {adapter:?}"));
}

#[test]
fn products_of_all_sizes_and_ends_are_right() {
    let device = software_gpu();
    for adapter in ADAPTERS {
        for epilogue in [Epilogue::Store, Epilogue::QuickGelu, Epilogue::Gelu, Epilogue::Accumulate] {
            // One number, less than a tile, a tile, and several tiles with remainders in all dimensions.
            for sizes in [[1, 4, 4], [7, 12, 20], [64, 64, 64], [65, 20, 68], [150, 196, 132]] {
                assert_product(&device, adapter, sizes, epilogue);
            }
        }
        // Enough rows for large tiles, of which the last ones are not full.
        assert_product(&device, adapter, [2_100, 20, 2_052], Epilogue::Store);
        assert_product(&device, adapter, [4_300, 8, 1_000], Epilogue::Accumulate);
    }
}

#[test]
fn layer_norms_of_all_widths_are_right() {
    let device = software_gpu();
    for adapter in ADAPTERS {
        for [rows, width] in [[1, 4], [3, 64], [65, 260], [70, 768], [33_000, 4]] {
            let (mut input, gamma) = (Numbers::new("input", rows * width), Numbers::new("gamma", width));
            let beta = Numbers::new("beta", width);
            // The values are far from zero, where a mean of squares would lose the deviation to rounding. The four numbers of a
            // short row can be close to each other, which amplifies rounding.
            let mean = if width > 4 { 100.0 } else { 1.0 };
            input.0.iter_mut().for_each(|number| *number += mean);
            let mut expected = Vec::with_capacity(rows * width);
            for row in 0..rows {
                let row: Vec<f64> = (0..width).map(|i| input.at(row * width + i)).collect();
                let mean = row.iter().sum::<f64>() / width as f64;
                let variance = row.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / width as f64;
                let scale = (variance + 1e-5).sqrt().recip();
                expected.extend(row.iter().enumerate().map(|(i, n)| (n - mean) * scale * gamma.at(i) + beta.at(i)));
            }
            let found = queue(&device, adapter).layer_norm(
                input.on([rows, width], &device),
                gamma.on([width], &device),
                beta.on([width], &device),
            );
            let expected: Vec<f32> = expected.into_iter().map(|number| number as f32).collect();
            let found: Vec<f32> = found.into_data().try_to_vec().expect("float32");
            // Adjacent float32 numbers near 100 differ by 8e-6.
            assert_close(&found, &expected, 1e-4, &format!("{rows} rows of {width}, {adapter:?}"));
        }
    }
}

fn assert_attention(device: &Device, adapter: Adapter, [batch, tokens, heads, head]: [usize; 4], order: Attention) {
    let width = heads * head;
    let mut qkv = Numbers::new("qkv", batch * tokens * 3 * width);
    // The logits differ by more than float32 exponentials can represent.
    qkv.0.iter_mut().for_each(|number| *number *= 4.0);
    let mut expected = vec![0.0; batch * tokens * width];
    for place in 0..batch * heads * tokens {
        let (image, head_idx, query) = (place / heads / tokens, place / tokens % heads, place % tokens);
        let at = |token: usize, part: usize, i: usize| {
            qkv.at((image * tokens + token) * 3 * width + part * width + head_idx * head + i)
        };
        let seen = if order == Attention::Causal { query + 1 } else { tokens };
        let similarity =
            |key: usize| (0..head).map(|i| at(query, 0, i) * at(key, 1, i)).sum::<f64>() / (head as f64).sqrt();
        let similarities: Vec<f64> = (0..seen).map(similarity).collect();
        let largest = similarities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = similarities.iter().map(|s| (s - largest).exp()).collect();
        let total: f64 = weights.iter().sum();
        for i in 0..head {
            let mean: f64 = weights.iter().enumerate().map(|(key, weight)| weight / total * at(key, 2, i)).sum();
            expected[(image * tokens + query) * width + head_idx * head + i] = mean;
        }
    }
    let qkv = qkv.on([batch, tokens, 3 * width], device);
    let found = queue(device, adapter).attention(qkv, heads, order);
    let found: Vec<f32> = found.into_data().try_to_vec().expect("float32");
    let expected: Vec<f32> = expected.into_iter().map(|number| number as f32).collect();
    let what = format!("{batch} × {tokens} tokens, {heads} heads of {head}, {order:?}, {adapter:?}");
    // Logits reach 100, where float32 has steps of 8e-6, and their exponentials multiply values of up to 4.
    assert_close(&found, &expected, 2e-4, &what);
}

#[test]
fn attention_of_all_sizes_and_orders_is_right() {
    let device = software_gpu();
    for adapter in ADAPTERS {
        for order in [Attention::Full, Attention::Causal] {
            // Published and other widths of heads, and the numbers of tokens of a short text, ViT-B/32, a full text and ViT-L/14.
            for sizes in [
                [1, 1, 1, 64],
                [3, 7, 2, 32],
                [2, 50, 3, 64],
                [2, 77, 2, 80],
                [1, 65, 1, 88],
                [1, 257, 1, 104],
                [1, 130, 2, 128],
            ] {
                assert_attention(&device, adapter, sizes, order);
            }
        }
    }
}

/// The number of kernels that scoring may compile, including burn's.
const KERNELS: usize = 60;
/// The number of dispatches for a batch of texts and views, with towers of two blocks each.
const DISPATCHES: usize = 200;

/// ViT-B/32 with two blocks in each tower.
fn shallow_scorer(crops: usize) -> Scorer {
    let mut config = ClipConfig::vit_b_32();
    config.vision.layers = 2;
    config.text.as_mut().expect("a text tower").layers = 2;
    let tasks = [Task::Perception, Task::Alignment].map(|task| Options { crops, ..Options::default_for(task) });
    let checkpoint = seeded::checkpoint(config, 3);
    Scorer::load(checkpoint, None, tasks.to_vec(), ImageTower::default(), software_gpu()).expect("a scorer")
}

#[test]
fn scoring_compiles_few_kernels_and_all_of_them_ahead() {
    assert_passes_alone("gpu::kernels_in_a_process_of_their_own");
}

#[test]
#[ignore = "another test runs it, alone in its process"]
fn kernels_in_a_process_of_their_own() {
    let mut counter = Counter::start();
    let mut scorer = shallow_scorer(1);
    scorer.prepare().expect("kernels");
    let prepared = counter.take();
    println!("preparation: {prepared}");
    assert!(prepared.kernels <= KERNELS, "{prepared}");

    let prompts =
        [Some("a cat"), None, Some("two dogs on a red sofa, one of them antidisestablishmentarian"), Some("x")];
    let mut score = |scorer: &mut Scorer, images: usize| {
        let image = views(&RgbImage::new(512, 512), scorer.view_plan()).expect("views");
        let inputs: Vec<Input> =
            (0..images).map(|i| Input { views: &image, prompt: prompts[i % prompts.len()] }).collect();
        let scores = score_batch(scorer, &inputs).expect("scores");
        assert_eq!(scores.len(), images);
        let work = counter.take();
        println!("{images} images of {} views: {work}", scorer.view_plan().len());
        work
    };
    let mut works = vec![score(&mut scorer, 1), score(&mut scorer, 4), score(&mut scorer, 2)];
    let mut other = shallow_scorer(3);
    works.push(score(&mut other, 2));
    for work in works {
        assert!(work.new_kernels == 0 && work.dispatches <= DISPATCHES, "{work}");
    }
}
