//! A model in training: one step from a batch to new weights.

use anyhow::{Result, bail};
use burn::module::{Module, Param};
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::clip::Clip;
use tsp_mgs_core::config::ClipConfig;
use tsp_mgs_core::options::{Alpha, Options};
use tsp_mgs_core::parameters::parameter_id;
use tsp_mgs_core::preprocess::ViewPlan;
use tsp_mgs_core::prompts::Task;
use tsp_mgs_core::quality::{Features, quality};

use crate::config::{Freeze, Optimiser, TrainingPrecision};
use crate::read_back::{read_checkpoint, read_one, stuck_share};
use crate::texts::TextEncoder;

/// PyTorch's defaults, which IPCE uses. burn's default epsilon differs.
const BETAS: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// A model in training: its parameters and the state of the optimisers.
pub struct Learner {
    /// The towers. `logit_scale` is frozen.
    pub clip: Clip,
    /// Logits of the learned αs.
    pub alphas: Alphas,
    /// Optimiser of the towers.
    pub clip_optimiser: ModuleOptimizer,
    /// Optimiser of the αs.
    pub alpha_optimiser: ModuleOptimizer,
    tasks: Vec<Options>,
    plan: ViewPlan,
    config: ClipConfig,
    precision: TrainingPrecision,
    freeze: Freeze,
    texts: TextEncoder,
    device: Device,
}

/// The logits `a` of the learned αs, `α = sigmoid(a)`, in the order of the tasks that learn them.
#[derive(Module, Debug)]
pub struct Alphas {
    /// One logit for each task that learns its α, `[1]` each.
    pub logits: Vec<Param<Tensor<1>>>,
}

/// The batch of one step.
pub struct StepInput<'a> {
    /// Normalised pixels, row-major `[images · views, 3, side, side]`.
    pub pixels: &'a [f32],
    /// The prompt of each image.
    pub prompts: &'a [&'a str],
    /// Opinion scores `[tasks][images]`, on the scale of 0 to 5.
    pub mos: &'a [Vec<f64>],
}

/// The result of a step.
#[derive(Clone, Copy, Debug)]
pub struct StepResult {
    /// Mean |Q − MOS| over the images (Eq. 8), summed over the tasks.
    pub loss: f64,
    /// Share of the weights of matrices that the step left unchanged. `None` if it was not counted.
    pub stuck_share: Option<f64>,
}

impl Learner {
    /// Loads the initial weights onto a device.
    ///
    /// # Errors
    /// Fails if the model has no text tower, the options contradict each other or the model, or the device lacks the
    /// precision.
    pub fn new(checkpoint: Checkpoint, tasks: Vec<Options>, optimiser: &Optimiser, device: &Device) -> Result<Self> {
        let config = checkpoint.config().clone();
        let Some(text) = &config.text else {
            bail!("the model has no text tower, which training needs; pass a model with both towers")
        };
        if optimiser.precision == TrainingPrecision::Bf16 && !device.supports_dtype(FloatDType::BF16) {
            bail!("the device does not support bfloat16; pass --precision f32");
        }
        let plan = Options::view_plan(&tasks, config.vision.image_size as u32)?;
        let texts = TextEncoder::new(text.context_length, device);
        let mut device = device.clone().autodiff();
        if optimiser.checkpointing {
            device = device.gradient_checkpointing();
        }
        let clip = trainable_clip(checkpoint, optimiser.freeze, &device);
        let learned = tasks.iter().filter_map(|task| match task.alpha {
            Alpha::Learned { learned } => Some((task, learned)),
            Alpha::Fixed(_) => None,
        });
        let logits = learned.map(|(task, learned)| {
            let mut alpha = Param::from_tensor(Tensor::from_floats([learned as f32], &device));
            alpha.id = parameter_id(alpha_name(task));
            alpha
        });
        let adamw = AdamWConfig::new()
            .with_beta_1(BETAS.0)
            .with_beta_2(BETAS.1)
            .with_epsilon(EPSILON)
            .with_weight_decay(optimiser.weight_decay as f32);
        Ok(Self {
            alphas: Alphas { logits: logits.collect() },
            clip: match optimiser.precision {
                TrainingPrecision::ClipFp16Step => clip.rounded_to(FloatDType::F16),
                TrainingPrecision::F32 | TrainingPrecision::Bf16 => clip,
            },
            clip_optimiser: adamw.init(),
            alpha_optimiser: adamw.init(),
            plan,
            precision: optimiser.precision,
            freeze: optimiser.freeze,
            texts,
            config,
            tasks,
            device,
        })
    }

