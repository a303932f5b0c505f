//! The arithmetic of transformers on a processor: linear layers whose weights are packed once, attention, layer norms and
//! activations, each with the vector instructions that the processor has.
//!
//! Slices in, slices out: rows of float32, one after the other. All unsafe code of scoring on a processor stands here, and
//! each kernel is tested against float64 with every instruction set ([`Isa`]) that the testing machine has.

mod isa;

mod simd;

mod attention;
mod elementwise;
mod linear;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod bf16;
mod float;
#[cfg(not(target_arch = "wasm32"))]
mod int8;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod amx;

#[cfg(test)]
mod testing;

pub use attention::Attention;
pub use elementwise::{LayerNorm, gelu, quick_gelu};
#[cfg(all(feature = "rivals", not(target_arch = "wasm32")))]
pub use int8::CodeSums;
pub use isa::{Isa, MissingIsa};
pub use linear::{Linear, Store, Threads, WeightFormat};
