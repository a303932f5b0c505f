//! This crate.

use tsp_mgs_kernels::{CodeSums, Linear, Store, Threads, WeightFormat};

use crate::layer::{Bytes, Float32, Layer, Packed};

/// A layer as the model has it, from float32 to float32 in each format.
pub(crate) struct Whole {
    layer: Linear,
    rows: Vec<f32>,
    out: Vec<f32>,
}

/// Sums of bytes alone.
pub(crate) struct Sums {
    weight: CodeSums,
    rows: Vec<u8>,
    out: Vec<i32>,
}

impl Whole {
    pub(crate) fn pack(layer: &Layer<Float32>, format: WeightFormat) -> Self {
        let out = vec![0.0; layer.count * layer.outputs()];
        Self { layer: Linear::new(&layer.weight, layer.bias.clone(), format), rows: layer.rows.clone(), out }
    }
}

impl Packed<Float32> for Whole {
    fn product(&mut self, store: Store) {
        self.layer.product(&self.rows, &mut self.out, store, Threads::All);
    }

    fn out(&mut self) -> &mut [f32] {
        &mut self.out
    }
}

impl Sums {
    pub(crate) fn pack(layer: &Layer<Bytes>) -> Self {
        let weight = CodeSums::new(&layer.weight, layer.bias.clone());
        Self { weight, rows: layer.rows.clone(), out: vec![0; layer.count * layer.outputs()] }
    }
}

impl Packed<Bytes> for Sums {
    fn product(&mut self, store: Store) {
        self.weight.product(&self.rows, &mut self.out, store);
    }

    fn out(&mut self) -> &mut [i32] {
        &mut self.out
    }
}
