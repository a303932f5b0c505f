//! The plan of each image: generator, prompt, scene, degradations and scores. Nothing is drawn here.

use crate::alignment::{Depiction, SCALE, alignment, depict};
use crate::degrade::{Degradation, of_picture, of_scene, quality};
use crate::pictures::Picture;
use crate::prompt::Prompt;
use crate::random::{Purpose, RandomStream};

/// A simulated text-to-image model with one setting.
struct Generator {
    /// Start of its file names, in AGIQA-3K's form `<generator>_<setting>`.
    name: &'static str,
    /// Typical eighth of the perception scale, 0 for the worst.
    quality_rank: usize,
    /// Typical eighth of the alignment scale, 0 for the worst.
    alignment_rank: usize,
}

/// Six generators, two of them with two settings.
///
/// Each rank occurs once in both columns, so that scores are spread evenly over their scales. The Spearman correlation
/// of the ranks is 0.57, because better models tend to follow prompts better.
const GENERATORS: [Generator; 8] = [
    Generator { name: "alpha_normal", quality_rank: 7, alignment_rank: 5 },
    Generator { name: "beta_normal", quality_rank: 6, alignment_rank: 7 },
    Generator { name: "gamma_normal", quality_rank: 5, alignment_rank: 2 },
    Generator { name: "gamma_lowstep", quality_rank: 1, alignment_rank: 3 },
    Generator { name: "delta_normal", quality_rank: 4, alignment_rank: 6 },
    Generator { name: "delta_lowcorr", quality_rank: 3, alignment_rank: 0 },
    Generator { name: "epsilon_normal", quality_rank: 2, alignment_rank: 4 },
    Generator { name: "zeta_normal", quality_rank: 0, alignment_rank: 1 },
];

/// The generator that stands in the names of parts of pictures.
const PICTURE: &str = "picture";

/// Probability that a score is in the generator's typical eighth. Otherwise it is uniform over the scale.
const TYPICAL_SHARE: f32 = 0.5;

/// Standard deviation of the raters' noise in both scores.
const RATER_NOISE: f32 = 0.1;

/// The plan of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// File name of the image.
    pub name: String,
    /// What the image shows.
    pub content: Content,
    /// Degradations that are applied to it.
    pub degradations: Vec<Degradation>,
    /// Opinions of the perception quality.
    pub quality: Opinion,
    /// Opinions of the alignment quality.
    pub alignment: Opinion,
}

/// What an image shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// The prompt of a drawn scene, the scene, and what it lacks.
    Scene(Prompt, Depiction),
    /// A part of the picture of this index, whose title is the prompt.
    Picture(usize, String),
}

/// The opinion scores of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    /// Mean opinion score in [0, 5]; higher is better.
    pub mos: f32,
    /// Standard deviation of the raters.
    pub std: f32,
}

/// Plans the image of an index in a data set of `n_images`. If there are pictures, every second prompt is the title of
/// one, in turns.
pub fn plan(seed: u64, n_images: usize, index: usize, pictures: &[Picture]) -> Plan {
    let (prompt_id, generator) = (index / GENERATORS.len(), &GENERATORS[index % GENERATORS.len()]);
    // Numbers have three digits as in AGIQA-3K, or more if there are more prompts.
    let digits = (n_images.div_ceil(GENERATORS.len()).saturating_sub(1)).to_string().len().max(3);
    let mut random = RandomStream::new(seed, Purpose::Plan, index);

    if !pictures.is_empty() && !prompt_id.is_multiple_of(2) {
        let picture = prompt_id / 2 % pictures.len();
        let degradations = of_picture(target(generator.quality_rank, &mut random), &mut random);
        return Plan {
            name: format!("{PICTURE}_{}_{prompt_id:0digits$}.jpg", generator.name.replace('_', "-")),
            content: Content::Picture(picture, pictures[picture].title.clone()),
            quality: Opinion::sample(quality(&degradations), &mut random),
            // It shows what its title says.
            alignment: Opinion::sample(SCALE, &mut random),
            degradations,
        };
    }
    let prompt = Prompt::sample(&mut RandomStream::new(seed, Purpose::Prompt, prompt_id));
    let degradations = of_scene(target(generator.quality_rank, &mut random), &mut random);
    let depiction = depict(&prompt.scene, target(generator.alignment_rank, &mut random), &mut random);
    let quality = Opinion::sample(quality(&degradations), &mut random);
    let alignment = Opinion::sample(alignment(&prompt.scene, &depiction.missing), &mut random);
    let name = format!("{}_{prompt_id:0digits$}.jpg", generator.name);
    Plan { name, content: Content::Scene(prompt, depiction), degradations, quality, alignment }
}

