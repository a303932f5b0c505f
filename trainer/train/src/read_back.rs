//! Copies parameters and numbers from a device to host memory.

use anyhow::{Context, Result};
use burn::tensor::Tensor;
use tsp_mgs_core::checkpoint::{Checkpoint, Naming};
use tsp_mgs_core::clip::Clip;
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_core::layout::is_layer_weight;
use tsp_mgs_core::parameters::named_tensors;
use tsp_mgs_core::weights::{RawTensor, Tensors};

/// Reads the parameters of a model from its device.
///
/// # Errors
/// Fails if the device fails.
pub fn read_checkpoint(clip: &Clip, config: &ClipConfig) -> Result<Checkpoint<'static>> {
    let mut tensors = Tensors::new();
    for tensor in named_tensors(clip, config) {
        let values = read(tensor.values)?;
        tensors.insert(tensor.name, RawTensor::from_f32(tensor.shape, &values));
    }
    Ok(Checkpoint::read_as(tensors, Naming::OpenAi, config.clone())?)
}

/// Reads the elements of a tensor from its device, row-major.
///
/// # Errors
/// Fails if the device fails.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.try_into_data().context("reading numbers from the device")?;
    data.convert::<f32>().try_to_vec::<f32>().context("reading numbers from the device")
}

/// Reads the first element of a tensor from its device.
///
/// # Errors
/// Fails if the device fails.
pub fn read_one(tensor: Tensor<1>) -> Result<f32> {
    Ok(read(tensor)?[0])
}

/// Share of the layers' weights and projections that are equal in two states of a model, in [0, 1].
///
/// # Errors
/// Fails if the device fails.
pub fn stuck_share(before: &Clip, after: &Clip, config: &ClipConfig) -> Result<f64> {
    let (mut equal, mut all) = (0.0, 0.0);
    for (before, after) in named_tensors(before, config).into_iter().zip(named_tensors(after, config)) {
        let is_projection = matches!(before.name.as_str(), "visual.proj" | "text_projection");
        if is_layer_weight(&before.name, &before.shape) || is_projection {
            all += before.values.dims()[0] as f64;
            equal += f64::from(read_one(before.values.equal(after.values).float().sum())?);
        }
    }
    Ok(equal / all)
}
