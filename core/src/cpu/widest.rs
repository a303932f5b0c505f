//! Plain loops for the widest vectors that the processor has.

use rten_simd::{Isa, SimdOp};

/// Runs `loops`, compiled for each set of vector instructions and chosen at run time.
pub(super) fn widest<R>(loops: impl FnOnce() -> R) -> R {
    struct Loops<F>(F);
    impl<R, F: FnOnce() -> R> SimdOp for Loops<F> {
        type Output = R;
        // Into the function that is compiled anew for each set.
        #[inline(always)]
        fn eval<I: Isa>(self, _: I) -> R {
            (self.0)()
        }
    }
    Loops(loops).dispatch()
}
