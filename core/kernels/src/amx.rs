//! Matrix products of 8-bit integers and of bfloat16 by Intel AMX (servers since Sapphire Rapids).
//!
//! One instruction multiplies two tiles of 1 KiB. Sums of 8-bit products are exact 32-bit integers. Rust has no stable
//! intrinsics for AMX, so this module uses inline assembly. It is 20 % faster than tract's AMX kernel (docs/performance.md).

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::LazyLock;

/// Bytes in a row of a tile.
const STEP: usize = 64;
/// Rows of a tile of the input, and outputs of a tile of the weight.
const TILE: usize = 16;
/// Rows and columns of a block of sums. A block is 2 × 2 tiles, which with their factors take all eight tile registers.
pub(crate) const BLOCK: usize = 2 * TILE;

/// A packed weight.
pub(crate) struct Tiles {
    /// For each [`BLOCK`] of outputs and each [`STEP`] of inputs, two tiles.
    tiles: Vec<Tile>,
    steps: usize,
}

/// `[STEP / 4, TILE, 4]` bytes: four bytes of each output are adjacent.
#[derive(Clone)]
#[repr(C, align(64))]
struct Tile([u8; STEP * TILE]);

/// A block of sums, row-major: 32-bit integers or float32.
#[repr(C, align(64))]
struct Sums<T>([[T; BLOCK]; BLOCK]);

/// The element type of the factors.
#[derive(Clone, Copy)]
enum Product {
    Bytes,
    BFloat16,
}

/// Whether the processor has AMX and the operating system permits it.
pub(crate) fn is_there() -> bool {
    static IS_THERE: LazyLock<bool> = LazyLock::new(|| {
        const BFLOAT16_TILES_AND_BYTES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
        let has_leaf = __cpuid_count(0, 0).eax >= 7;
        has_leaf && __cpuid_count(7, 0).edx & BFLOAT16_TILES_AND_BYTES == BFLOAT16_TILES_AND_BYTES && is_allowed()
    });
    *IS_THERE
}

/// Asks Linux for permission to use the tile registers. It applies to all threads of the process.
fn is_allowed() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    #[expect(unsafe_code, reason = "the C library has no function for it")]
    // SAFETY: takes two numbers and touches no memory of ours.
    let refused = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) };
    refused == 0
}

impl Tiles {
    /// Packs a weight of 8-bit integers, row-major `[inputs, outputs]`.
    ///
    /// # Panics
    /// If the processor [has no AMX](is_there).
    pub(crate) fn of_bytes(codes: &[i8], outputs: usize) -> Self {
        Self::new(codes, outputs, i8::to_le_bytes)
    }

    /// Packs a weight given as the bits of bfloat16.
    ///
    /// # Panics
    /// As [`Self::of_bytes`].
    pub(crate) fn of_bfloat16(halves: &[u16], outputs: usize) -> Self {
        Self::new(halves, outputs, u16::to_le_bytes)
    }

    fn new<T: Copy, const SIZE: usize>(weight: &[T], outputs: usize, bytes: impl Fn(T) -> [u8; SIZE]) -> Self {
        assert!(is_there(), "AMX is asked for where it is not");
        let each = STEP / SIZE;
        let steps = (weight.len() / outputs).div_ceil(each);
        let mut tiles = vec![Tile([0; STEP * TILE]); outputs.div_ceil(BLOCK) * steps * 2];
        for (input, row) in weight.chunks_exact(outputs).enumerate() {
            let (step, within) = (input / each, input % each * SIZE);
            for (output, value) in row.iter().enumerate() {
                let tile = (output / BLOCK * steps + step) * 2 + output % BLOCK / TILE;
                let at = within / 4 * STEP + output % TILE * 4 + within % 4;
                tiles[tile].0[at..at + SIZE].copy_from_slice(&bytes(*value));
            }
        }
        Self { tiles, steps }
    }

    /// Bytes of an input row, rounded up to a multiple of [`STEP`]. The weight of the padding is 0.
    pub(crate) fn row_length(&self) -> usize {
        self.steps * STEP
    }

