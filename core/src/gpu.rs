//! Both towers on a GPU, for scoring, with kernels that run on all GPUs.
//!
//! Burn compiles a kernel for each kind of product and reduction and for each shape, and dispatches about forty kernels for a
//! block. Here a block takes seven dispatches, and sizes that change from batch to batch are arguments, so no kernel has to be
//! compiled again. All arithmetic is float32. There are no gradients: training uses burn's operations.

mod attention;
mod embed;
mod gather;
mod grid;
mod norm;
mod product;
mod queue;
mod towers;

pub use grid::Adapter;
pub use product::Epilogue;
pub use queue::Queue;
pub(crate) use towers::GpuTowers;
