//! How the image tower computes.

use std::num::NonZeroUsize;

use burn::tensor::Device;

use crate::clip::Form;
use crate::error::{Error, Result};

/// Views that go through the image tower at once, unless [`ImageTower`] says otherwise; more cost memory, and gain
/// nothing on a CPU that has no more threads.
pub const TOWER_BATCH: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// How the image tower computes.
#[derive(Clone, Copy, Debug)]
pub struct ImageTower {
    /// Views that go through it at once; an image's are never parted.
    pub batch: NonZeroUsize,
    /// Whether weights are multiplied in 8-bit integers: faster on a processor, and less exact.
    pub int8: bool,
}

impl Default for ImageTower {
    /// [`TOWER_BATCH`] views, in float32.
    fn default() -> Self {
        Self { batch: TOWER_BATCH, int8: false }
    }
}

impl ImageTower {
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn form(self) -> Form {
        if self.int8 { Form::Int8 } else { Form::Float32 }
    }

    /// Memory is what a browser has least of.
    #[cfg(target_arch = "wasm32")]
    pub(super) fn form(self) -> Form {
        Form::Stored
    }

    /// # Errors
    /// When weights are to be multiplied in 8 bits, and the device has no exact products of such.
    pub(super) fn check(self, device: &Device) -> Result<()> {
        if self.int8 { int8_is_possible(device) } else { Ok(()) }
    }
}

#[cfg(all(feature = "cpu", not(target_arch = "wasm32")))]
fn int8_is_possible(device: &Device) -> Result<()> {
    if !crate::cpu::is_cpu(device) {
        return Err(Error::Int8("the device is not the processor"));
    }
    if !crate::cpu::int8_is_exact() {
        return Err(Error::Int8("this processor has no instruction for it (VNNI, or dot product on ARM)"));
    }
    Ok(())
}

#[cfg(not(all(feature = "cpu", not(target_arch = "wasm32"))))]
fn int8_is_possible(_: &Device) -> Result<()> {
    Err(Error::Int8("this build has no products in 8 bits"))
}
