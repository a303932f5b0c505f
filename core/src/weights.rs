//! The named tensors of a weight file. Nothing here depends on the model.

use std::borrow::Cow;
use std::collections::BTreeMap;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};

/// Tensors by name, in alphabetical order.
pub type Tensors<'a> = BTreeMap<String, RawTensor<'a>>;

/// A tensor with row-major, little-endian elements.
#[derive(Clone, Debug)]
pub struct RawTensor<'a> {
    /// Element type.
    pub dtype: Dtype,
    /// The length of each axis; empty for a single number.
    pub shape: Vec<usize>,
    /// The elements. They can be borrowed from a memory-mapped file.
    pub bytes: Cow<'a, [u8]>,
}

impl RawTensor<'_> {
    /// Makes a float32 tensor.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> RawTensor<'static> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        RawTensor { dtype: Dtype::F32, shape, bytes: Cow::Owned(bytes) }
    }

    /// The same tensor with owned elements.
    pub fn into_owned(self) -> RawTensor<'static> {
        RawTensor { bytes: Cow::Owned(self.bytes.into_owned()), ..self }
    }

    /// Whether the element type is supported by [`RawTensor::to_f32`].
    pub fn is_float(&self) -> bool {
        matches!(self.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16)
    }

    /// Whether all elements are finite. Integers always are.
    pub fn is_finite(&self) -> bool {
        // In NaN and infinities, all bits of the exponent are set.
        let pairs =
            |exponent: u16| self.bytes.as_chunks().0.iter().all(|b| u16::from_le_bytes(*b) & exponent != exponent);
        match self.dtype {
            Dtype::F32 => self.bytes.as_chunks().0.iter().all(|b| f32::from_le_bytes(*b).is_finite()),
            Dtype::F16 => pairs(0x7c00),
            Dtype::BF16 => pairs(0x7f80),
            _ => true,
        }
    }

    /// The elements as float32. The conversion is exact.
    ///
    /// # Panics
    /// If [`RawTensor::is_float`] is false.
    pub fn to_f32(&self) -> Vec<f32> {
        let pairs = || self.bytes.as_chunks::<2>().0.iter();
        match self.dtype {
            Dtype::F32 => self.bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F16 => pairs().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            Dtype::BF16 => pairs().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            other => panic!("a tensor of {other:?} cannot be converted to float32"),
        }
    }
}

/// Reads a safetensors file. The tensors are borrowed from `bytes`.
///
/// # Errors
/// [`Error::Safetensors`] if the header is invalid or does not match the length of the file.
///
/// # Examples
///
/// ```
/// use tsp_mgs_core::weights::read_safetensors;
///
/// let header = br#"{"bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
/// let length = (header.len() as u64).to_le_bytes();
/// let file = [&length[..], header, &1.5f32.to_le_bytes()].concat();
/// assert_eq!(read_safetensors(&file)?["bias"].to_f32(), [1.5]);
/// # Ok::<(), tsp_mgs_core::Error>(())
/// ```
pub fn read_safetensors(bytes: &[u8]) -> Result<Tensors<'_>> {
    let file = SafeTensors::deserialize(bytes).map_err(Error::Safetensors)?;
    let tensors = file.iter().map(|(name, view)| {
        let tensor = RawTensor { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: Cow::Borrowed(view.data()) };
        (name.to_owned(), tensor)
    });
    Ok(tensors.collect())
}
