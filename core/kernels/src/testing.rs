//! Helpers of the kernels' tests.

use std::sync::{Mutex, PoisonError};

use crate::{Isa, Linear, Store, Threads, WeightFormat};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Runs a test with each instruction set that this processor has. The set in use is global, so every test that packs or
/// multiplies must use this function.
pub(crate) fn on_each_isa(test: impl Fn(Isa)) {
    static IN_USE: Mutex<()> = Mutex::new(());
    let _in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    for &isa in Isa::available() {
        isa.limit().expect("it is available");
        test(isa);
    }
}

/// `count` pseudo-random values in [−1, 1) from a seed (SplitMix64).
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let draw = |index: u64| {
        let state = seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (1..=count as u64).map(draw).collect()
}

/// A layer's product. Checks that both ways of sharing and storing agree.
pub(crate) fn product(input: &[f32], weight: &[f32], bias: &[f32], format: WeightFormat) -> Vec<f32> {
    let layer = Linear::new(weight, bias.to_vec(), format);
    let rows = input.len() / layer.inputs();
    let mut overwritten = vec![f32::NAN; rows * bias.len()];
    layer.product(input, &mut overwritten, Store::Overwrite, Threads::One);
    let mut added = vec![1.0; rows * bias.len()];
    let mut add = || layer.product(input, &mut added, Store::Add, Threads::All);
    if cfg!(target_arch = "wasm32") {
        add(); // There is one thread.
    } else {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("three threads start");
        pool.install(add);
    }
    for (at, (added, overwritten)) in added.iter().zip(&overwritten).enumerate() {
        let difference = (added - 1.0 - overwritten).abs();
        assert!(difference <= 1e-5 * (1.0 + overwritten.abs()), "{at}: {added} added, {overwritten} written");
    }
    overwritten
}

/// Compares a product with float64. The `tolerance` is relative to the sum of the terms' magnitudes.
pub(crate) fn assert_close(found: &[f32], input: &[f32], weight: &[f32], bias: &[f32], tolerance: f64, case: &str) {
    let (outputs, inputs) = (bias.len(), weight.len() / bias.len());
    for (at, found) in found.iter().enumerate() {
        let (row, column) = (&input[at / outputs * inputs..][..inputs], at % outputs);
        let terms = row.iter().enumerate().map(|(i, x)| f64::from(*x) * f64::from(weight[i * outputs + column]));
        let (sum, size) = terms.fold((0.0, 1.0), |(sum, size), term| (sum + term, size + term.abs()));
        let expected = sum + f64::from(bias[column]);
        let difference = (f64::from(*found) - expected).abs();
        assert!(
            difference <= tolerance * size,
            "{case}, {inputs} inputs, {outputs} outputs, at {at}: {found}, not {expected}"
        );
    }
}

/// Computes a product and compares it with float64.
pub(crate) fn assert_product(
    input: &[f32],
    weight: &[f32],
    outputs: usize,
    format: WeightFormat,
    tolerance: f64,
    case: &str,
) {
    let bias = numbers(3, outputs);
    assert_close(&product(input, weight, &bias, format), input, weight, &bias, tolerance, case);
}
