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
