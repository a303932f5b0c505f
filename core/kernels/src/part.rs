//! How a matrix product is split among threads, and how its result is written.

use std::ops::Range;

use rayon::prelude::*;

/// With at least this many rows for each thread, threads share the rows; with fewer, the columns.
const ROWS_EACH: usize = 64;

/// How a product is written to its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Replaces the output.
    Overwrite,
    /// Adds to the output.
    Add,
}

/// What is done with a product before it is written.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    /// `[columns]`, added to each row.
    pub(crate) bias: &'a [f32],
    pub(crate) store: Store,
}

/// The share of one thread: some rows × some columns of the weight.
pub(crate) struct Part<'a, 'b> {
    /// `[rows, inputs]`
    pub(crate) input: &'a [f32],
    /// Of `columns`.
    pub(crate) epilogue: Epilogue<'a>,
    /// `[rows][columns]`
    pub(crate) out: &'a mut [&'b mut [f32]],
    /// The start is a multiple of [`Weight::columns_step`].
    pub(crate) columns: Range<usize>,
}

/// Splits a product of `input`, `[rows, inputs]`, with a weight, `[inputs, outputs]`, among threads. Each call of `multiply` gets
/// some rows of the input, the same rows of some columns of `out`, `[rows, outputs]`, and those columns.
///
/// Columns are split at multiples of `step`; with `None`, rows alone are split.
pub(crate) fn share<T: Sync, R: Send>(
    input: &[T],
    out: &mut [R],
    [inputs, outputs]: [usize; 2],
    step: Option<usize>,
    threads: usize,
    multiply: impl Fn(&[T], &mut [&mut [R]], Range<usize>) + Sync,
) {
    let rows = out.len() / outputs;
    let each = rows.div_ceil(threads).max(1);
    let Some(step) = step.filter(|_| threads > 1 && each < ROWS_EACH) else {
        let parts = out.par_chunks_mut(each * outputs).zip(input.par_chunks(each * inputs));
        parts.for_each(|(out, input)| {
            let mut out: Vec<&mut [R]> = out.chunks_exact_mut(outputs).collect();
            multiply(input, &mut out, 0..outputs);
        });
        return;
    };
    // Two parts for each thread, for balance.
    let width = outputs.div_ceil(step).div_ceil(2 * threads) * step;
    let mut parts: Vec<Vec<&mut [R]>> = (0..outputs).step_by(width).map(|_| Vec::with_capacity(rows)).collect();
    for row in out.chunks_exact_mut(outputs) {
        parts.iter_mut().zip(row.chunks_mut(width)).for_each(|(part, row)| part.push(row));
    }
    parts.into_par_iter().enumerate().for_each(|(place, mut out)| {
        multiply(input, &mut out, place * width..outputs.min((place + 1) * width));
    });
}