    /// The views of an image that a step needs.
    pub fn view_plan(&self) -> ViewPlan {
        self.plan
    }

    /// The sizes of the model.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// The options of the tasks, with the current values of the learned αs.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn tasks(&self) -> Result<Vec<Options>> {
        let mut tasks = self.tasks.clone();
        let learned = tasks.iter_mut().filter(|task| matches!(task.alpha, Alpha::Learned { .. }));
        for (task, alpha) in learned.zip(&self.alphas.logits) {
            task.alpha = Alpha::Learned { learned: f64::from(read_one(alpha.val())?) };
        }
        Ok(tasks)
    }

    /// Computes the loss of a batch and its gradients for the towers and for the αs, `micro_batch` images at a time.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn gradients(
        &mut self,
        input: &StepInput,
        micro_batch: usize,
    ) -> Result<(StepResult, GradientsParams, GradientsParams)> {
        let n_images = input.prompts.len();
        let pixels_each = self.plan.pixel_count();
        let mut clip_gradients = GradientsAccumulator::new();
        let mut alpha_gradients = GradientsAccumulator::new();
        let mut loss = 0.0;
        for start in (0..n_images).step_by(micro_batch) {
            let end = n_images.min(start + micro_batch);
            let mos: Vec<Vec<f64>> = input.mos.iter().map(|mos| mos[start..end].to_vec()).collect();
            let part = StepInput {
                pixels: &input.pixels[start * pixels_each..end * pixels_each],
                prompts: &input.prompts[start..end],
                mos: &mos,
            };
            let part_loss = self.absolute_error(&part) / n_images as f64;
            let mut gradients = part_loss.backward();
            loss += f64::from(read_one(part_loss)?);
            clip_gradients.accumulate(&self.clip, GradientsParams::from_module(&mut gradients, &self.clip));
            alpha_gradients.accumulate(&self.alphas, GradientsParams::from_module(&mut gradients, &self.alphas));
        }
        Ok((StepResult { loss, stuck_share: None }, clip_gradients.grads(), alpha_gradients.grads()))
    }

    /// Takes one step of AdamW. If the loss is not finite, the weights stay as they are.
    ///
    /// `rate` is the learning rate of the towers, `alpha_rate` that of the αs.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn step(&mut self, input: &StepInput, micro_batch: usize, rate: f64, alpha_rate: f64) -> Result<StepResult> {
        let (result, clip_gradients, alpha_gradients) = self.gradients(input, micro_batch)?;
        if !result.loss.is_finite() {
            return Ok(result);
        }
        self.clip = self.clip_optimiser.step(rate, self.clip.clone(), clip_gradients);
        self.alphas = self.alpha_optimiser.step(alpha_rate, self.alphas.clone(), alpha_gradients);
        if self.precision == TrainingPrecision::ClipFp16Step {
            self.clip = self.clip.clone().rounded_to(FloatDType::F16);
        }
        Ok(result)
    }

    /// Takes a step as [`Learner::step`] does. With [`TrainingPrecision::ClipFp16Step`] it also counts the weights that
    /// the rounding left unchanged.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn step_and_count(
        &mut self,
        input: &StepInput,
        micro_batch: usize,
        rate: f64,
        alpha_rate: f64,
    ) -> Result<StepResult> {
        let before = self.clip.valid();
        let mut result = self.step(input, micro_batch, rate, alpha_rate)?;
        if self.precision == TrainingPrecision::ClipFp16Step {
            result.stuck_share = Some(stuck_share(&before, &self.clip.valid(), &self.config)?);
        }
        Ok(result)
    }

    /// `Σ |Q − MOS|` over the images and the tasks, `[1]`.
    fn absolute_error(&mut self, input: &StepInput) -> Tensor<1> {
        let clip = match self.precision {
            TrainingPrecision::Bf16 => self.clip.multiplying_in(FloatDType::BF16),
            TrainingPrecision::F32 | TrainingPrecision::ClipFp16Step => self.clip.clone(),
        };
        let (image, crops) = self.encode_views(&clip, input);
        let texts = self.texts.encode(&clip, &self.tasks, input.prompts, &self.device);
        let mut learned = self.alphas.logits.iter();
        let errors = self.tasks.iter().zip(input.mos).map(|(task, mos)| {
            let features = Features {
                image: image.clone().filter(|_| task.needs_image()),
                crops: crops.clone().filter(|_| task.needs_crops()),
                levels: texts.levels(task, input.prompts),
                words: if task.fine { texts.words(task.words, input.prompts) } else { None },
            };
            let alpha = match task.alpha {
                Alpha::Fixed(alpha) => Tensor::from_floats([alpha as f32], &self.device),
                Alpha::Learned { .. } => sigmoid(learned.next().expect("each learned α has its parameter").val()),
            };
            let score = quality(&features, alpha, clip.logit_scale(), task).score; // [images, 1]
            let mos: Vec<f32> = mos.iter().map(|&mos| mos as f32).collect();
            let mos = Tensor::<2>::from_data(TensorData::new(mos, [input.prompts.len(), 1]), &self.device);
            (score - mos).abs().sum()
        });
        errors.reduce(|a, b| a + b).expect("there is a task")
    }

    /// Features of the resized images, `[images, embed_dim]`, and of the crops, `[images, crops, embed_dim]`.
    fn encode_views(&self, clip: &Clip, input: &StepInput) -> (Option<Tensor<2>>, Option<Tensor<3>>) {
        let (n_images, views, side) = (input.prompts.len(), self.plan.len(), self.plan.side as usize);
        let pixels = TensorData::new(input.pixels.to_vec(), [n_images * views, 3, side, side]);
        let features = clip.image_features(Tensor::from_data(pixels, &self.device)); // [images · views, embed_dim]
        let [_, embed_dim] = features.dims();
        let features = features.reshape([n_images, views, embed_dim]);
        let image = self.plan.has_image.then(|| features.clone().narrow(1, 0, 1).squeeze_dim::<2>(1));
        let crops = self.plan.crop_range();
        let crops = (!crops.is_empty()).then(|| features.narrow(1, crops.start, crops.len()));
        (image, crops)
    }

    /// Replaces the weights of the towers by those of a checkpoint of the same model.
    pub fn restore_clip(&mut self, checkpoint: Checkpoint) {
        self.clip = trainable_clip(checkpoint, self.freeze, &self.device);
    }

    /// Reads all parameters of the towers into host memory, under OpenAI's names.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn checkpoint(&self) -> Result<Checkpoint<'static>> {
        read_checkpoint(&self.clip, &self.config)
    }

    /// The towers with their current weights, without gradients.
    pub fn frozen_clip(&self) -> Clip {
        self.clip.valid()
    }
}

fn trainable_clip(checkpoint: Checkpoint, freeze: Freeze, device: &Device) -> Clip {
    let clip = Clip::load(checkpoint, device).freeze_logit_scale();
    match freeze {
        Freeze::None => clip,
        Freeze::Text => clip.freeze_text_tower(),
        Freeze::Image => clip.freeze_image_tower(),
    }
}

/// The name of a task's α, from which its parameter id follows.
pub fn alpha_name(task: &Options) -> &'static str {
    match task.task {
        Task::Perception => "alpha.perception",
        Task::Alignment => "alpha.alignment",
    }
}
