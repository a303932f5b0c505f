//! Dequantisation of integer sums.

use std::ops::Range;

use rten_simd::ops::{BitOps, NumOps, ToFloat};
use rten_simd::{Elem, Isa, Simd, SimdOp};

use crate::part::Store;

/// `(sum − zero_point · column_sum) · row_scale · column_scale + bias`, written to some columns of `out` or added to them.
pub(super) struct Write<'a, 'b> {
    /// `[rows, width]`; columns past `columns` are ignored.
    pub(super) sums: &'a [i32],
    pub(super) width: usize,
    /// `[rows]`
    pub(super) row_scales: &'a [f32],
    pub(super) zero_points: &'a [f32],
    /// `[columns]`
    pub(super) column_scales: &'a [f32],
    pub(super) column_sums: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) store: Store,
    /// At least `[rows]`
    pub(super) out: &'a mut [&'b mut [f32]],
    pub(super) columns: Range<usize>,
}

impl SimdOp for Write<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let lanes = ops.len();
        for first in (0..self.columns.len()).step_by(lanes) {
            let [column_scales, column_sums, bias] =
                [self.column_scales, self.column_sums, self.bias].map(|values| load(ops, &values[first..]));
            let columns = self.columns.start + first..self.columns.end.min(self.columns.start + first + lanes);
            let rows = self.out.iter_mut().zip(self.sums.chunks_exact(self.width));
            for ((out, sums), (row_scale, zero)) in rows.zip(self.row_scales.iter().zip(self.zero_points)) {
                let sums = isa.i32().to_float(load(isa.i32(), &sums[first..]));
                let sums = ops.sub(sums, ops.mul(ops.splat(*zero), column_sums));
                let scale = ops.mul(ops.splat(*row_scale), column_scales);
                let product = ops.add(ops.mul(sums, scale), bias);
                let out = &mut out[columns.clone()];
                if out.len() == lanes {
                    let product = if self.store == Store::Add { ops.add(product, ops.load(out)) } else { product };
                    ops.store(product, out);
                    continue;
                }
                let products = product.to_array();
                for (out, product) in out.iter_mut().zip(products) {
                    *out = if self.store == Store::Add { *out + product } else { product };
                }
            }
        }
    }
}

/// Loads a vector; pads with zeros if there are too few values.
#[inline(always)]
fn load<T: Elem, O: BitOps<T>>(ops: O, values: &[T]) -> O::Simd {
    if values.len() < ops.len() { ops.load_pad(values).0 } else { ops.load(values) }
}
