//! How the image tower computes.

use std::num::NonZeroUsize;

use burn::tensor::Device;

use crate::clip::{Form, is_cpu};
use crate::error::{Error, Result};

/// Views that go through the image tower at once, unless [`ImageTower`] says otherwise; more cost memory, and gain
/// nothing on a CPU that has no more threads.
pub const TOWER_BATCH: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// How the image tower computes.
#[derive(Clone, Copy, Debug)]
pub struct ImageTower {
    /// Views that go through it at once; an image's are never parted.
    pub batch: NonZeroUsize,
    /// What its weights are multiplied in.
    pub precision: Precision,
}

/// What weights and inputs of layers are rounded to before they are multiplied. Sums are exact or float32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Nothing: float32.
    #[default]
    Float32,
    /// bfloat16, on a processor: faster where it has instructions for it.
    BFloat16,
    /// 8-bit integers, on a processor: faster, and less exact.
    Int8,
}

impl Precision {
    /// As the command line and results call it.
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
    pub(super) fn form(self) -> Form {
        match self.precision {
            Precision::Float32 => Form::Float32,
            Precision::BFloat16 => Form::BFloat16,
            Precision::Int8 => Form::Int8,
        }
    }

    /// Memory is what a browser has least of.
    #[cfg(target_arch = "wasm32")]
    pub(super) fn form(self) -> Form {
        Form::Stored
    }

    /// # Errors
    /// When weights are to be multiplied in another type than float32, and the device or the build has no such products.
    pub(super) fn check(self, device: &Device) -> Result<()> {
        let precision = self.precision.name();
        if self.precision == Precision::Float32 {
            return Ok(());
        }
        if cfg!(any(not(feature = "cpu"), target_arch = "wasm32")) {
            return Err(Error::Precision { precision, reason: "this build has no such products" });
        }
        if !is_cpu(device) {
            return Err(Error::Precision { precision, reason: "the device is not the processor" });
        }
        Ok(())
    }
}
