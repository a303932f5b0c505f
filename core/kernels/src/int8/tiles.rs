//! How weights and inputs are arranged for tiles of integer sums: in quads of inputs, whose four bytes fill a 32-bit lane.

use super::weight::GROUP;

/// Inputs of a quad.
pub(super) const QUAD: usize = 4;

/// A quad of inputs for each output of a panel.
pub(super) type Quads<const COLUMNS: usize> = [[i8; QUAD]; COLUMNS];

/// A weight in panels of `COLUMNS` outputs, padded with zeros.
pub(super) struct Panels<const COLUMNS: usize> {
    /// `[panels, quads of a row]`
    codes: Vec<Quads<COLUMNS>>,
    /// Length of an input row with padding.
    pub(super) row_length: usize,
}

impl<const COLUMNS: usize> Panels<COLUMNS> {
    /// Packs a weight, row-major `[inputs, outputs]`.
    pub(super) fn new(codes: &[i8], outputs: usize) -> Self {
        let row_length = (codes.len() / outputs).next_multiple_of(GROUP);
        let code = |input: usize, output: usize| {
            let row = codes.get(input * outputs..).unwrap_or_default();
            if output < outputs { row.get(output).copied().unwrap_or(0) } else { 0 }
        };
        let panels = (0..outputs)
            .step_by(COLUMNS)
            .flat_map(|first_output| (0..row_length).step_by(QUAD).map(move |first_input| (first_input, first_output)));
        let quads = panels.map(|(first_input, first_output)| {
            std::array::from_fn(|column| std::array::from_fn(|byte| code(first_input + byte, first_output + column)))
        });
        Self { codes: quads.collect(), row_length }
    }

    /// The quads of a panel.
    pub(super) fn panel(&self, panel: usize) -> &[Quads<COLUMNS>] {
        let quads = self.row_length / QUAD;
        &self.codes[panel * quads..][..quads]
    }

    /// The quads from a panel on; none after the last panel.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn starting_at(&self, panel: usize) -> &[Quads<COLUMNS>] {
        self.codes.get(panel * (self.row_length / QUAD)..).unwrap_or_default()
    }
}

/// Sizes of the tiles of `count` rows: nearly equal, and at most `most`.
pub(super) fn tile_sizes(mut count: usize, most: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    while count > 0 {
        let size = count.div_ceil(count.div_ceil(most));
        sizes.push(size);
        count -= size;
    }
    sizes
}

/// Transposes quads from `[rows, each]` to `[each, vectors, rows of a tile]` for each tile. `lane` returns the lane of one of the
/// vectors that a quad is multiplied in.
pub(super) fn interleave(
    rows: &[u8],
    each: usize,
    sizes: &[usize],
    vectors: usize,
    lane: impl Fn([u8; QUAD], usize) -> i32,
) -> Vec<i32> {
    let quads = rows.as_chunks::<QUAD>().0;
    let mut arranged = vec![0; quads.len() * vectors];
    let (mut tiles, mut rows) = (arranged.as_mut_slice(), quads.chunks_exact(each));
    for &size in sizes {
        let (tile, rest) = tiles.split_at_mut(size * vectors * each);
        tiles = rest;
        for (place, row) in rows.by_ref().take(size).enumerate() {
            for (lanes, quad) in tile.chunks_exact_mut(size * vectors).zip(row) {
                for vector in 0..vectors {
                    lanes[vector * size + place] = lane(*quad, vector);
                }
            }
        }
    }
    arranged
}
