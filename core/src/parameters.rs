//! Parameters on a device, and their names in files.
//!
//! The id of a parameter is a hash of its name, so the saved state of an optimiser fits a model that is loaded again.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};

use crate::checkpoint::Checkpoint;
use crate::config::ClipConfig;
use crate::layout::{is_layer_weight, parameter_shapes};
use crate::seeded::fnv1a;

/// A parameter with OpenAI's name and layout.
pub struct NamedTensor {
    /// For example `visual.transformer.resblocks.0.attn.in_proj_weight`.
    pub name: String,
    /// The length of each axis; empty for a single number.
    pub shape: Vec<usize>,
    /// The elements on the device, row-major, `[elements]`.
    pub values: Tensor<1>,
}

/// The id of the parameter with this name, in all models.
pub fn parameter_id(name: &str) -> ParamId {
    ParamId::from(fnv1a(name))
}

impl Checkpoint<'_> {
    /// Moves a parameter to `device`. It is trainable if the device tracks gradients. Its bytes in the checkpoint are freed, so the
    /// model is never in memory twice.
    ///
    /// A single number becomes `[1]`, and the weight of a layer `[in, out]`.
    pub(crate) fn parameter<const D: usize>(&mut self, name: &str, device: &Device) -> Param<Tensor<D>> {
        named(name, self.tensor(name, device))
    }

    /// As [`Checkpoint::parameter`], but in float16 if the file has float16.
    #[cfg(feature = "cpu")]
    pub(crate) fn stored_parameter<const D: usize>(&mut self, name: &str, device: &Device) -> Param<Tensor<D>> {
        named(name, self.stored_tensor(name, device))
    }
}

fn named<const D: usize>(name: &str, tensor: Tensor<D>) -> Param<Tensor<D>> {
    let mut parameter = Param::from_tensor(tensor);
    parameter.id = parameter_id(name);
    parameter
}

/// The parameters of `module`, which is a CLIP model of these sizes or a part of one. The work is queued on the device, and nothing
/// is read back.
pub fn named_tensors<M: Module>(module: &M, config: &ClipConfig) -> Vec<NamedTensor> {
    let known = parameter_shapes(config).into_iter().map(|(name, shape)| (parameter_id(&name), (name, shape)));
    let mut collector = Collector { known: known.collect(), found: Vec::new() };
    module.visit(&mut collector);
    collector.found
}

struct Collector {
    known: HashMap<ParamId, (String, Vec<usize>)>,
    found: Vec<NamedTensor>,
}

impl ModuleVisitor for Collector {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let Some((name, shape)) = self.known.get(&parameter.id).cloned() else { return };
        let values = in_file_layout(parameter.val(), &name, &shape);
        self.found.push(NamedTensor { name, shape, values });
    }
}

/// The elements of a parameter, or of its gradient, in the order of a file; `[elements]`.
pub fn in_file_layout<const D: usize>(tensor: Tensor<D>, name: &str, shape: &[usize]) -> Tensor<1> {
    let tensor = if is_layer_weight(name, shape) { tensor.swap_dims(0, 1) } else { tensor };
    let elements: usize = shape.iter().product();
    tensor.reshape([elements])
}
