//! Attention in one pass: a unit keeps a query and its weighted mean of values in registers, and goes through the keys once.
//!
//! Reference: online softmax (Milakov & Gimelshein 2018, arXiv 1805.02867): the largest similarity so far is subtracted before
//! exponentials are taken, and what was summed is scaled when a larger one comes.

use cubecl::prelude::*;

use super::{Adapter, Line, PER_LINE};
use crate::transformer::Attention;

/// Queries of a workgroup, of a unit each.
const QUERIES: usize = 64;
/// Keys and values that a card's workgroup keeps in its memory at a time: 16 kB for the widest head.
const KEYS: usize = 16;
/// Keys that a unit compares its query with before it takes exponentials.
const TOGETHER: usize = 4;
/// Numbers of the widest head that [`KEYS`] of fit into 16 kB.
pub(super) const WIDEST_HEAD: usize = 128;
/// Below any similarity, and so much that its exponential is zero; an infinity is nothing that WGSL promises.
const LOWEST: f32 = -1e30;

/// Sizes of attention.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub batch: usize,
    pub tokens: usize,
    pub heads: usize,
    pub head_width: usize,
}

/// Queues softmax(queries · keysᵀ / √head_width) · values of each head.
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
    #[expect(unsafe_code, reason = "a kernel without checks of its own")]
    // SAFETY: the last token is read instead of one past it, and only tokens that there are are written; all loops end.
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
            head_width / PER_LINE,
            order == Attention::Causal,
            adapter == Adapter::Card,
        );
    }
}

/// `width` counts lines of a head.
#[cube(launch_unchecked)]
fn attention(
    qkv: &[Line],
    out: &mut [Line],
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
    let row_lines = 3 * heads * width;
    let first_row = CUBE_POS_Z as usize * tokens;
    let queries = first_row * row_lines + head * width;
    let keys = queries + heads * width;
    let values = keys + heads * width;

    let own = queries + min(query, tokens - 1) * row_lines;
    let mut own_query = Array::<Line>::new(width);
    let mut sums = Array::<Line>::new(width);
    #[unroll]
    for line in 0..width {
        own_query[line] = qkv[own + line] * Vector::broadcast(scale);
        sums[line] = Vector::broadcast(0.0);
    }
    let mut largest = LOWEST.runtime();
    let mut total = 0.0f32;

    let mut end = tokens;
    if comptime![is_causal] {
        end = min(tokens, (CUBE_POS_X as usize + 1) * QUERIES);
    }
    let room = comptime![if is_card { KEYS * width } else { 1 }];
    let mut near_keys = Shared::<[Line]>::new_slice(room);
    let mut near_values = Shared::<[Line]>::new_slice(room);

    for block in 0..end.div_ceil(KEYS) {
        let first = block * KEYS;
        if comptime![is_card] {
            sync_cube(); // the block before is done with
            #[unroll]
            for turn in 0..comptime![(KEYS * width).div_ceil(QUERIES)] {
                let place = turn * QUERIES + unit;
                if place < KEYS * width {
                    let from = min(first + place / width, tokens - 1) * row_lines + place % width;
                    near_keys[place] = qkv[keys + from];
                    near_values[place] = qkv[values + from];
                }
            }
            sync_cube();
        }
        for part in 0..KEYS / TOGETHER {
            let key = first + part * TOGETHER;
            let mut similarities = Array::<f32>::new(TOGETHER);
            let mut now = largest;
            #[unroll]
            for i in 0..TOGETHER {
                let mut products = own_query[0]
                    * line_of(qkv, &near_keys, keys, key + i, first, tokens, row_lines, 0usize, width, is_card);
                #[unroll]
                for line in 1..width {
                    products += own_query[line]
                        * line_of(qkv, &near_keys, keys, key + i, first, tokens, row_lines, line, width, is_card);
                }
                let similarity = products.extract(0usize)
                    + products.extract(1usize)
                    + products.extract(2usize)
                    + products.extract(3usize);
                similarities[i] = similarity;
                if is_seen(key + i, query, tokens, is_causal) {
                    now = max(now, similarity);
                }
            }
            let shrink = f32::exp(largest - now);
            largest = now;
            total *= shrink;
            #[unroll]
            for line in 0..width {
                sums[line] *= Vector::broadcast(shrink);
            }
            #[unroll]
            for i in 0..TOGETHER {
                let mut weight = 0.0f32;
                if is_seen(key + i, query, tokens, is_causal) {
                    weight = f32::exp(similarities[i] - largest);
                }
                total += weight;
                #[unroll]
                for line in 0..width {
                    sums[line] += Vector::broadcast(weight)
                        * line_of(qkv, &near_values, values, key + i, first, tokens, row_lines, line, width, is_card);
                }
            }
        }
    }

    if query < tokens {
        let place = (first_row + query) * heads * width + head * width;
        #[unroll]
        for line in 0..width {
            out[place + line] = sums[line] / Vector::broadcast(total);
        }
    }
}

#[cube]
fn is_seen(key: usize, query: usize, tokens: usize, #[comptime] is_causal: bool) -> bool {
    let mut is_seen = key < tokens;
    if comptime![is_causal] {
        is_seen = key < tokens && key <= query;
    }
    is_seen
}

/// A line of a key or value: from workgroup memory, or from where all of them start.
#[cube]
fn line_of(
    qkv: &[Line],
    near: &Shared<[Line]>,
    all: usize,
    key: usize,
    first: usize,
    tokens: usize,
    row_lines: usize,
    #[comptime] line: usize,
    #[comptime] width: usize,
    #[comptime] is_card: bool,
) -> Line {
    if comptime![is_card] {
        near[(key - first) * width + line]
    } else {
        qkv[all + min(key, tokens - 1) * row_lines + line]
    }
}
