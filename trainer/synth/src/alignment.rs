//! What an image shows of its prompt, and the alignment score that follows.
//!
//! ```text
//! alignment = 5 · (weight of the elements that are shown) / (weight of all elements)
//! ```

use crate::random::RandomStream;
use crate::scene::{Background, Colour, Kind, MAX_COUNT, Relation, Scene};

/// An element that a prompt asks for. The number is the index of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// The kind of the objects of a group.
    Kind(usize),
    /// The colour of a group.
    Colour(usize),
    /// The number of objects of a group.
    Count(usize),
    /// The position of the first group relative to the second.
    Relation,
    /// The background.
    Background,
}

/// What an image shows of its prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depiction {
    /// The scene that is drawn.
    pub scene: Scene,
    /// Elements of the prompt that the scene lacks.
    pub missing: Vec<Element>,
}

/// Width of the opinion scale: scores are from 0 to 5.
pub const SCALE: f32 = 5.0;

/// Probability that a whole group is omitted, if the target allows that loss.
const DROP_GROUP: f32 = 0.35;

impl Element {
    /// The weight in the alignment score. People notice a wrong colour first, and a wrong number or side last.
    pub fn weight(self) -> f32 {
        match self {
            Self::Colour(_) | Self::Background => 3.0,
            Self::Kind(_) => 2.0,
            Self::Count(_) | Self::Relation => 1.0,
        }
    }

    /// All elements of the prompt of a scene.
    pub fn all(scene: &Scene) -> Vec<Self> {
        let groups = 0..scene.groups.len();
        let mut elements: Vec<Self> = groups.flat_map(Self::of_group).collect();
        elements.extend(scene.relation.map(|_| Self::Relation));
        elements.push(Self::Background);
        elements
    }

    fn of_group(group: usize) -> [Self; 3] {
        [Self::Kind(group), Self::Colour(group), Self::Count(group)]
    }
}

/// The alignment score in [0, 5], without the noise of raters.
pub fn alignment(asked: &Scene, missing: &[Element]) -> f32 {
    let all = weight(&Element::all(asked));
    SCALE * (all - weight(missing)) / all
}

/// Changes random elements of a scene, so that its alignment is as close to `target` as possible.
pub fn depict(asked: &Scene, target: f32, random: &mut RandomStream) -> Depiction {
    let mut elements = Element::all(asked);
    let mut budget = weight(&elements) * (1.0 - target / SCALE);
    let mut missing = Vec::new();

    let mut dropped = None;
    if asked.groups.len() == 2 && random.chance(DROP_GROUP) {
        let group = random.below(2);
        let mut lost = Element::of_group(group).to_vec();
        lost.push(Element::Relation);
        if weight(&lost) <= budget {
            budget -= weight(&lost);
            elements.retain(|element| !lost.contains(element));
            missing = lost;
            dropped = Some(group);
        }
    }
    random.shuffle(&mut elements);
    for element in elements {
        if element.weight() / 2.0 <= budget {
            budget -= element.weight();
            missing.push(element);
        }
    }
    let mut scene = change(asked, &missing, dropped, random);
    if let Some(group) = dropped {
        scene.groups.remove(group);
        scene.relation = None;
    }
    Depiction { scene, missing }
}

