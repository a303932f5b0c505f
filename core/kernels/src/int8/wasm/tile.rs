//! The inner loops of products of bytes: a tile of sums, some rows × the columns of a panel, in registers.

#[cfg(feature = "relaxed-simd")]
use std::arch::wasm32::{
    i16x8_add, i16x8_relaxed_dot_i8x16_i7x16, i32x4_extadd_pairwise_i16x8, i32x4_relaxed_dot_i8x16_i7x16_add,
};
use std::arch::wasm32::{
    i16x8_shl, i16x8_shr, i32x4, i32x4_add, i32x4_dot_i16x8, i32x4_splat, v128, v128_load, v128_store,
};

use crate::float::add_products;
use crate::int8::tiles::Quads;

/// Columns of a panel: two vectors of 32-bit sums.
pub(in crate::int8) const COLUMNS: usize = 8;

/// A tile of sums: two vectors for each row.
type Sums<const ROWS: usize> = [[v128; 2]; ROWS];

/// A vector of 16-bit numbers.
pub(super) type Words = [i16; 8];

/// Widens a panel to 16 bits: of each quad bytes 0 and 2 of the first and of the second four outputs, then bytes 1 and 3.
pub(super) fn widen(panel: &[Quads<COLUMNS>], words: &mut Vec<[Words; 4]>) {
    words.resize(panel.len(), [[0; 8]; 4]);
    for (quads, words) in panel.iter().zip(words) {
        let [first_even, second_even, first_odd, second_odd] = words;
        let (first, second) = (load(quads, 0), load(quads, 1));
        store(i16x8_shr(i16x8_shl(first, 8), 8), first_even);
        store(i16x8_shr(i16x8_shl(second, 8), 8), second_even);
        store(i16x8_shr(first, 8), first_odd);
        store(i16x8_shr(second, 8), second_odd);
    }
}

/// Sums of the products of a tile's rows with a panel: products in 16 bits.
///
/// Kernels are not inlined: WebAssembly's compilers keep sums in registers only in small functions. Builds for size do not unroll
/// loops over rows or vectors, and an array with a variable index is in memory.
#[inline(never)]
pub(super) fn words<const N: usize>(input: &[i32], panel: &[[Words; 4]]) -> Sums<N> {
    let mut sums = [[i32x4_splat(0); 2]; N];
    let steps = input.as_chunks::<N>().0.as_chunks::<2>().0;
    let add = |input, weights, sum| i32x4_add(sum, i32x4_dot_i16x8(input, weights));
    for ([even, odd], quads) in steps.iter().zip(panel) {
        let [first_even, second_even, first_odd, second_odd] = quads;
        let weights = [load_words(first_even), load_words(second_even)];
        add_products(&mut sums, |row| i32x4_splat(even[row]), weights, add);
        let weights = [load_words(first_odd), load_words(second_odd)];
        add_products(&mut sums, |row| i32x4_splat(odd[row]), weights, add);
    }
    sums
}

/// The same by sums of two products in 16 bits.
#[cfg(feature = "relaxed-simd")]
#[inline(never)]
#[target_feature(enable = "relaxed-simd")]
pub(super) fn pairs<const N: usize>(input: &[i32], panel: &[Quads<COLUMNS>]) -> Sums<N> {
    let mut sums = [[i32x4_splat(0); 2]; N];
    let steps = input.as_chunks::<N>().0.as_chunks::<2>().0;
    for ([first, second], [first_quads, second_quads]) in steps.iter().zip(panel.as_chunks::<2>().0) {
        let weights = [[load(first_quads, 0), load(second_quads, 0)], [load(first_quads, 1), load(second_quads, 1)]];
        add_products(
            &mut sums,
            |row| [i32x4_splat(first[row]), i32x4_splat(second[row])],
            weights,
            |[first, second], [first_weights, second_weights], sum| {
                let products = i16x8_add(
                    i16x8_relaxed_dot_i8x16_i7x16(first_weights, first),
                    i16x8_relaxed_dot_i8x16_i7x16(second_weights, second),
                );
                i32x4_add(sum, i32x4_extadd_pairwise_i16x8(products))
            },
        );
    }
    sums
}

/// The same by sums of four products in 32 bits.
#[cfg(feature = "relaxed-simd")]
#[inline(never)]
#[target_feature(enable = "relaxed-simd")]
pub(super) fn quads<const N: usize>(input: &[i32], panel: &[Quads<COLUMNS>]) -> Sums<N> {
    let mut sums = [[i32x4_splat(0); 2]; N];
    for (input, quads) in input.as_chunks::<N>().0.iter().zip(panel) {
        let weights = [load(quads, 0), load(quads, 1)];
        add_products(
            &mut sums,
            |row| i32x4_splat(input[row]),
            weights,
            |input, weights, sum| i32x4_relaxed_dot_i8x16_i7x16_add(weights, input, sum),
        );
    }
    sums
}

/// The quads of the first or second four outputs.
#[inline(always)]
fn load(quads: &Quads<COLUMNS>, half: usize) -> v128 {
    let half = &quads[half * COLUMNS / 2..][..COLUMNS / 2];
    #[expect(unsafe_code, reason = "the standard library has no safe form")]
    // SAFETY: reads the 16 bytes of the slice, in which all bits are numbers.
    unsafe {
        v128_load(half.as_ptr().cast())
    }
}

#[inline(always)]
fn load_words(words: &Words) -> v128 {
    #[expect(unsafe_code, reason = "the standard library has no safe form")]
    // SAFETY: reads 16 bytes.
    unsafe {
        v128_load(words.as_ptr().cast())
    }
}

/// Adds to each row of sums what they start with.
pub(super) fn write<const N: usize>(sums: &Sums<N>, start: &[i32; COLUMNS], out: &mut [[i32; COLUMNS]]) {
    for (out, sums) in out.iter_mut().zip(sums) {
        for ((out, start), sum) in out.as_chunks_mut::<4>().0.iter_mut().zip(start.as_chunks::<4>().0).zip(sums) {
            store(i32x4_add(*sum, i32x4(start[0], start[1], start[2], start[3])), out);
        }
    }
}

/// Stores a vector of `N` numbers.
#[inline(always)]
fn store<T, const N: usize>(vector: v128, out: &mut [T; N]) {
    const { assert!(size_of::<[T; N]>() == size_of::<v128>(), "a vector's bytes") };
    #[expect(unsafe_code, reason = "the standard library has no safe form")]
    // SAFETY: writes as many bytes as the array has, in which all bits are numbers.
    unsafe {
        v128_store(std::ptr::from_mut(out).cast(), vector);
    }
}
