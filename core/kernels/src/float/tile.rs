//! A tile of sums, some rows by the columns of a panel, which stays in the processor's registers.

use std::ops::Range;

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd};

/// Inputs of a row that stand side by side when packed. Browsers' compilers keep sums in registers in the simplest of
/// loops alone.
pub(crate) const CHUNK: usize = if cfg!(target_arch = "wasm32") { 1 } else { 16 };
/// Bytes that memory moves at a time.
pub(crate) const LINE: usize = 64;
pub(crate) const LINE_FLOATS: usize = LINE / size_of::<f32>();

/// Rows and vectors of columns of a tile, for vectors of so many floats: what fits into the registers beside a row of the
/// panel and an input.
pub(crate) const fn size(lanes: usize) -> (usize, usize) {
    match lanes {
        16 => (8, 3),                                // AVX-512: 32 registers
        8 => (6, 2),                                 // AVX2: 16, one of which the compiler wants for itself
        _ if cfg!(target_arch = "wasm32") => (4, 2), // what 16 registers are left after the compiler's own
        _ => (8, 3),                                 // NEON: 32
    }
}

/// Products of a group of packed rows with a panel, while another part of the weight is fetched from memory.
///
/// Browsers' compilers keep sums in registers in small functions alone.
#[cfg(not(all(target_arch = "wasm32", feature = "relaxed-simd")))]
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub(crate) fn multiply<I: Isa, const ROWS: usize, const VECTORS: usize>(
    isa: I,
    input: &[f32],
    panel: &[f32],
    fetch: &[f32],
) -> [[I::F32; VECTORS]; ROWS] {
    let ops = isa.f32();
    let width = VECTORS * ops.len();
    let chunks = input.as_chunks::<CHUNK>().0.as_chunks::<ROWS>().0;
    let mut fetch = fetch.chunks(fetch.len().div_ceil(chunks.len().max(1)).next_multiple_of(LINE_FLOATS).max(1));
    let mut sums = [[ops.zero(); VECTORS]; ROWS];
    for (input, panel) in chunks.iter().zip(panel.chunks_exact(width * CHUNK)) {
        // WebAssembly cannot fetch.
        if !cfg!(target_arch = "wasm32") {
            let lines = fetch.next().unwrap_or_default();
            lines.chunks(LINE_FLOATS).for_each(|line| ops.prefetch(line.as_ptr()));
        }
        for (place, panel) in panel.chunks_exact(width).enumerate().take(CHUNK) {
            let input = |row: usize| ops.splat(input[row][place]);
            add_products(&mut sums, input, ops.load_many::<VECTORS>(panel), |a, b, c| ops.mul_add(a, b, c));
        }
    }
    sums
}

/// The same, with instructions that multiply and add at once.
#[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
pub(crate) fn multiply<I: Isa, const ROWS: usize, const VECTORS: usize>(
    isa: I,
    input: &[f32],
    panel: &[f32],
    _: &[f32],
) -> [[I::F32; VECTORS]; ROWS] {
    use std::arch::wasm32::{f32x4, f32x4_relaxed_madd, f32x4_splat, v128};

    #[inline(never)]
    #[target_feature(enable = "relaxed-simd")]
    fn add_up<const ROWS: usize>(input: &[[f32; ROWS]], panel: &[[[f32; 4]; 2]]) -> [[v128; 2]; ROWS] {
        let load = |[a, b, c, d]: [f32; 4]| f32x4(a, b, c, d);
        let mut sums = [[f32x4_splat(0.0); 2]; ROWS];
        for (input, &[first, second]) in input.iter().zip(panel) {
            let weights = [load(first), load(second)];
            add_products(&mut sums, |row| f32x4_splat(input[row]), weights, |a, b, c| f32x4_relaxed_madd(a, b, c));
        }
        sums
    }

    let sums: [[v128; 2]; ROWS] = add_up(input.as_chunks().0, panel.as_chunks().0.as_chunks().0);
    let vector = |sum: v128| {
        #[expect(unsafe_code, reason = "the standard library has no safe conversion")]
        // SAFETY: both are 16 bytes, and all bits are numbers.
        let sum: [f32; 4] = unsafe { std::mem::transmute(sum) };
        isa.f32().load(&sum)
    };
    sums.map(|row| std::array::from_fn(|place| vector(row[place])))
}

/// Adds the products of one input of each row and its weights. Without loops: builds for size would keep them, and the sums
/// in memory with them.
#[inline(always)]
fn add_products<T: Copy, const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[T; VECTORS]; ROWS],
    input: impl Fn(usize) -> T,
    weights: [T; VECTORS],
    multiply_add: impl Fn(T, T, T) -> T,
) {
    macro_rules! row {
        ($row:literal $($vector:literal)*) => {
            if $row < ROWS {
                let input = input($row);
                $(if $vector < VECTORS {
                    sums[$row][$vector] = multiply_add(input, weights[$vector], sums[$row][$vector]);
                })*
            }
        };
    }
    row!(0 0 1 2);
    row!(1 0 1 2);
    row!(2 0 1 2);
    row!(3 0 1 2);
    row!(4 0 1 2);
    row!(5 0 1 2);
    row!(6 0 1 2);
    row!(7 0 1 2);
}

/// Where a tile of sums goes.
#[derive(Clone)]
pub(crate) struct Target<'a> {
    /// Of each row.
    pub(crate) columns: Range<usize>,
    /// What is added, one for each of the columns.
    pub(crate) bias: Option<&'a [f32]>,
    /// Whether what stands there is added, too.
    pub(crate) is_added: bool,
}

impl Target<'_> {
    #[inline(always)]
    pub(crate) fn write<I: Isa, const ROWS: usize, const VECTORS: usize>(
        &self,
        isa: I,
        sums: &[[I::F32; VECTORS]; ROWS],
        out: &mut [&mut [f32]],
    ) {
        let ops = isa.f32();
        let lanes = ops.len();
        for (out, sums) in out.iter_mut().zip(sums) {
            let out = &mut out[self.columns.clone()];
            if out.len() == VECTORS * lanes {
                for (place, (out, sum)) in out.chunks_exact_mut(lanes).zip(sums).enumerate() {
                    let sum = self.bias.map_or(*sum, |bias| ops.add(*sum, ops.load(&bias[place * lanes..])));
                    let sum = if self.is_added { ops.add(sum, ops.load(out)) } else { sum };
                    ops.store(sum, out);
                }
                continue;
            }
            for (place, out) in out.iter_mut().enumerate() {
                let sum = sums[place / lanes].to_array()[place % lanes] + self.bias.map_or(0.0, |bias| bias[place]);
                *out = if self.is_added { sum + *out } else { sum };
            }
        }
    }
}
