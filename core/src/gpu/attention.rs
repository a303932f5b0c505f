//! Attention in one pass over the keys. A unit keeps its query and the weighted sum of values in registers.
//!
//! Reference: online softmax (Milakov & Gimelshein 2018, arXiv 1805.02867). The largest similarity so far is subtracted before
//! exponentials are computed. When a larger one is found, the sums so far are rescaled.

use cubecl::prelude::*;

use super::grid::{Adapter, LANES, Vec4};
use crate::transformer::Attention;

/// Queries of a workgroup. Each unit has one.
const QUERIES: usize = 64;
/// Keys and values that a card's workgroup holds in shared memory at a time: 16 kB for the widest head.
const KEYS: usize = 16;
/// Keys that a unit compares its query with before it computes exponentials.
const KEYS_OF_A_STEP: usize = 4;
/// The largest supported head width: with it, [`KEYS`] keys and values take 16 kB.
pub(super) const WIDEST_HEAD: usize = 128;
/// Below all similarities, with an exponential of zero. WGSL does not guarantee infinities.
const LOWEST: f32 = -1e30;

/// Sizes of attention.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub batch: usize,
    pub tokens: usize,
    pub heads: usize,
    pub head_width: usize,
}

/// Queues `softmax(queries · keysᵀ / √head_width) · values` of each head.
///
/// # Shapes
/// - `qkv`: `[batch, tokens, 3 · heads · head_width]`
/// - `out`: `[batch, tokens, heads · head_width]`
pub(super) fn launch(
    client: &Client,
    adapter: Adapter,
    qkv: BufferArg,
    out: BufferArg,
    sizes: Sizes,
    order: Attention,
) {
    let Sizes { batch, tokens, heads, head_width } = sizes;
    let count = CubeCount::Static(tokens.div_ceil(QUERIES) as u32, heads as u32, batch as u32);
    let scale = (head_width as f32).sqrt().recip();
    #[expect(unsafe_code, reason = "the kernel is compiled without bounds checks")]
    // SAFETY: reads are clamped to the last token, and only existing tokens are written. All loops end.
    unsafe {
        attention::launch_unchecked(
            client,
            count,
            CubeDim::new_1d(QUERIES as u32),
            qkv,
            out,
            tokens,
            heads,
            scale,
            head_width / LANES,
            order == Attention::Causal,
            adapter == Adapter::Card,
        );
    }
}

/// `width` counts vectors of a head.
#[cube(launch_unchecked)]
fn attention(
    qkv: &[Vec4],
    out: &mut [Vec4],
    tokens: usize,
    heads: usize,
    scale: f32,
    #[comptime] width: usize,
    #[comptime] is_causal: bool,
    #[comptime] is_card: bool,
) {
    let unit = UNIT_POS_X as usize;
    let query = CUBE_POS_X as usize * QUERIES + unit;
    let head = CUBE_POS_Y as usize;
    let row_vectors = 3 * heads * width;
    let first_row = CUBE_POS_Z as usize * tokens;
    let queries = first_row * row_vectors + head * width;
    let keys = queries + heads * width;
    let values = keys + heads * width;

    let own = queries + min(query, tokens - 1) * row_vectors;
    let mut own_query = Array::<Vec4>::new(width);
    let mut sums = Array::<Vec4>::new(width);
    #[unroll]
    for vector in 0..width {
        own_query[vector] = qkv[own + vector] * Vector::broadcast(scale);
        sums[vector] = Vector::broadcast(0.0);
    }
    let mut largest = LOWEST.runtime();
    let mut total = 0.0f32;

    let mut end = tokens;
    if comptime![is_causal] {
        end = min(tokens, (CUBE_POS_X as usize + 1) * QUERIES);
    }
    let length = comptime![if is_card { KEYS * width } else { 1 }];
    let mut shared_keys = Shared::<[Vec4]>::new_slice(length);
    let mut shared_values = Shared::<[Vec4]>::new_slice(length);

    for block in 0..end.div_ceil(KEYS) {
        let first = block * KEYS;
        if comptime![is_card] {
            sync_cube(); // all units have read the previous block
            #[unroll]
            for turn in 0..comptime![(KEYS * width).div_ceil(QUERIES)] {
                let place = turn * QUERIES + unit;
                if place < KEYS * width {
                    let from = min(first + place / width, tokens - 1) * row_vectors + place % width;
                    shared_keys[place] = qkv[keys + from];
                    shared_values[place] = qkv[values + from];
                }
            }
            sync_cube();
        }
        for part in 0..KEYS / KEYS_OF_A_STEP {
            let key = first + part * KEYS_OF_A_STEP;
            let mut similarities = Array::<f32>::new(KEYS_OF_A_STEP);
            let mut now = largest;
            #[unroll]
            for i in 0..KEYS_OF_A_STEP {
                let mut products = own_query[0]
                    * vector_of(qkv, &shared_keys, keys, key + i, first, tokens, row_vectors, 0usize, width, is_card);
                #[unroll]
                for vector in 1..width {
                    products += own_query[vector]
                        * vector_of(
                            qkv,
                            &shared_keys,
                            keys,
                            key + i,
                            first,
                            tokens,
                            row_vectors,
                            vector,
                            width,
                            is_card,
                        );
                }
                let similarity = products.extract(0usize)
                    + products.extract(1usize)
                    + products.extract(2usize)
                    + products.extract(3usize);
                similarities[i] = similarity;
                if is_attended(key + i, query, tokens, is_causal) {
                    now = max(now, similarity);
                }
            }
            let shrink = f32::exp(largest - now);
            largest = now;
            total *= shrink;
            #[unroll]
            for vector in 0..width {
                sums[vector] *= Vector::broadcast(shrink);
            }
            #[unroll]
            for i in 0..KEYS_OF_A_STEP {
                let mut weight = 0.0f32;
                if is_attended(key + i, query, tokens, is_causal) {
                    weight = f32::exp(similarities[i] - largest);
                }
                total += weight;
                #[unroll]
                for vector in 0..width {
                    sums[vector] += Vector::broadcast(weight)
                        * vector_of(
                            qkv,
                            &shared_values,
                            values,
                            key + i,
                            first,
                            tokens,
                            row_vectors,
                            vector,
                            width,
                            is_card,
                        );
                }
            }
        }
    }

    if query < tokens {
        let place = (first_row + query) * heads * width + head * width;
        #[unroll]
        for vector in 0..width {
            out[place + vector] = sums[vector] / Vector::broadcast(total);
        }
    }
}

#[cube]
fn is_attended(key: usize, query: usize, tokens: usize, #[comptime] is_causal: bool) -> bool {
    let mut is_attended = key < tokens;
    if comptime![is_causal] {
        is_attended = key < tokens && key <= query;
    }
    is_attended
}

/// A vector of a key or value: from shared memory on a card, else from the buffer, where keys or values start at `all`.
#[cube]
fn vector_of(
    qkv: &[Vec4],
    shared: &Shared<[Vec4]>,
    all: usize,
    key: usize,
    first: usize,
    tokens: usize,
    row_vectors: usize,
    #[comptime] vector: usize,
    #[comptime] width: usize,
    #[comptime] is_card: bool,
) -> Vec4 {
    if comptime![is_card] {
        shared[(key - first) * width + vector]
    } else {
        qkv[all + min(key, tokens - 1) * row_vectors + vector]
    }
}
