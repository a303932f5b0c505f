//! Embeddings: from projected image tokens, and from text tokens, to rows of the residual stream.

use cubecl::prelude::*;

use super::grid::{LANES, Vec4, count_rows, row_of_group};

/// Units of a workgroup, side by side along a row.
const UNITS: u32 = 64;

/// Sizes of a stream.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub batch: usize,
    pub tokens: usize,
    pub width: usize,
}

impl Sizes {
    fn count(self) -> CubeCount {
        count_rows((self.width / LANES).div_ceil(UNITS as usize), self.batch * self.tokens)
    }
}

/// Queues the sum of token and position for each token of each image. The first token is the class embedding.
///
/// # Shapes
/// - `projected`: `[batch, tokens − 1, width]`
/// - `class`: `[width]`; `positions`: `[tokens, width]`
/// - `out`: `[batch, tokens, width]`
pub(super) fn launch_image(client: &Client, [projected, class, positions, out]: [BufferArg; 4], sizes: Sizes) {
    let (rows, vectors) = (sizes.batch * sizes.tokens, sizes.width / LANES);
    #[expect(unsafe_code, reason = "the kernel is compiled without bounds checks")]
    // SAFETY: the kernel returns if its row or vector does not exist. `Queue` checks the sizes.
    unsafe {
        image::launch_unchecked(
            client,
            sizes.count(),
            CubeDim::new_1d(UNITS),
            projected,
            class,
            positions,
            out,
            rows,
            sizes.tokens,
            vectors,
        );
    }
}

/// Queues the sum of the token embedding and the position of each token.
///
/// # Shapes
/// - `ids`: `[batch, tokens]`, each below `vocab_size`
/// - `vocabulary`: `[vocab_size, width]`; `positions`: `[context_length, width]`, at least `tokens` rows
/// - `out`: `[batch, tokens, width]`
pub(super) fn launch_text(client: &Client, ids: BufferArg, [vocabulary, positions, out]: [BufferArg; 3], sizes: Sizes) {
    let (rows, vectors) = (sizes.batch * sizes.tokens, sizes.width / LANES);
    #[expect(unsafe_code, reason = "the kernel is compiled without bounds checks")]
    // SAFETY: the kernel returns if its row or vector does not exist. `Queue` checks the sizes, and `ClipEncoder` checks
    // that ids are in the vocabulary.
    unsafe {
        text::launch_unchecked(
            client,
            sizes.count(),
            CubeDim::new_1d(UNITS),
            ids,
            vocabulary,
            positions,
            out,
            rows,
            sizes.tokens,
            vectors,
        );
    }
}

#[cube(launch_unchecked)]
fn image(
    projected: &[Vec4],
    class: &[Vec4],
    positions: &[Vec4],
    out: &mut [Vec4],
    rows: usize,
    tokens: usize,
    vectors: usize,
) {
    let row = row_of_group();
    let vector = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    if row >= rows || vector >= vectors {
        terminate!();
    }
    let (image, token) = (row / tokens, row % tokens);
    let position = positions[token * vectors + vector];
    if token == 0 {
        out[row * vectors + vector] = class[vector] + position;
    } else {
        out[row * vectors + vector] = projected[(image * (tokens - 1) + token - 1) * vectors + vector] + position;
    }
}

#[cube(launch_unchecked)]
fn text(
    ids: &[i32],
    vocabulary: &[Vec4],
    positions: &[Vec4],
    out: &mut [Vec4],
    rows: usize,
    tokens: usize,
    vectors: usize,
) {
    let row = row_of_group();
    let vector = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    if row >= rows || vector >= vectors {
        terminate!();
    }
    out[row * vectors + vector] =
        vocabulary[ids[row] as usize * vectors + vector] + positions[(row % tokens) * vectors + vector];
}