/// A target score: in the generator's typical eighth, or anywhere on the scale.
fn target(rank: usize, random: &mut RandomStream) -> f32 {
    let share = match random.chance(TYPICAL_SHARE) {
        true => (rank as f32 + random.unit()) / GENERATORS.len() as f32,
        false => random.unit(),
    };
    SCALE * share
}

impl Opinion {
    fn sample(quality: f32, random: &mut RandomStream) -> Self {
        let mos = (quality + RATER_NOISE * random.normal()).clamp(0.0, SCALE);
        // Raters agree at the ends of the scale and differ in its middle. AGIQA-3K's deviations are mostly from 0.2 to
        // 1.
        let middle = 1.0 - (2.0 * mos / SCALE - 1.0).powi(2);
        Self { mos, std: 0.2 + 0.4 * middle + random.range(0.0, 0.25) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N_IMAGES: usize = 2000;

    fn plans() -> Vec<Plan> {
        (0..N_IMAGES).map(|index| plan(1, N_IMAGES, index, &[])).collect()
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
        let mean = |generator: &Generator| {
            let own: Vec<f32> = plans
                .iter()
                .filter(|plan| plan.name.starts_with(generator.name))
                .map(|plan| plan.quality.mos)
                .collect();
            own.iter().sum::<f32>() / own.len() as f32
        };
        let best = GENERATORS.iter().max_by_key(|generator| generator.quality_rank).unwrap();
        let worst = GENERATORS.iter().min_by_key(|generator| generator.quality_rank).unwrap();
        // Half of the images differ by seven eighths of the scale: 0.5 × 5 × 7/8 = 2.19.
        assert!((mean(best) - mean(worst) - 2.19).abs() < 0.35, "{} {}", mean(best), mean(worst));
    }

    fn prompt(plan: &Plan) -> &str {
        match &plan.content {
            Content::Scene(prompt, _) => &prompt.text,
            Content::Picture(_, title) => title,
        }
    }

    #[test]
    fn half_of_the_prompts_are_titles_of_pictures_in_turns_and_the_others_stay_as_they_are() {
        let pictures = ["a bridge", "a bee", "a leaf"].map(|title| Picture { path: title.into(), title: title.into() });
        let mixed: Vec<Plan> = (0..96).map(|index| plan(1, 96, index, &pictures)).collect();
        for (index, images) in mixed.chunks(GENERATORS.len()).enumerate() {
            if index % 2 == 0 {
                let drawn = plan(1, 96, GENERATORS.len() * index, &[]);
                assert_eq!(images[0], drawn);
            } else {
                let title = &pictures[index / 2 % 3].title;
                assert!(images.iter().all(|plan| prompt(plan) == title && plan.name.starts_with("picture_")));
            }
        }
        let names: std::collections::BTreeSet<&str> = mixed.iter().map(|plan| plan.name.as_str()).collect();
        assert_eq!(names.len(), mixed.len());
    }

    #[test]
    fn each_prompt_has_an_image_of_every_generator() {
        let plans = plans();
        for images in plans.chunks(GENERATORS.len()) {
            assert!(images.iter().all(|plan| prompt(plan) == prompt(&images[0])));
            assert!(images.iter().zip(GENERATORS).all(|(plan, generator)| plan.name.starts_with(generator.name)));
        }
        assert_eq!(plans[8].name, "alpha_normal_001.jpg");
    }
}
