//! What all kernels share: vectors of four values, grids of workgroups, and the two kinds of adapters.

use cubecl::prelude::*;

/// The number of values that kernels read, multiply and write at once.
pub(super) const LANES: usize = 4;
/// The length of a grid's second axis. Further rows use the third axis, since WebGPU limits an axis to 65,535.
const ROWS_OF_AN_AXIS: usize = 32_768;

/// Four adjacent values.
pub(super) type Vec4 = Vector<f32, Const<LANES>>;

/// The kind of adapter that kernels are optimised for. Each kernel runs on both kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// A graphics card: many units, with memory that the units of a workgroup share.
    Card,
    /// A processor that emulates a GPU.
    Emulated,
}

impl Adapter {
    pub(super) fn of(client: &Client) -> Self {
        let identity = &client.properties().identity;
        // Browsers can hide either property.
        let is_known = ["SwiftShader", "llvmpipe"].iter().any(|name| identity.name.contains(name));
        if identity.physical.is_none() || is_known { Self::Emulated } else { Self::Card }
    }
}

/// A grid with `across` workgroups for each row.
pub(super) fn count_rows(across: usize, rows: usize) -> CubeCount {
    let (along, deep) = (rows.min(ROWS_OF_AN_AXIS), rows.div_ceil(ROWS_OF_AN_AXIS));
    CubeCount::Static(across as u32, along as u32, deep as u32)
}

/// The row of a workgroup in the grid of [`count_rows`]. It can be larger than the last row.
#[cube]
pub(super) fn row_of_group() -> usize {
    CUBE_POS_Z as usize * ROWS_OF_AN_AXIS + CUBE_POS_Y as usize
}
