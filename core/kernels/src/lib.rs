//! Transformer kernels for processors: linear layers with packed weights, attention, layer norm and activations.
//!
//! Inputs and outputs are slices of float32, row-major. Each kernel uses the vector instructions that the processor has. All
//! unsafe code of scoring on a processor is in this crate. Each kernel is tested against float64 with every instruction set
//! ([`Isa`]) of the testing machine.

mod isa;

mod simd;

mod attention;
mod elementwise;
mod linear;
mod part;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod bf16;
mod float;
mod int8;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod amx;

#[cfg(test)]
mod testing;

pub use attention::Attention;
pub use elementwise::{LayerNorm, gelu, quick_gelu};
#[cfg(feature = "rivals")]
pub use int8::CodeSums;
pub use isa::{Isa, MissingIsa};
pub use linear::{Linear, Threads, WeightFormat};
pub use part::Store;
