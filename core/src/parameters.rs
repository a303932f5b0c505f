//! Parameters on a device and the names that they have in files.
//!
//! A parameter's id follows from its name, so that an optimiser's saved state finds it again in a
//! model that was loaded anew.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};

use crate::checkpoint::Checkpoint;
use crate::config::ClipConfig;
use crate::layout::{is_layer_weight, parameter_shapes};
use crate::seeded::fnv1a;

/// One parameter as files hold it: OpenAI's name and layout.
pub struct NamedTensor {
    /// For example `visual.transformer.resblocks.0.attn.in_proj_weight`.
    pub name: String,
    /// Length of each axis; empty for a single number.
    pub shape: Vec<usize>,
    /// The elements on the device, row-major; `[elements]`.
    pub values: Tensor<1>,
}

/// The id of the parameter of that name, in every model.
pub fn parameter_id(name: &str) -> ParamId {
    ParamId::from(fnv1a(name))
}

impl Checkpoint<'_> {
    /// Moves a parameter to `device`, trainable where the device tracks gradients. Its bytes here are freed: the
    /// model is never in memory twice.
    ///
    /// A single number becomes `[1]`, a layer's weight `[in, out]`.
    pub(crate) fn parameter<const D: usize>(&mut self, name: &str, device: &Device) -> Param<Tensor<D>> {
        named(name, self.tensor(name, device))
    }

    /// The same, in float16 where the file has that.
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

/// The parameters of `module`, a CLIP model of these sizes or a part of one.
///
/// Queues the work on the device and reads nothing back. A module that mirrors a model's
/// parameters, its gradients for example, is named like the model.
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

/// The elements of a parameter, or of its gradient, in a file's order; `[elements]`.
pub fn in_file_layout<const D: usize>(tensor: Tensor<D>, name: &str, shape: &[usize]) -> Tensor<1> {
    let tensor = if is_layer_weight(name, shape) { tensor.swap_dims(0, 1) } else { tensor };
    let elements: usize = shape.iter().product();
    tensor.reshape([elements])
}
