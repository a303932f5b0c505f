//! Runs code that is compiled for several instruction sets with the one in use.

use rten_simd::functional::simd_map;
use rten_simd::isa::GenericIsa;
use rten_simd::{SimdOp, SimdUnaryOp};

use crate::isa::Isa;

/// Runs an operation with the instruction set in use.
pub(crate) fn run<Op: SimdOp>(op: Op) -> Op::Output {
    run_on(Isa::current(), op)
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn run_on<Op: SimdOp>(isa: Isa, op: Op) -> Op::Output {
    use rten_simd::isa::{Avx2Isa, Avx512Isa};

    // As the library's own choice, whose sets of features these are.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,f16c")]
    fn on_avx512<Op: SimdOp>(isa: Avx512Isa, op: Op) -> Op::Output {
        op.eval(isa)
    }
    #[target_feature(enable = "avx2,avx,fma,f16c")]
    fn on_avx2<Op: SimdOp>(isa: Avx2Isa, op: Op) -> Op::Output {
        op.eval(isa)
    }

    match isa {
        Isa::Avx512 | Isa::Avx512Vnni | Isa::Amx => {
            if let Some(isa) = Avx512Isa::new() {
                #[expect(unsafe_code, reason = "a function that is compiled for more than every processor has")]
                // SAFETY: the processor has these features, as there is such an `isa`.
                return unsafe { on_avx512(isa, op) };
            }
        }
        Isa::Avx2 | Isa::AvxVnni => {
            if let Some(isa) = Avx2Isa::new() {
                #[expect(unsafe_code, reason = "a function that is compiled for more than every processor has")]
                // SAFETY: the processor has these features, as there is such an `isa`.
                return unsafe { on_avx2(isa, op) };
            }
        }
        _ => {}
    }
    op.eval(GenericIsa::new())
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn run_on<Op: SimdOp>(isa: Isa, op: Op) -> Op::Output {
    // The library knows one set beside the portable one here.
    if isa == Isa::Portable { op.eval(GenericIsa::new()) } else { op.dispatch() }
}

/// Applies an operation to each value, in place.
pub(crate) fn map<Op: SimdUnaryOp<f32>>(op: &Op, values: &mut [f32]) {
    struct Map<'a, Op>(&'a Op, &'a mut [f32]);
    impl<Op: SimdUnaryOp<f32>> SimdOp for Map<'_, Op> {
        type Output = ();
        #[inline(always)]
        fn eval<I: rten_simd::Isa>(self, isa: I) {
            let Self(op, values) = self;
            simd_map(
                isa.f32(),
                values,
                #[inline(always)]
                |x| op.eval(isa, x),
            );
        }
    }
    run(Map(op, values));
}

/// Runs plain loops that the compiler vectorises for the instruction set in use.
pub(crate) fn loops<R>(loops: impl FnOnce() -> R) -> R {
    struct Loops<F>(F);
    impl<R, F: FnOnce() -> R> SimdOp for Loops<F> {
        type Output = R;
        // Into the function that is compiled anew for each set.
        #[inline(always)]
        fn eval<I: rten_simd::Isa>(self, _: I) -> R {
            (self.0)()
        }
    }
    run(Loops(loops))
}