/// Replaces each missing element by something that the prompt does not name. The group `dropped` stays.
fn change(asked: &Scene, missing: &[Element], dropped: Option<usize>, random: &mut RandomStream) -> Scene {
    let mut scene = asked.clone();
    let (mut kinds, mut colours) = (Kind::ALL.to_vec(), Colour::ALL.to_vec());
    kinds.retain(|&kind| asked.groups.iter().all(|group| group.kind != kind));
    colours.retain(|&colour| asked.groups.iter().all(|group| group.colour != colour));
    random.shuffle(&mut kinds);
    random.shuffle(&mut colours);

    let lost = |element| missing.contains(&element);
    if lost(Element::Background) {
        let shown = (0..asked.groups.len()).filter(|&group| Some(group) != dropped && !lost(Element::Colour(group)));
        let shown: Vec<Colour> = shown.map(|group| asked.groups[group].colour).collect();
        scene.background = Background::sample(random, &shown, Some(asked.background));
    }
    colours.retain(|&colour| !scene.background.hides(colour));
    for (i, group) in scene.groups.iter_mut().enumerate() {
        if lost(Element::Kind(i)) {
            group.kind = kinds[i];
        }
        if lost(Element::Colour(i)) {
            group.colour = colours[i];
        }
        if lost(Element::Count(i)) {
            // One of the other numbers in 1..=MAX_COUNT.
            group.count = 1 + (group.count + random.below(MAX_COUNT - 1)) % MAX_COUNT;
        }
    }
    if let (Some(asked), true) = (asked.relation, lost(Element::Relation)) {
        let mut others = Relation::ALL.to_vec();
        others.retain(|&other| other != asked);
        scene.relation = Some(random.pick(&others));
    }
    scene
}

fn weight(elements: &[Element]) -> f32 {
    elements.iter().map(|element| element.weight()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Prompt;
    use crate::random::Purpose;

    fn scenes() -> impl Iterator<Item = (Scene, RandomStream)> {
        (0..300).map(|i| {
            let mut random = RandomStream::new(11, Purpose::Prompt, i);
            (Prompt::sample(&mut random).scene, random)
        })
    }

    #[test]
    fn an_unchanged_scene_has_alignment_5_and_each_missing_element_costs_its_weight() {
        for (scene, mut random) in scenes() {
            let shown = depict(&scene, 5.0, &mut random);
            assert_eq!((&shown.scene, alignment(&scene, &shown.missing)), (&scene, 5.0));
            // The weights of two groups sum to 2 (3 + 2 + 1) + 1 + 3 = 16, those of one group to 3 + 2 + 1 + 3 = 9.
            let all = if scene.groups.len() == 2 { 16.0 } else { 9.0 };
            for element in Element::all(&scene) {
                let cost = 5.0 - alignment(&scene, &[element]);
                assert!((cost - 5.0 * element.weight() / all).abs() < 1e-5, "{element:?} costs {cost}");
            }
            assert_eq!(alignment(&scene, &Element::all(&scene)), 0.0);
        }
    }

    #[test]
    fn missing_elements_differ_and_others_stay() {
        for (asked, mut random) in scenes() {
            let target = random.range(0.0, 5.0);
            let Depiction { scene, missing } = depict(&asked, target, &mut random);
            let lost = |element| missing.contains(&element);
            assert_eq!(scene.background != asked.background, lost(Element::Background));
            assert!(!scene.groups.iter().any(|group| scene.background.hides(group.colour)), "{scene:?}");
            if scene.groups.len() < asked.groups.len() {
                assert!(lost(Element::Relation), "{missing:?}");
                continue;
            }
            assert_eq!(scene.relation != asked.relation, lost(Element::Relation));
            for (i, (group, asked)) in scene.groups.iter().zip(&asked.groups).enumerate() {
                assert_eq!(group.kind != asked.kind, lost(Element::Kind(i)));
                assert_eq!(group.colour != asked.colour, lost(Element::Colour(i)));
                assert_eq!(group.count != asked.count, lost(Element::Count(i)));
                assert!((1..=MAX_COUNT).contains(&group.count));
            }
        }
    }

    #[test]
    fn alignment_comes_within_one_element_of_its_target() {
        for (asked, mut random) in scenes() {
            let target = random.range(0.0, 5.0);
            let shown = depict(&asked, target, &mut random);
            let got = alignment(&asked, &shown.missing);
            // The heaviest element of a prompt with one group costs 5 × 3 / 9. The error is at most half of it.
            assert!((got - target).abs() <= 0.84, "{got} for {target}");
        }
    }
}
