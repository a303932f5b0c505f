//! Integer sums by float32 products, for processors without 8-bit products.
//!
//! Integers below 2²⁴ are exact in float32. The inputs are split into parts whose sums stay below that.

use std::ops::Range;

use super::sums::{LEVELS, Sums};
use super::weight::{GROUP, LARGEST_SUM};
use crate::float::Panels;
use crate::part::{Epilogue, Part, Store};

/// Inputs of a part. Each half of a group adds at most `LEVELS * LARGEST_SUM` to the magnitude of a sum.
const DEPTH: usize = (1 << 24) / (LEVELS * LARGEST_SUM) as usize / 2 * GROUP;

/// The parts of a weight.
pub(super) struct Parts {
    panels: Vec<Panels>,
    inputs: usize,
}

impl Parts {
    /// Packs a weight, row-major `[inputs, outputs]`.
    pub(super) fn new(codes: &[i8], outputs: usize) -> Self {
        let part = |codes: &[i8]| {
            let numbers: Vec<f32> = codes.iter().map(|&code| f32::from(code)).collect();
            Panels::float32(&numbers, outputs)
        };
        Self { panels: codes.chunks(DEPTH * outputs).map(part).collect(), inputs: codes.len() / outputs }
    }

    pub(super) fn columns_step(&self) -> usize {
        self.panels[0].columns_step()
    }

    /// As [`super::Codes::multiply`].
    pub(super) fn multiply(&self, rows: &[u8], columns: Range<usize>, each: &mut dyn FnMut(Sums)) {
        let (width, count) = (columns.len(), rows.len() / self.inputs);
        let mut sums = vec![0; count * width];
        let mut products = vec![0.0; count * width];
        let bias = vec![0.0; width];
        for (place, panels) in self.panels.iter().enumerate() {
            let first = place * DEPTH;
            let part = first..self.inputs.min(first + DEPTH);
            let input: Vec<f32> = rows
                .chunks_exact(self.inputs)
                .flat_map(|row| row[part.clone()].iter().map(|&code| f32::from(code)))
                .collect();
            let mut out: Vec<&mut [f32]> = products.chunks_exact_mut(width).collect();
            let epilogue = Epilogue { bias: &bias, store: Store::Overwrite };
            panels.multiply(Part { input: &input, epilogue, out: &mut out, columns: columns.clone() });
            sums.iter_mut().zip(&products).for_each(|(sum, product)| *sum += *product as i32);
        }
        each(Sums { values: &sums, width, first_row: 0, first_column: columns.start });
    }
}
