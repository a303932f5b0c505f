//! The instruction sets that kernels exist for, which of them the processor has, and which is used.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// A set of vector instructions. A processor that has several uses the last of them ([`Isa::best`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Isa {
    /// The baseline of the architecture.
    Portable,
    /// AVX2 with FMA and F16C: 256 bits; Intel since 2013, AMD since 2015.
    Avx2,
    /// AVX2 and AVX-VNNI: products of 8-bit integers.
    AvxVnni,
    /// AVX-512 F, VL, BW and DQ: 512 bits.
    Avx512,
    /// AVX-512 and VNNI: products of 8-bit integers.
    Avx512Vnni,
    /// AVX-512, VNNI and AMX: tiles of 8-bit integers and of bfloat16.
    Amx,
    /// NEON: 128 bits; every 64-bit ARM processor.
    Neon,
    /// NEON and dot product: products of 8-bit integers.
    NeonDotProd,
    /// WebAssembly's SIMD: 128 bits.
    Simd128,
}

/// What [`Isa::limit`] was called with; [`UNLIMITED`] before.
static LIMIT: AtomicU8 = AtomicU8::new(UNLIMITED);
const UNLIMITED: u8 = u8::MAX;

/// The sets that this processor has, the best last.
static AVAILABLE: LazyLock<Vec<Isa>> = LazyLock::new(|| Isa::ALL.into_iter().filter(|isa| isa.is_detected()).collect());

/// An instruction set that this processor does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this processor has no {isa}; it has {}", names(Isa::available()))]
pub struct MissingIsa {
    /// The set that was asked for.
    pub isa: Isa,
}

impl Isa {
    const ALL: [Self; 9] = [
        Self::Portable,
        Self::Avx2,
        Self::AvxVnni,
        Self::Avx512,
        Self::Avx512Vnni,
        Self::Amx,
        Self::Neon,
        Self::NeonDotProd,
        Self::Simd128,
    ];

    /// The sets that this processor has, the best last; never empty.
    pub fn available() -> &'static [Self] {
        &AVAILABLE
    }

    /// The best set that this processor has.
    pub fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::Portable)
    }

    /// The set that kernels use: the best, or that of [`Isa::limit`].
    pub fn current() -> Self {
        let limit = LIMIT.load(Ordering::Relaxed);
        if limit == UNLIMITED { Self::best() } else { Self::ALL[usize::from(limit)] }
    }

    /// Makes the whole process use this set, to measure what another processor would reach. Call it before weights are
    /// packed: packed weights work only with the set that they were packed for.
    ///
    /// # Errors
    /// If the processor does not have it.
    pub fn limit(self) -> Result<(), MissingIsa> {
        if !Self::available().contains(&self) {
            return Err(MissingIsa { isa: self });
        }
        LIMIT.store(self as u8, Ordering::Relaxed);
        Ok(())
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::AvxVnni => "avxvnni",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "vnni",
            Self::Amx => "amx",
            Self::Neon => "neon",
            Self::NeonDotProd => "dotprod",
            Self::Simd128 => "simd128",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn is_detected(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        let has_avx2 = || has!("avx2") && has!("fma") && has!("f16c");
        let has_vnni = || rten_simd::is_avx512_supported() && has!("avx512vnni");
        match self {
            Self::Portable => true,
            Self::Avx2 => has_avx2(),
            Self::AvxVnni => has_avx2() && has!("avxvnni"),
            Self::Avx512 => rten_simd::is_avx512_supported(),
            Self::Avx512Vnni => has_vnni(),
            #[cfg(target_os = "linux")]
            Self::Amx => has_vnni() && crate::amx::is_there(),
            _ => false,
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn is_detected(self) -> bool {
        match self {
            Self::Portable | Self::Neon => true,
            Self::NeonDotProd => std::arch::is_aarch64_feature_detected!("dotprod"),
            _ => false,
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn is_detected(self) -> bool {
        self == Self::Portable || self == Self::Simd128 && cfg!(target_feature = "simd128")
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|isa| isa.name() == text);
        known.ok_or_else(|| format!("expected one of {}", names(&Self::ALL)))
    }
}

fn names(sets: &[Isa]) -> String {
    sets.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for isa in Isa::ALL {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        assert!("avx3".parse::<Isa>().is_err_and(|error| error.contains("portable, avx2")));
    }

    #[test]
    fn a_set_that_is_missing_is_refused() {
        let foreign = if cfg!(target_arch = "aarch64") { Isa::Avx2 } else { Isa::Neon };
        let error = foreign.limit().expect_err("no processor has both");
        assert!(error.to_string().contains("portable"), "{error}");
        assert_eq!(Isa::available().first(), Some(&Isa::Portable));
    }
}
