//! A linear layer and its rows, in the two kinds of numbers; and what a library does with it.

use std::fmt::{Debug, Display};

use tract_data::prelude::Datum;
use tsp_mgs_kernels::Store;

/// Numbers that a layer is of.
pub(crate) trait Numbers: 'static {
    type Input: Datum + Copy;
    type Weight: Datum + Copy;
    type Sum: Datum + Copy + Debug + Display;
    const ONE: Self::Sum;

    fn input(random: u64) -> Self::Input;
    fn weight(random: u64) -> Self::Weight;
    fn bias(random: u64) -> Self::Sum;
    fn is_same(a: Self::Sum, b: Self::Sum) -> bool;
}

/// Inputs, weights and sums in float32.
pub(crate) struct Float32;

/// Inputs of 8 bits without a sign, weights of 8 bits with one, sums of 32 bits.
pub(crate) struct Bytes;

/// What a library is given.
pub(crate) struct Layer<N: Numbers> {
    /// Row-major `[inputs, outputs]`
    pub(crate) weight: Vec<N::Weight>,
    /// `[outputs]`
    pub(crate) bias: Vec<N::Sum>,
    /// `[count, inputs]`
    pub(crate) rows: Vec<N::Input>,
    pub(crate) count: usize,
}

/// A layer whose weight a library has packed in its order, once; rows and results lie in the containers that it asks for.
pub(crate) trait Packed<N: Numbers> {
    /// `out = rows · weight + bias`, or that added to `out`, by the threads of rayon's current pool.
    fn product(&mut self, store: Store);

    fn out(&mut self) -> &mut [N::Sum];

    /// What the library calls what it took.
    fn kernel(&self) -> String {
        String::new()
    }
}

impl Numbers for Float32 {
    type Input = f32;
    type Weight = f32;
    type Sum = f32;
    const ONE: f32 = 1.0;

    fn input(random: u64) -> f32 {
        random as f32 / (1u64 << 31) as f32 - 1.0
    }

    fn weight(random: u64) -> f32 {
        Self::input(random)
    }

    fn bias(random: u64) -> f32 {
        Self::input(random)
    }

    /// Up to 4,096 products below 1, added in any order: 2⁻²⁴ of their sum's size, 1,000, for each that is added.
    fn is_same(a: f32, b: f32) -> bool {
        (a - b).abs() < 2e-3
    }
}

impl Numbers for Bytes {
    type Input = u8;
    type Weight = i8;
    type Sum = i32;
    const ONE: i32 = 1;

    fn input(random: u64) -> u8 {
        random as u8
    }

    /// In [−32, 32]. Any four add up to at most 128, which is what quantised weights are bounded to.
    fn weight(random: u64) -> i8 {
        (random % 65) as i8 - 32
    }

    fn bias(random: u64) -> i32 {
        (random % 100_000) as i32 - 50_000
    }

    fn is_same(a: i32, b: i32) -> bool {
        a == b
    }
}

impl<N: Numbers> Layer<N> {
    /// Other numbers for each seed.
    pub(crate) fn new(count: usize, inputs: usize, outputs: usize, seed: u64) -> Self {
        let mut state = seed;
        // Knuth's constants of MMIX; the upper bits are the better ones.
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 32
        };
        Self {
            weight: (0..inputs * outputs).map(|_| N::weight(random())).collect(),
            bias: (0..outputs).map(|_| N::bias(random())).collect(),
            rows: (0..count * inputs).map(|_| N::input(random())).collect(),
            count,
        }
    }

    pub(crate) fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len()
    }

    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }
}
