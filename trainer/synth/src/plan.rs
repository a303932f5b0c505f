//! What each image is: its generator, prompt, scene, degradations and scores. Nothing is drawn here.

use crate::degrade::{Degradation, degradations, quality};
use crate::draw::{Draw, Purpose};
use crate::obey::{SCALE, Shown, alignment, disobey};
use crate::prompt::Prompt;

/// A pretended text-to-image model with one setting.
struct Source {
    /// As AGIQA-3K's file names begin: `<generator>_<setting>`.
    name: &'static str,
    /// Its eighth of the perception scale, counted from the worst.
    quality_rank: usize,
    /// Its eighth of the alignment scale, counted from the worst.
    alignment_rank: usize,
}

/// Six generators, two of them with two settings. Every rank stands once in both columns, which makes scores
/// even over their scales; the ranks' Spearman correlation is 0.57, as better models tend to obey better.
const SOURCES: [Source; 8] = [
    Source { name: "alpha_normal", quality_rank: 7, alignment_rank: 5 },
    Source { name: "beta_normal", quality_rank: 6, alignment_rank: 7 },
    Source { name: "gamma_normal", quality_rank: 5, alignment_rank: 2 },
    Source { name: "gamma_lowstep", quality_rank: 1, alignment_rank: 3 },
    Source { name: "delta_normal", quality_rank: 4, alignment_rank: 6 },
    Source { name: "delta_lowcorr", quality_rank: 3, alignment_rank: 0 },
    Source { name: "epsilon_normal", quality_rank: 2, alignment_rank: 4 },
    Source { name: "zeta_normal", quality_rank: 0, alignment_rank: 1 },
];

/// How often an image scores as its generator usually does; the others score anything.
const TYPICAL: f32 = 0.5;

/// Standard deviation of the raters' noise in both scores.
const RATER_NOISE: f32 = 0.1;

/// One image, as far as it can be told without drawing it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The file's name.
    pub name: String,
    /// What was asked for.
    pub prompt: Prompt,
    /// What is drawn of it.
    pub shown: Shown,
    /// What then goes wrong.
    pub degradations: Vec<Degradation>,
    /// Mean opinion of how good it looks, and its deviation.
    pub quality: Opinion,
    /// Mean opinion of how well it shows its prompt, and its deviation.
    pub alignment: Opinion,
}

/// What raters say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    /// In [0, 5]; higher is better.
    pub mos: f32,
    /// The raters' standard deviation.
    pub std: f32,
}

/// Plans the image of this index in a set of `n_images`.
pub fn plan(seed: u64, n_images: usize, index: usize) -> Plan {
    let (prompt_id, source) = (index / SOURCES.len(), &SOURCES[index % SOURCES.len()]);
    let prompt = Prompt::draw(&mut Draw::new(seed, Purpose::Prompt, prompt_id));
    let mut draw = Draw::new(seed, Purpose::Plan, index);

    let degradations = degradations(target(source.quality_rank, &mut draw), &mut draw);
    let shown = disobey(&prompt.scene, target(source.alignment_rank, &mut draw), &mut draw);
    let quality = Opinion::draw(quality(&degradations), &mut draw);
    let alignment = Opinion::draw(alignment(&prompt.scene, &shown.missing), &mut draw);

    // Three digits, as AGIQA-3K has; more where there are more prompts.
    let digits = (n_images.div_ceil(SOURCES.len()).saturating_sub(1)).to_string().len().max(3);
    let name = format!("{}_{prompt_id:0digits$}.jpg", source.name);
    Plan { name, prompt, shown, degradations, quality, alignment }
}

/// A score to aim for: in the source's own eighth, or anywhere.
fn target(rank: usize, draw: &mut Draw) -> f32 {
    let share = match draw.chance(TYPICAL) {
        true => (rank as f32 + draw.unit()) / SOURCES.len() as f32,
        false => draw.unit(),
    };
    SCALE * share
}

impl Opinion {
    fn draw(truth: f32, draw: &mut Draw) -> Self {
        let mos = (truth + RATER_NOISE * draw.normal()).clamp(0.0, SCALE);
        // Raters agree at the ends of the scale and differ in its middle; AGIQA-3K's deviations are mostly 0.2 to 1.
        let middle = 1.0 - (2.0 * mos / SCALE - 1.0).powi(2);
        Self { mos, std: 0.2 + 0.4 * middle + draw.range(0.0, 0.25) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N_IMAGES: usize = 2000;

    fn plans() -> Vec<Plan> {
        (0..N_IMAGES).map(|index| plan(1, N_IMAGES, index)).collect()
    }

    fn correlation(a: &[f32], b: &[f32]) -> f32 {
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        let (mean_a, mean_b) = (mean(a), mean(b));
        let dot = |a: &[f32], mean_a: f32, b: &[f32], mean_b: f32| -> f32 {
            a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum()
        };
        dot(a, mean_a, b, mean_b) / (dot(a, mean_a, a, mean_a) * dot(b, mean_b, b, mean_b)).sqrt()
    }

    #[test]
    fn both_scores_are_even_over_the_scale_and_almost_independent() {
        let plans = plans();
        let quality: Vec<f32> = plans.iter().map(|plan| plan.quality.mos).collect();
        let alignment: Vec<f32> = plans.iter().map(|plan| plan.alignment.mos).collect();
        for scores in [&quality, &alignment] {
            let mut fifths = [0; 5];
            for &score in scores {
                assert!((0.0..=5.0).contains(&score), "{score}");
                fifths[(score as usize).min(4)] += 1;
            }
            assert!(fifths.iter().all(|&count| count >= N_IMAGES * 12 / 100), "{fifths:?}");
        }
        let correlation = correlation(&quality, &alignment);
        assert!((0.0..0.3).contains(&correlation), "{correlation}");
    }

    #[test]
    fn generators_differ_in_mean_quality_as_ranked() {
        let plans = plans();
        let mean = |source: &Source| {
            let own: Vec<f32> =
                plans.iter().filter(|plan| plan.name.starts_with(source.name)).map(|plan| plan.quality.mos).collect();
            own.iter().sum::<f32>() / own.len() as f32
        };
        let best = SOURCES.iter().max_by_key(|source| source.quality_rank).unwrap();
        let worst = SOURCES.iter().min_by_key(|source| source.quality_rank).unwrap();
        // Half of the images differ by seven eighths of the scale: 0.5 × 5 × 7/8 = 2.19.
        assert!((mean(best) - mean(worst) - 2.19).abs() < 0.35, "{} {}", mean(best), mean(worst));
    }

    #[test]
    fn one_prompt_has_an_image_of_every_source() {
        let plans = plans();
        for images in plans.chunks(SOURCES.len()) {
            assert!(images.iter().all(|plan| plan.prompt == images[0].prompt));
            assert!(images.iter().zip(SOURCES).all(|(plan, source)| plan.name.starts_with(source.name)));
        }
        assert_eq!(plans[8].name, "alpha_normal_001.jpg");
    }
}
