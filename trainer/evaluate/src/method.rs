//! The methods that predict scores: TSP-MGS, and the baselines of the paper's Tables 2 to 4 that its parts can compute.

use std::path::PathBuf;

use clap::ValueEnum;
use tsp_mgs_core::options::{Alpha, DEFAULT_CROPS, Inputs, Options};
use tsp_mgs_core::prompts::{PromptSet, Task};
use tsp_mgs_data::flags::UsageError;
use tsp_mgs_score::hub;
use tsp_mgs_score::model::ModelArgs;
use tsp_mgs_score::options::OptionArgs;

/// A method that predicts scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// The model with its own options, for all of its tasks
    TspMgs,
    /// Zero-shot CLIP: the cosine of image and prompt; for alignment
    Clip,
    /// Antonym prompts on the resized image, without words; for perception
    ClipIqa,
    /// Adverb prompts, mean of resized image and crops, without words; one score for both tasks
    Ipce,
    /// The logit of the prompt, with PickScore's weights; for alignment
    #[value(name = "pickscore")]
    PickScore,
    /// The cosine of image and prompt, with the weights of HPS or HPS v2; for alignment
    Hps,
}

/// The kind of score that a method predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreKind {
    /// Quality on the opinion scale (Eq. 7).
    Quality,
    /// Cosine of image and prompt, in [−1, 1].
    Cosine,
    /// The cosine multiplied by the logit scale.
    Logit,
}

impl Method {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::TspMgs => "tsp-mgs",
            Self::Clip => "clip",
            Self::ClipIqa => "clip-iqa",
            Self::Ipce => "ipce",
            Self::PickScore => "pickscore",
            Self::Hps => "hps",
        }
    }

    /// The kind of score that the method predicts.
    pub fn score_kind(self) -> ScoreKind {
        match self {
            Self::TspMgs | Self::ClipIqa | Self::Ipce => ScoreKind::Quality,
            // HPS: `image_features @ text_features.T`, in tgxs002/align_sd and in tgxs002/HPSv2 (`hpsv2/img_score.py`).
            Self::Clip | Self::Hps => ScoreKind::Cosine,
            // `logit_scale.exp() * (text_embs @ image_embs.T)`, yuvalkirstain/PickScore.
            Self::PickScore => ScoreKind::Logit,
        }
    }

    /// The options of the tasks to evaluate: the tasks of the flags, or all tasks of the method.
    ///
    /// # Errors
    /// Fails if the flags name a task or an option that the method does not have.
    pub fn tasks(self, flags: &OptionArgs, model: &[Options]) -> Result<Vec<Options>, UsageError> {
        if self == Self::TspMgs {
            return flags.apply(model.to_vec());
        }
        self.refuse_options(flags)?;
        let supported = self.baseline_tasks();
        let is_asked = |task: Task| flags.task.is_none_or(|choice| choice.includes(task));
        if flags.task.is_some()
            && let Some(task) =
                [Task::Perception, Task::Alignment].into_iter().find(|t| is_asked(*t) && !supported.contains(t))
        {
            let (task, supported) =
                (task.name(), supported.iter().map(|&task| task.name()).collect::<Vec<_>>().join(" and "));
            let name = self.name();
            return Err(UsageError::new(format!(
                "{name} predicts {supported}, not {task}; leave out --task to evaluate all tasks of the method"
            )));
        }
        let crops = flags.crops.unwrap_or(DEFAULT_CROPS);
        let asked = supported.iter().copied().filter(|&task| is_asked(task));
        Ok(asked.map(|task| self.baseline_options(task, crops)).collect())
    }

    /// Checks that the activation is known if the default is wrong for the weights of the method.
    ///
    /// # Errors
    /// Fails if the activation is neither given nor known from the model's name.
    pub fn check_weights(self, model: &ModelArgs) -> Result<(), UsageError> {
        let needs = match self {
            Self::PickScore => "gelu for PickScore (a ViT-H/14 of LAION)",
            Self::Hps => {
                "gelu for HPS v2 (a ViT-H/14 of LAION), or quick_gelu for the first HPS (a ViT-L/14 of OpenAI)"
            }
            _ => return Ok(()),
        };
        let is_known = |clip: &PathBuf| hub::names_activation(clip);
        if model.activation.is_none() && !model.clip.as_ref().is_none_or(is_known) {
            return Err(UsageError::new(format!(
                "--method {} needs the activation of its weights, which is not in the file: pass --activation {needs}",
                self.name()
            )));
        }
        Ok(())
    }

    /// Notes for a reader of the predictions.
    pub fn notes(self) -> Vec<String> {
        let mut notes = Vec::new();
        let own_weights = match self {
            Self::PickScore => Some("PickScore"),
            Self::Hps => Some("HPS"),
            _ => None,
        };
        notes.extend(
            own_weights.map(|name| format!("the predictions are {name}'s scores only with {name}'s published weights")),
        );
        if self.score_kind() != ScoreKind::Quality {
            notes.push(
                "the predictions are similarities, not on the opinion scale: rank correlations are meaningful, errors \
                 (RMSE, closest and furthest predictions) are not"
                    .into(),
            );
            notes.push(
                "the image is resized whole to a square; the published code of the method crops its centre".into(),
            );
        }
        match self {
            Self::ClipIqa => notes.push(
                "the image is resized whole to a square; the published code of CLIP-IQA keeps its size, without \
                 positional embedding"
                    .into(),
            ),
            Self::Ipce => notes.push("IPCE is zero-shot unless the weights were trained for it".into()),
            _ => {}
        }
        notes
    }

    fn baseline_tasks(self) -> &'static [Task] {
        match self {
            Self::ClipIqa => &[Task::Perception],
            Self::TspMgs | Self::Ipce => &[Task::Perception, Task::Alignment],
            Self::Clip | Self::PickScore | Self::Hps => &[Task::Alignment],
        }
    }

    fn baseline_options(self, task: Task, crops: usize) -> Options {
        let (prompts, inputs, alpha) = match self {
            Self::ClipIqa => (PromptSet::Ant, Inputs::Image, 1.0),
            Self::Ipce => (PromptSet::Adv, Inputs::Both, 0.5),
            _ => (PromptSet::Adv, Inputs::Image, 1.0),
        };
        Options { prompts, alpha: Alpha::Fixed(alpha), inputs, fine: false, crops, ..Options::default_for(task) }
    }

    fn refuse_options(self, flags: &OptionArgs) -> Result<(), UsageError> {
        let given = [
            ("--prompts", flags.prompts.is_some()),
            ("--alpha", flags.alpha.is_some()),
            ("--crops", flags.crops.is_some() && self != Self::Ipce),
            ("--inputs", flags.inputs.is_some()),
            ("--no-fine", flags.no_fine.is_some()),
            ("--temperature", flags.temperature.is_some()),
            ("--words", flags.words.is_some()),
            ("--patch-mean", flags.patch_mean.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(UsageError::new(format!(
                "{flag} does not change {}, whose options are fixed; leave out {flag}, or pass --method tsp-mgs",
                self.name()
            ))),
            None => Ok(()),
        }
    }
}
