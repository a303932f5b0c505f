//! How much of a prompt an image shows, and the alignment score that follows.
//!
//! Alignment is `5 × the weight of the elements that are shown / the weight of all elements`.

use crate::draw::Draw;
use crate::scene::{Background, Colour, Kind, MAX_COUNT, Relation, Scene};

/// One thing that a prompt asks for; groups by their place in the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// What a group's objects are.
    Kind(usize),
    /// Their colour.
    Colour(usize),
    /// Their number.
    Count(usize),
    /// Where the first group is, seen from the second.
    Relation,
    /// What is behind all.
    Background,
}

/// What an image shows of its prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What is drawn.
    pub scene: Scene,
    /// What the prompt asked for and is not drawn.
    pub missing: Vec<Element>,
}

/// Width of the opinion scale, as SPEC §5's R.
pub const SCALE: f32 = 5.0;

/// Chance that a group is left out altogether, when the image may miss that much.
const DROP_GROUP: f32 = 0.35;

impl Element {
    /// What it counts. A wrong colour strikes one first, a wrong number or side last.
    pub fn weight(self) -> f32 {
        match self {
            Self::Colour(_) | Self::Background => 3.0,
            Self::Kind(_) => 2.0,
            Self::Count(_) | Self::Relation => 1.0,
        }
    }

    /// All that a scene's prompt asks for.
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

/// The alignment score in [0, 5], before the raters' noise.
pub fn alignment(asked: &Scene, missing: &[Element]) -> f32 {
    let all = weight(&Element::all(asked));
    SCALE * (all - weight(missing)) / all
}

/// Changes a scene until its alignment is as close to `target` as whole elements allow.
pub fn disobey(asked: &Scene, target: f32, draw: &mut Draw) -> Shown {
    let mut elements = Element::all(asked);
    let mut allowed = weight(&elements) * (1.0 - target / SCALE);
    let mut missing = Vec::new();

    let mut dropped = None;
    if asked.groups.len() == 2 && draw.chance(DROP_GROUP) {
        let group = draw.below(2);
        let mut lost = Element::of_group(group).to_vec();
        lost.push(Element::Relation);
        if weight(&lost) <= allowed {
            allowed -= weight(&lost);
            elements.retain(|element| !lost.contains(element));
            missing = lost;
            dropped = Some(group);
        }
    }
    draw.shuffle(&mut elements);
    for element in elements {
        if element.weight() / 2.0 <= allowed {
            allowed -= element.weight();
            missing.push(element);
        }
    }
    let mut scene = change(asked, &missing, dropped, draw);
    if let Some(group) = dropped {
        scene.groups.remove(group);
        scene.relation = None;
    }
    Shown { scene, missing }
}

/// Draws something else for each missing element, which the prompt names nowhere; a group that is dropped stays.
fn change(asked: &Scene, missing: &[Element], dropped: Option<usize>, draw: &mut Draw) -> Scene {
    let mut scene = asked.clone();
    let (mut kinds, mut colours) = (Kind::ALL.to_vec(), Colour::ALL.to_vec());
    kinds.retain(|&kind| asked.groups.iter().all(|group| group.kind != kind));
    colours.retain(|&colour| asked.groups.iter().all(|group| group.colour != colour));
    draw.shuffle(&mut kinds);
    draw.shuffle(&mut colours);

    let lost = |element| missing.contains(&element);
    if lost(Element::Background) {
        let shown = (0..asked.groups.len()).filter(|&group| Some(group) != dropped && !lost(Element::Colour(group)));
        let shown: Vec<Colour> = shown.map(|group| asked.groups[group].colour).collect();
        scene.background = Background::draw(draw, &shown, Some(asked.background));
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
            // One of the numbers from 1 to MAX_COUNT that are not the asked one.
            group.count = 1 + (group.count + draw.below(MAX_COUNT - 1)) % MAX_COUNT;
        }
    }
    if let (Some(asked), true) = (asked.relation, lost(Element::Relation)) {
        let mut others = Relation::ALL.to_vec();
        others.retain(|&other| other != asked);
        scene.relation = Some(draw.pick(&others));
    }
    scene
}

fn weight(elements: &[Element]) -> f32 {
    elements.iter().map(|element| element.weight()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Purpose;
    use crate::prompt::Prompt;

    fn scenes() -> impl Iterator<Item = (Scene, Draw)> {
        (0..300).map(|i| {
            let mut draw = Draw::new(11, Purpose::Prompt, i);
            (Prompt::draw(&mut draw).scene, draw)
        })
    }

    #[test]
    fn an_unchanged_scene_has_alignment_5_and_each_missing_element_costs_its_weight() {
        for (scene, mut draw) in scenes() {
            let shown = disobey(&scene, 5.0, &mut draw);
            assert_eq!((&shown.scene, alignment(&scene, &shown.missing)), (&scene, 5.0));
            // Two groups: 2 (3 + 2 + 1) + 1 + 3 = 16; one: 3 + 2 + 1 + 3 = 9.
            let all = if scene.groups.len() == 2 { 16.0 } else { 9.0 };
            for element in Element::all(&scene) {
                let cost = 5.0 - alignment(&scene, &[element]);
                assert!((cost - 5.0 * element.weight() / all).abs() < 1e-5, "{element:?} costs {cost}");
            }
            assert_eq!(alignment(&scene, &Element::all(&scene)), 0.0);
        }
    }

    #[test]
    fn what_is_missing_differs_and_what_is_not_stays() {
        for (asked, mut draw) in scenes() {
            let target = draw.range(0.0, 5.0);
            let Shown { scene, missing } = disobey(&asked, target, &mut draw);
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
        for (asked, mut draw) in scenes() {
            let target = draw.range(0.0, 5.0);
            let shown = disobey(&asked, target, &mut draw);
            let got = alignment(&asked, &shown.missing);
            // The heaviest element of a prompt with one group: 5 × 3 / 9, and half of it either way.
            assert!((got - target).abs() <= 0.84, "{got} for {target}");
        }
    }
}
