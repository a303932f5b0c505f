//! The inner loop of products in float32: a tile of sums, some rows × the columns of a panel, in registers.

use std::ops::Range;

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd};

/// Adjacent inputs of a row when packed. It is 1 in WebAssembly, whose compilers keep sums in registers only in simple
/// loops.
pub(crate) const CHUNK: usize = if cfg!(target_arch = "wasm32") { 1 } else { 16 };
/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;
pub(crate) const LINE_FLOATS: usize = LINE / size_of::<f32>();

/// Rows of a tile and vectors in a row, for vectors of `lanes` floats. The sums fit into the registers beside a row of the
/// panel and an input.
pub(crate) const fn size(lanes: usize) -> (usize, usize) {
    match lanes {
        16 => (8, 3),                                // AVX-512: 32 registers
        8 => (6, 2),                                 // AVX2: 16, one of which the compiler wants for itself
        _ if cfg!(target_arch = "wasm32") => (4, 2), // what 16 registers are left after the compiler's own
        _ => (8, 3),                                 // NEON: 32
    }
}

/// Multiplies a group of packed rows with a panel and prefetches `fetch`.
///
/// It is not inlined in WebAssembly: its compilers keep sums in registers only in small functions.
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

/// The same with relaxed SIMD's fused multiply-add.
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

/// Multiplies the inputs of a step with their weights, and adds the products to the sums of each row.
///
/// It is unrolled by hand. Builds for size would keep a loop, and an array that a loop indexes stays in memory.
#[inline(always)]
pub(crate) fn add_products<X: Copy, W: Copy, S: Copy, const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[S; VECTORS]; ROWS],
    input: impl Fn(usize) -> X,
    weights: [W; VECTORS],
    multiply_add: impl Fn(X, W, S) -> S,
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

/// The destination of a tile of sums.
#[derive(Clone)]
pub(crate) struct Target<'a> {
    /// Columns of each row.
    pub(crate) columns: Range<usize>,
    /// Added to the sums, one value for each column.
    pub(crate) bias: Option<&'a [f32]>,
    /// Whether the sums are added to the destination.
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
