//! Symmetric quantisation of weights to 8-bit integers, with one scale for each output channel.

use std::borrow::Cow;

use safetensors::Dtype;

use crate::error::{Error, Result};
use crate::weights::RawTensor;

/// The integer for the largest value of a channel.
pub(crate) const LARGEST: f32 = 127.0;

/// The name of the scales of a quantised tensor.
pub(crate) fn scale_name(name: &str) -> String {
    format!("{name}:scale")
}

/// Quantises a tensor. Returns the integers and their scales, each with its name.
pub(crate) fn quantise(name: &str, shape: &[usize], values: &[f32]) -> [(String, RawTensor<'static>); 2] {
    // The output channels of projections are columns, those of all other tensors are rows.
    let is_column = matches!(name, "visual.proj" | "text_projection");
    let axis = if is_column { shape.len() - 1 } else { 0 };
    let channel = channel_of(shape, axis);
    let mut scales = vec![0.0f32; shape[axis]];
    for (i, value) in values.iter().enumerate() {
        scales[channel(i)] = scales[channel(i)].max(value.abs() / LARGEST);
    }
    let level = |(i, value): (usize, &f32)| match scales[channel(i)] {
        0.0 => 0,
        scale => (value / scale).round() as i8,
    };
    let bytes = values.iter().enumerate().map(|entry| level(entry) as u8).collect();
    let mut scale_shape = vec![1; shape.len()];
    scale_shape[axis] = shape[axis];
    [
        (name.to_owned(), RawTensor { dtype: Dtype::I8, shape: shape.into(), bytes: Cow::Owned(bytes) }),
        (scale_name(name), RawTensor::from_f32(scale_shape, &scales)),
    ]
}

/// Checks that the scales of a tensor fit its integers.
///
/// # Errors
/// [`Error::Shape`] if they do not.
pub(crate) fn check_scale(name: &str, quantised: &RawTensor, scale: &RawTensor) -> Result<()> {
    let channels = quantised.shape.get(channel_axis(scale)).copied().unwrap_or(0);
    // A tensor without axes has no channels.
    if quantised.shape.is_empty() || scale.dtype != Dtype::F32 || scale.bytes.len() != channels * 4 {
        return Err(Error::Shape {
            name: scale_name(name),
            expected: format!("one float32 for each channel of {:?} in int8", quantised.shape),
            found: scale.shape.clone(),
        });
    }
    Ok(())
}

/// Multiplies integers with their scales, which [`check_scale`] has checked.
pub(crate) fn dequantise(quantised: &RawTensor, scale: &RawTensor) -> Vec<f32> {
    let axis = channel_axis(scale);
    let inner: usize = quantised.shape[axis + 1..].iter().product();
    let scales = scale.to_f32();
    let mut values = Vec::with_capacity(quantised.bytes.len());
    for (integers, scale) in quantised.bytes.chunks(inner.max(1)).zip(scales.iter().cycle()) {
        values.extend(integers.iter().map(|&byte| f32::from(byte as i8) * scale));
    }
    values
}

/// The axis of a tensor that its scales are along.
fn channel_axis(scale: &RawTensor) -> usize {
    scale.shape.iter().position(|&length| length > 1).unwrap_or(0)
}

/// The channel, along `axis`, of an element in row-major order.
fn channel_of(shape: &[usize], axis: usize) -> impl Fn(usize) -> usize + use<> {
    let inner: usize = shape[axis + 1..].iter().product();
    let length = shape[axis];
    move |i| i / inner % length
}