    /// Multiplies rows of 8-bit integers with some outputs. `each` is called with the first row and column of a block, and
    /// its sums.
    ///
    /// # Panics
    /// If the number of rows is not a multiple of [`BLOCK`], and if `each` starts another product: it would release the tile
    /// registers that this one uses.
    pub(crate) fn multiply_bytes(
        &self,
        rows: &[u8],
        columns: Range<usize>,
        each: impl FnMut((usize, usize), &[[i32; BLOCK]; BLOCK]),
    ) {
        self.multiply(rows, columns, Product::Bytes, each);
    }

    /// Multiplies rows of bfloat16. The sums are float32.
    ///
    /// # Panics
    /// As [`Self::multiply_bytes`].
    pub(crate) fn multiply_bfloat16(
        &self,
        rows: &[u8],
        columns: Range<usize>,
        each: impl FnMut((usize, usize), &[[f32; BLOCK]; BLOCK]),
    ) {
        self.multiply(rows, columns, Product::BFloat16, each);
    }

    fn multiply<T: Copy + Default>(
        &self,
        rows: &[u8],
        columns: Range<usize>,
        product: Product,
        mut each: impl FnMut((usize, usize), &[[T; BLOCK]; BLOCK]),
    ) {
        let length = self.row_length();
        assert!(rows.len().is_multiple_of(BLOCK * length), "whole blocks of rows");
        let mut sums = Sums([[T::default(); BLOCK]; BLOCK]);
        let ready = Ready::new();
        let blocks = self.tiles.chunks_exact(2 * self.steps).enumerate();
        for (column, tiles) in blocks.take(columns.end.div_ceil(BLOCK)).skip(columns.start / BLOCK) {
            for (row, rows) in rows.chunks_exact(BLOCK * length).enumerate() {
                ready.multiply(rows, tiles, product, &mut sums);
                each((row * BLOCK, column * BLOCK), &sums.0);
            }
        }
    }
}

/// A thread's claim on its tile registers.
struct Claim(PhantomData<*const ()>);

thread_local! {
    static IS_CLAIMED: Cell<bool> = const { Cell::new(false) };
}

impl Claim {
    /// # Panics
    /// If this thread has a claim already.
    fn new() -> Self {
        assert!(!IS_CLAIMED.replace(true), "a product was started inside of another one on the same thread");
        Self(PhantomData)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        IS_CLAIMED.set(false);
    }
}

/// The tile configuration of this thread. It is released on drop, so that the system does not save the tiles.
struct Ready {
    _claim: Claim,
}

impl Ready {
    fn new() -> Self {
        let claim = Claim::new();
        /// The operand of `LDTILECFG`.
        #[repr(C, align(64))]
        struct Shapes {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        let mut shapes = Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        shapes.row_bytes[..8].fill(STEP as u16);
        shapes.rows[..8].fill(TILE as u8);
        #[expect(unsafe_code, reason = "there is no other way to this instruction")]
        // SAFETY: the extension is there, or there would be no `Tiles`; it reads 64 bytes, which is what `Shapes` has.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &shapes, options(nostack, readonly));
        }
        Self { _claim: claim }
    }

