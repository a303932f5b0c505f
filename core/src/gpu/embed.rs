//! What stands before a tower's first block: patches and texts become rows of its residual stream.

use cubecl::prelude::*;

use super::{Line, PER_LINE, count_rows, row_of_group};

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
        count_rows((self.width / PER_LINE).div_ceil(UNITS as usize), self.batch * self.tokens)
    }
}

/// Queues class embedding or patch, plus position, for each token of each image.
///
/// # Shapes
/// - `patches`: `[batch, tokens − 1, width]`
/// - `class`: `[width]`; `positions`: `[tokens, width]`
/// - `out`: `[batch, tokens, width]`
pub(super) fn launch_image(client: &Client, [patches, class, positions, out]: [BufferArg; 4], sizes: Sizes) {
    let (rows, lines) = (sizes.batch * sizes.tokens, sizes.width / PER_LINE);
    #[expect(unsafe_code, reason = "a kernel without checks of its own")]
    // SAFETY: the kernel ends where there is no such row or line.
    unsafe {
        image::launch_unchecked(
            client,
            sizes.count(),
            CubeDim::new_1d(UNITS),
            patches,
            class,
            positions,
            out,
            rows,
            sizes.tokens,
            lines,
        );
    }
}

/// Queues the vocabulary's row of each token, plus its position.
///
/// # Shapes
/// - `ids`: `[batch, tokens]`; `vocabulary`: `[ids, width]`; `positions`: `[at least tokens, width]`
/// - `out`: `[batch, tokens, width]`
pub(super) fn launch_text(client: &Client, ids: BufferArg, [vocabulary, positions, out]: [BufferArg; 3], sizes: Sizes) {
    let (rows, lines) = (sizes.batch * sizes.tokens, sizes.width / PER_LINE);
    #[expect(unsafe_code, reason = "a kernel without checks of its own")]
    // SAFETY: the kernel ends where there is no such row or line; ids are below the vocabulary's length.
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
            lines,
        );
    }
}

#[cube(launch_unchecked)]
fn image(
    patches: &[Line],
    class: &[Line],
    positions: &[Line],
    out: &mut [Line],
    rows: usize,
    tokens: usize,
    lines: usize,
) {
    let row = row_of_group();
    let line = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    if row >= rows || line >= lines {
        terminate!();
    }
    let (image, token) = (row / tokens, row % tokens);
    let position = positions[token * lines + line];
    if token == 0 {
        out[row * lines + line] = class[line] + position;
    } else {
        out[row * lines + line] = patches[(image * (tokens - 1) + token - 1) * lines + line] + position;
    }
}

#[cube(launch_unchecked)]
fn text(
    ids: &[i32],
    vocabulary: &[Line],
    positions: &[Line],
    out: &mut [Line],
    rows: usize,
    tokens: usize,
    lines: usize,
) {
    let row = row_of_group();
    let line = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    if row >= rows || line >= lines {
        terminate!();
    }
    out[row * lines + line] = vocabulary[ids[row] as usize * lines + line] + positions[(row % tokens) * lines + line];
}
