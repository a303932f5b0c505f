//! Scaled dot-product attention (Vaswani et al. 2017, §3.2), computed head by head.

use rayon::prelude::*;
use rten_simd::ops::BitOps;
use rten_simd::{Isa, SimdOp};

use crate::elementwise::softmax;
use crate::float::{CHUNK, Target, multiply_panel, pack_input, tile_size};
use crate::simd;

/// The shape of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Tokens of each sequence.
    pub tokens: usize,
    /// Width of a token.
    pub width: usize,
    /// Number of heads.
    pub heads: usize,
    /// Whether a token attends only to itself and earlier tokens.
    pub is_causal: bool,
}

/// Buffers of one thread, reused for each head.
#[derive(Default)]
struct Scratch {
    packed: Vec<f32>,
    panel: Vec<f32>,
    /// `[tokens, tokens]`
    weights: Vec<f32>,
}

impl Attention {
    /// `softmax(Q Kᵀ / √d) V`, from `qkv`, `[rows, 3 · width]`, to `out`, `[rows, width]`. `by_head` is scratch space of the
    /// length of `out`.
    ///
    /// # Panics
    /// If the lengths do not match.
    pub fn forward(self, qkv: &[f32], by_head: &mut [f32], out: &mut [f32]) {
        let Self { tokens, width, heads, .. } = self;
        assert!(width.is_multiple_of(heads) && out.len().is_multiple_of(tokens * width), "whole images and heads");
        assert!(qkv.len() == 3 * out.len() && by_head.len() == out.len(), "sizes of attention");
        let head_width = width / heads;
        // [images, heads, tokens, head_width]
        by_head.par_chunks_mut(tokens * head_width).enumerate().for_each_init(
            Scratch::default,
            |scratch, (place, out)| {
                let (image, head) = (place / heads, place % heads);
                let qkv = &qkv[image * tokens * 3 * width..][..tokens * 3 * width];
                simd::run(Head { attention: self, qkv, first: head * head_width, scratch, out });
            },
        );
        out.par_chunks_mut(tokens * width).zip(by_head.par_chunks(tokens * width)).for_each(|(out, by_head)| {
            for (head, values) in by_head.chunks_exact(tokens * head_width).enumerate() {
                for (out, values) in out.chunks_exact_mut(width).zip(values.chunks_exact(head_width)) {
                    out[head * head_width..][..head_width].copy_from_slice(values);
                }
            }
        });
    }
}

/// One head of one sequence.
struct Head<'a> {
    attention: Attention,
    /// `[tokens, 3 · width]`
    qkv: &'a [f32],
    /// Offset of the head in a token's width.
    first: usize,
    scratch: &'a mut Scratch,
    /// `[tokens, head_width]`
    out: &'a mut [f32],
}

impl SimdOp for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        match isa.f32().len() {
            16 => self.run::<I, { tile_size(16).0 }, { tile_size(16).1 }>(isa),
            8 => self.run::<I, { tile_size(8).0 }, { tile_size(8).1 }>(isa),
            _ => self.run::<I, { tile_size(4).0 }, { tile_size(4).1 }>(isa),
        }
    }
}

impl Head<'_> {
    #[inline(always)]
    fn run<I: Isa, const ROWS: usize, const VECTORS: usize>(self, isa: I) {
        let Self { attention: Attention { tokens, width, heads, is_causal }, qkv, first, scratch, out } = self;
        let Scratch { packed, panel, weights } = scratch;
        let (head_width, columns) = (width / heads, VECTORS * isa.f32().len());
        let part = |which: usize, token: usize| &qkv[token * 3 * width + which * width + first..][..head_width];
        let scale = (head_width as f32).sqrt().recip();

        let mut queries: Vec<&[f32]> = (0..tokens).map(|token| part(0, token)).collect();
        pack_input::<ROWS>(
            &mut queries,
            packed,
            #[inline(always)]
            |value| value * scale,
        );
        weights.resize(tokens * tokens, 0.0);
        for start in (0..tokens).step_by(columns) {
            let end = tokens.min(start + columns);
            panel.clear();
            panel.resize(head_width.next_multiple_of(CHUNK) * columns, 0.0);
            for token in start..end {
                for (row, value) in panel.chunks_exact_mut(columns).zip(part(1, token)) {
                    row[token - start] = *value;
                }
            }
            let mut rows: Vec<&mut [f32]> = weights.chunks_exact_mut(tokens).collect();
            let target = Target { columns: start..end, bias: None, is_added: false };
            multiply_panel::<I, ROWS, VECTORS>(isa, packed, panel, &[], &mut rows, target);
        }

        for (token, weights) in weights.chunks_exact_mut(tokens).enumerate() {
            let (seen, unseen) = weights.split_at_mut(if is_causal { token + 1 } else { tokens });
            softmax(seen);
            unseen.fill(0.0);
        }

        let mut rows: Vec<&[f32]> = weights.chunks_exact(tokens).collect();
        pack_input::<ROWS>(
            &mut rows,
            packed,
            #[inline(always)]
            |value| value,
        );
        for start in (0..head_width).step_by(columns) {
            let end = head_width.min(start + columns);
            panel.clear();
            panel.resize(tokens.next_multiple_of(CHUNK) * columns, 0.0);
            for (token, row) in panel.chunks_exact_mut(columns).take(tokens).enumerate() {
                row[..end - start].copy_from_slice(&part(2, token)[start..end]);
            }
            let mut rows: Vec<&mut [f32]> = out.chunks_exact_mut(head_width).collect();
            let target = Target { columns: start..end, bias: None, is_added: false };
            multiply_panel::<I, ROWS, VECTORS>(isa, packed, panel, &[], &mut rows, target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{numbers, on_each_isa};

    #[test]
    fn attention_is_that_of_float64() {
        on_each_isa(|isa| {
            for (images, tokens, heads, head_width, is_causal) in [
                (1, 1, 1, 1, false),
                (2, 50, 3, 64, false),
                (3, 7, 2, 80, true),
                (1, 77, 2, 64, true),
                (1, 9, 1, 5, false),
            ] {
                let width = heads * head_width;
                let qkv: Vec<f32> = numbers(1, images * tokens * 3 * width).iter().map(|value| value * 2.0).collect();
                let mut out = vec![f32::NAN; images * tokens * width];
                let attention = Attention { tokens, width, heads, is_causal };
                attention.forward(&qkv, &mut vec![f32::NAN; out.len()], &mut out);
                for (place, found) in out.iter().enumerate() {
                    let (image, token, column) = (place / width / tokens, place / width % tokens, place % width);
                    let first = column / head_width * head_width;
                    let at = |which: usize, token: usize, column: usize| {
                        f64::from(qkv[(image * tokens + token) * 3 * width + which * width + column])
                    };
                    let seen = if is_causal { token + 1 } else { tokens };
                    let logits: Vec<f64> = (0..seen)
                        .map(|other| {
                            let terms = (first..first + head_width).map(|c| at(0, token, c) * at(1, other, c));
                            terms.sum::<f64>() / (head_width as f64).sqrt()
                        })
                        .collect();
                    let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                    let weights: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
                    let total: f64 = weights.iter().sum();
                    let terms = weights.iter().enumerate().map(|(other, weight)| weight / total * at(2, other, column));
                    let expected: f64 = terms.sum();
                    assert!((f64::from(*found) - expected).abs() < 1e-5, "{isa}, {place}: {found}, not {expected}");
                }
            }
        });
    }
}
