//! Both towers on a GPU, for scoring: kernels of our own that every card runs, few of them and few at a time.
//!
//! burn's operations compile a kernel for each kind of product, reduction and shape, and take some forty of them for a block of
//! a tower; here a block takes seven, and sizes that change from batch to batch are numbers that kernels are given. All
//! arithmetic is float32. There are no gradients: training takes burn's operations.

mod attention;
mod collect;
mod embed;
mod norm;
mod product;
mod queue;
mod towers;

use cubecl::prelude::*;

pub use product::Then;
pub use queue::Queue;
pub(crate) use towers::GpuTowers;

/// Numbers that are read, multiplied and written at once.
const PER_LINE: usize = 4;
/// Workgroups along the second axis of a grid; more rows go on along the third, as an axis ends at 65,535.
const ROWS_ALONG: usize = 32_768;

type Line = Vector<f32, Const<PER_LINE>>;

/// What kernels are shaped for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// Many units that share memory.
    Card,
    /// A processor that plays one.
    Emulated,
}

impl Adapter {
    fn of(client: &Client) -> Self {
        let identity = &client.properties().identity;
        // Browsers may keep quiet about either.
        let is_known = ["SwiftShader", "llvmpipe"].iter().any(|name| identity.name.contains(name));
        if identity.physical.is_none() || is_known { Self::Emulated } else { Self::Card }
    }
}

/// A grid of `across` workgroups for each row.
fn count_rows(across: usize, rows: usize) -> CubeCount {
    let (along, deep) = (rows.min(ROWS_ALONG), rows.div_ceil(ROWS_ALONG));
    CubeCount::Static(across as u32, along as u32, deep as u32)
}

/// The row of a workgroup of [`count_rows`]'s grid, or one past the last.
#[cube]
fn row_of_group() -> usize {
    CUBE_POS_Z as usize * ROWS_ALONG + CUBE_POS_Y as usize
}