    /// Multiplies [`BLOCK`] rows with pairs of tiles; a row has one step for each pair.
    fn multiply<T>(&self, rows: &[u8], tiles: &[Tile], product: Product, sums: &mut Sums<T>) {
        let steps = tiles.len() / 2;
        assert!(steps > 0 && tiles.len() == 2 * steps && rows.len() == BLOCK * steps * STEP, "sizes of a product");
        assert!(size_of::<T>() == 4, "sums of 32 bits");
        let length = steps * STEP;
        let upper = rows.as_ptr();
        let lower = rows[TILE * length..].as_ptr();
        macro_rules! multiply_with {
            ($instruction:literal) => {
                #[expect(unsafe_code, reason = "there is no other way to these instructions")]
                // SAFETY: the shapes are loaded, since `self` is there and stays on this thread. Step by step, `upper` and
                // `lower` read 64 bytes of each of 16 rows, all inside `rows` by the sizes checked above, and `tiles` one
                // pair of 1,024 bytes each. At the end four tiles of 16 rows of 64 bytes are written to the 4,096 bytes of
                // `sums`.
                unsafe {
                    asm!(
                        "tilezero tmm0",
                        "tilezero tmm1",
                        "tilezero tmm2",
                        "tilezero tmm3",
                        "2:",
                        "tileloadd tmm4, [{upper} + {length}]",
                        "tileloadd tmm6, [{tiles} + {row}]",
                        "tileloadd tmm7, [{tiles} + {row} + 1024]",
                        concat!($instruction, " tmm0, tmm4, tmm6"),
                        "tileloadd tmm5, [{lower} + {length}]",
                        concat!($instruction, " tmm1, tmm4, tmm7"),
                        concat!($instruction, " tmm2, tmm5, tmm6"),
                        concat!($instruction, " tmm3, tmm5, tmm7"),
                        "add {upper}, 64",
                        "add {lower}, 64",
                        "add {tiles}, 2048",
                        "dec {steps}",
                        "jnz 2b",
                        "tilestored [{sums} + {sums_row}], tmm0",
                        "tilestored [{sums} + {sums_row} + 64], tmm1",
                        "tilestored [{sums} + {sums_row} + 2048], tmm2",
                        "tilestored [{sums} + {sums_row} + 2112], tmm3",
                        upper = inout(reg) upper => _,
                        lower = inout(reg) lower => _,
                        tiles = inout(reg) tiles.as_ptr() => _,
                        steps = inout(reg) steps => _,
                        length = in(reg) length,
                        row = in(reg) STEP,
                        sums = in(reg) sums,
                        sums_row = in(reg) BLOCK * 4,
                        out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                        out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                        options(nostack),
                    );
                }
            };
        }
        match product {
            Product::Bytes => {
                multiply_with!("tdpbusd");
            }
            Product::BFloat16 => {
                multiply_with!("tdpbf16ps");
            }
        }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "there is no other way to this instruction")]
        // SAFETY: the extension is there; by its claim, nobody else on this thread uses the tiles.
        unsafe {
            asm!("tilerelease", options(nomem, nostack));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;

    #[test]
    #[should_panic(expected = "inside of another one")]
    fn a_product_inside_of_another_is_refused() {
        let _outer = Claim::new();
        Claim::new();
    }

    #[test]
    fn a_claim_ends_when_it_is_dropped() {
        drop(Claim::new());
        drop(Claim::new());
    }

    #[test]
    fn sums_are_exact_for_sizes_that_fill_no_tile() {
        if !is_there() {
            println!("not tested: this processor has no AMX");
            return;
        }
        for (rows, inputs, outputs) in [(1, 1, 1), (40, 70, 50), (64, 300, 37), (96, 768, 64)] {
            let codes = |seed, count: usize| {
                numbers(seed, count).into_iter().map(|value| (value * 1e6) as i64 as u8).collect::<Vec<_>>()
            };
            let input = codes(1, rows * inputs);
            let weight: Vec<i8> = codes(2, inputs * outputs).into_iter().map(|code| code as i8).collect();
            let tiles = Tiles::of_bytes(&weight, outputs);
            let length = tiles.row_length();
            let mut padded = vec![99; rows.next_multiple_of(BLOCK) * length];
            for (padded, row) in padded.chunks_exact_mut(length).zip(input.chunks_exact(inputs)) {
                padded[..inputs].copy_from_slice(row);
            }
            let mut seen = 0;
            tiles.multiply_bytes(&padded, 0..outputs, |(first_row, first_column), sums| {
                for (row, sums) in (first_row..rows).zip(sums) {
                    for (column, &sum) in (first_column..outputs).zip(sums) {
                        let term = |at| i32::from(input[row * inputs + at]) * i32::from(weight[at * outputs + column]);
                        let expected: i32 = (0..inputs).map(term).sum();
                        assert_eq!(sum, expected, "row {row}, column {column} of {rows}, {inputs}, {outputs}");
                        seen += 1;
                    }
                }
            });
            assert_eq!(seen, rows * outputs);
        }
    }
}
