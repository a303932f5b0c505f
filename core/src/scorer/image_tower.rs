//! Settings of the image tower.

use std::num::NonZeroUsize;

use burn::tensor::Device;

use crate::clip::WeightFormat;
use crate::encoder::is_cpu;
use crate::error::{Error, Result};

/// The default number of views in a batch of the image tower. More views need more memory, and are not faster on a CPU with few
/// threads.
pub const TOWER_BATCH: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// Settings of the image tower.
#[derive(Clone, Copy, Debug)]
pub struct ImageTower {
    /// The number of views in a batch. All views of an image are in the same batch.
    pub batch: NonZeroUsize,
    /// The number type of matrix products.
    pub precision: Precision,
}

/// The number type that weights and inputs of linear layers are rounded to. Sums of products are exact or float32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Float32: nothing is rounded.
    #[default]
    Float32,
    /// Bfloat16. Only on processors; faster on those with instructions for it.
    BFloat16,
    /// 8-bit integers. Only on processors; faster and less exact.
    Int8,
}

impl Precision {
    /// The name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "f32",
            Self::BFloat16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

impl Default for ImageTower {
    /// [`TOWER_BATCH`] views, in float32.
    fn default() -> Self {
        Self { batch: TOWER_BATCH, precision: Precision::default() }
    }
}

impl ImageTower {
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn weight_format(self) -> WeightFormat {
        match self.precision {
            Precision::Float32 => WeightFormat::Float32,
            Precision::BFloat16 => WeightFormat::BFloat16,
            Precision::Int8 => WeightFormat::Int8,
        }
    }

    /// In browsers memory is scarcer than time. A bundle in 8-bit integers is multiplied in 8-bit integers there.
    #[cfg(target_arch = "wasm32")]
    pub(super) fn weight_format(self) -> WeightFormat {
        WeightFormat::Stored
    }

    /// # Errors
    /// [`Error::Precision`] if the device or the build does not support the precision.
    pub(super) fn check(self, device: &Device) -> Result<()> {
        let precision = self.precision.name();
        if self.precision == Precision::Float32 {
            return Ok(());
        }
        if cfg!(any(not(feature = "cpu"), target_arch = "wasm32")) {
            return Err(Error::Precision { precision, reason: "this build does not support it" });
        }
        if !is_cpu(device) {
            return Err(Error::Precision { precision, reason: "the device is not the processor" });
        }
        Ok(())
    }
}
