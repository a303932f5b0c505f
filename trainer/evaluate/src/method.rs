//! TSP-MGS, and the methods of the paper's Tables 2 to 4 that its own parts give.

use std::path::PathBuf;

use clap::ValueEnum;
use tsp_mgs_core::options::{Alpha, DEFAULT_CROPS, Inputs, Options};
use tsp_mgs_core::prompts::{PromptSet, Task};
use tsp_mgs_data::flags::UsageError;
use tsp_mgs_score::hub;
use tsp_mgs_score::model::ModelArgs;
use tsp_mgs_score::options::OptionArgs;
use tsp_mgs_score::predict::Predicted;

/// What judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// The model with its own options; every task that it has
    TspMgs,
    /// Zero-shot CLIP: the cosine of image and prompt; alignment
    Clip,
    /// Antonym prompts on the whole image, without words; perception
    ClipIqa,
    /// Adverb prompts, mean of image and crops, without words; one score for both tasks
    Ipce,
    /// The prompt's logit, with PickScore's weights; alignment
    #[value(name = "pickscore")]
    PickScore,
    /// The cosine of image and prompt, with the weights of HPS or HPS v2; alignment
    Hps,
}

/// One task as a method judges it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Whose opinions are compared with.
    pub task: Task,
    /// How the score is computed; IPCE's is one of alignment, whatever it is compared with.
    pub options: Options,
}

/// What a method's number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// Quality on the opinion scale, Eq. 7.
    Quality,
    /// Cosine of image and prompt.
    Cosine,
    /// The cosine times CLIP's scale.
    Logit,
}

impl Judged {
    /// The score that is compared.
    pub fn score(&self, predicted: &Predicted) -> Option<f64> {
        match self.options.task() {
            Task::Perception => predicted.perception,
            Task::Alignment => predicted.alignment,
        }
    }
}

impl Method {
    /// As it is given on the command line.
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

    /// What its number is.
    pub fn number(self) -> Number {
        match self {
            Self::TspMgs | Self::ClipIqa | Self::Ipce => Number::Quality,
            // HPS: `image_features @ text_features.T`, in tgxs002/align_sd and in tgxs002/HPSv2 (`hpsv2/img_score.py`).
            Self::Clip | Self::Hps => Number::Cosine,
            // `logit_scale.exp() * (text_embs @ image_embs.T)`, yuvalkirstain/PickScore.
            Self::PickScore => Number::Logit,
        }
    }

    /// The tasks that it is asked to judge: all that it can, where the flags say nothing.
    ///
    /// # Errors
    /// For a task that it does not judge, and for options that it does not have.
    pub fn judged(self, flags: &OptionArgs, model: &[Options]) -> Result<Vec<Judged>, UsageError> {
        if self == Self::TspMgs {
            let tasks = flags.apply(model.to_vec())?;
            return Ok(tasks.into_iter().map(|options| Judged { task: options.task(), options }).collect());
        }
        self.refuse_options(flags)?;
        let can = self.baseline_tasks();
        let is_asked = |task: Task| flags.task.is_none_or(|choice| choice.includes(task));
        if flags.task.is_some()
            && let Some(task) =
                [Task::Perception, Task::Alignment].into_iter().find(|t| is_asked(*t) && !can.contains(t))
        {
            let (task, can) = (task.name(), can.iter().map(|&task| task.name()).collect::<Vec<_>>().join(" and "));
            let name = self.name();
            return Err(UsageError::new(format!(
                "{name} judges {can}, not {task}; leave --task out to judge what it can"
            )));
        }
        let options = self.baseline_options(flags.crops.unwrap_or(DEFAULT_CROPS));
        let asked = can.iter().copied().filter(|&task| is_asked(task));
        Ok(asked.map(|task| Judged { task, options: options.clone() }).collect())
    }

    /// Looks whether the activation is known where the weights' own is not the default.
    ///
    /// # Errors
    /// When it is not given.
    pub fn check_weights(self, model: &ModelArgs) -> Result<(), UsageError> {
        let needs = match self {
            Self::PickScore => "gelu for PickScore, a ViT-H/14 of LAION's",
            Self::Hps => {
                "gelu for HPS v2, a ViT-H/14 of LAION's, or quick_gelu for the first HPS, a ViT-L/14 of OpenAI's"
            }
            _ => return Ok(()),
        };
        let is_known = |clip: &PathBuf| hub::names_activation(clip);
        if model.activation.is_none() && !model.clip.as_ref().is_none_or(is_known) {
            return Err(UsageError::new(format!(
                "--method {} needs the activation of its weights, which no tensor tells: pass --activation {needs}",
                self.name()
            )));
        }
        Ok(())
    }

    /// What a reader of its numbers must know.
    pub fn notes(self) -> Vec<String> {
        let mut notes = Vec::new();
        let own_weights = match self {
            Self::PickScore => Some("PickScore"),
            Self::Hps => Some("HPS"),
            _ => None,
        };
        notes.extend(own_weights.map(|name| format!("these are {name}'s scores only with {name}'s published weights")));
        if self.number() != Number::Quality {
            notes.push(
                "the predictions are similarities and not on the opinion scale: rank correlations compare, errors (RMSE, \
                 closest and furthest predictions) do not"
                    .into(),
            );
            notes.push("the image is resized whole to a square; the method's own code cuts out its centre".into());
        }
        match self {
            Self::ClipIqa => notes.push(
                "the image is resized whole to a square; CLIP-IQA's own code takes it in its size, without positional \
                 embedding"
                    .into(),
            ),
            Self::Ipce => notes.push("IPCE as its weights are: zero-shot unless they were trained for it".into()),
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

    fn baseline_options(self, crops: usize) -> Options {
        let (prompts, inputs, alpha) = match self {
            Self::ClipIqa => (PromptSet::Ant, Inputs::Image, 1.0),
            Self::Ipce => (PromptSet::Adv, Inputs::Both, 0.5),
            _ => (PromptSet::Adv, Inputs::Image, 1.0),
        };
        let default = Options::default_for(prompts.task());
        Options { prompts, alpha: Alpha::Fixed(alpha), inputs, fine: false, crops, ..default }
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
                "{flag} does not change {}, which has options of its own; leave it out, or take --method tsp-mgs",
                self.name()
            ))),
            None => Ok(()),
        }
    }
}
