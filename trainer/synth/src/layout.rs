//! Positions of objects in the image.

use crate::canvas::SIDE;
use crate::random::RandomStream;
use crate::scene::{Relation, Scene};

/// Centre and half side of an object's box, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Distance of the centre from the left edge.
    pub x: f32,
    /// Distance of the centre from the top edge.
    pub y: f32,
    /// Half the side of the box.
    pub radius: f32,
}

#[derive(Clone, Copy)]
struct Area {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

/// Largest side of an object, as a share of the image's side.
const LARGEST: f32 = 0.5;

/// Random positions of the objects of all groups. They follow the relation of the groups, and no two objects overlap.
pub fn positions(scene: &Scene, random: &mut RandomStream) -> Vec<Vec<Position>> {
    let side = SIDE as f32;
    let whole = Area { left: 0.0, top: 0.0, width: side, height: side };
    let cut = side * random.range(0.46, 0.54);
    let (low, high) = match scene.relation {
        None => return scene.groups.iter().map(|group| group_positions(whole, group.count, random)).collect(),
        Some(Relation::LeftOf | Relation::RightOf) => {
            (Area { width: cut, ..whole }, Area { left: cut, width: side - cut, ..whole })
        }
        Some(Relation::Above | Relation::Below) => {
            (Area { height: cut, ..whole }, Area { top: cut, height: side - cut, ..whole })
        }
    };
    let areas = match scene.relation {
        Some(Relation::RightOf | Relation::Below) => [high, low],
        _ => [low, high],
    };
    scene.groups.iter().zip(areas).map(|(group, area)| group_positions(area, group.count, random)).collect()
}

fn group_positions(area: Area, count: usize, random: &mut RandomStream) -> Vec<Position> {
    let cells = cells(area, count, random);
    // The objects of a group are about equally large.
    let smallest = cells.iter().map(|cell| cell.width.min(cell.height)).fold(f32::INFINITY, f32::min);
    let size = (smallest * random.range(0.78, 0.9)).min(LARGEST * SIDE as f32);
    let position = |cell: Area| {
        let size = size * random.range(0.9, 1.0);
        let x = cell.left + cell.width / 2.0 + (cell.width - size) * random.range(-0.4, 0.4);
        let y = cell.top + cell.height / 2.0 + (cell.height - size) * random.range(-0.4, 0.4);
        Position { x, y, radius: size / 2.0 }
    };
    cells.into_iter().map(position).collect()
}

/// Divides an area into one cell for each object.
fn cells(area: Area, count: usize, random: &mut RandomStream) -> Vec<Area> {
    let Area { left, top, width, height } = area;
    let rows = |area: Area, count: usize| -> Vec<Area> {
        let height = area.height / count as f32;
        (0..count).map(|i| Area { top: area.top + height * i as f32, height, ..area }).collect()
    };
    let columns = |area: Area, count: usize| -> Vec<Area> {
        let width = area.width / count as f32;
        (0..count).map(|i| Area { left: area.left + width * i as f32, width, ..area }).collect()
    };
    if count == 1 {
        vec![area]
    } else if height > 1.5 * width {
        rows(area, count)
    } else if width > 1.5 * height || count == 2 {
        columns(area, count)
    } else {
        // Three objects in a square: one object has a row of its own.
        let halves =
            [Area { height: height / 2.0, ..area }, Area { top: top + height / 2.0, height: height / 2.0, ..area }];
        let (one, two) = if random.chance(0.5) { (halves[0], halves[1]) } else { (halves[1], halves[0]) };
        let one = Area { left: left + width / 4.0, width: width / 2.0, ..one };
        [vec![one], columns(two, count - 1)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Prompt;
    use crate::random::Purpose;

    #[test]
    fn objects_stand_as_the_prompt_says_inside_the_picture_without_overlap() {
        for i in 0..300 {
            let mut random = RandomStream::new(5, Purpose::Prompt, i);
            let scene = Prompt::sample(&mut random).scene;
            let positions = positions(&scene, &mut random);
            let all: Vec<Position> = positions.iter().flatten().copied().collect();
            for (i, a) in all.iter().enumerate() {
                let is_inside = |centre: f32| centre - a.radius >= 0.0 && centre + a.radius <= SIDE as f32;
                assert!(is_inside(a.x) && is_inside(a.y), "{a:?}");
                let share = 2.0 * a.radius / SIDE as f32;
                assert!((0.15..=0.501).contains(&share), "{share}");
                for b in &all[i + 1..] {
                    let apart = (a.x - b.x).abs().max((a.y - b.y).abs());
                    assert!(apart >= a.radius + b.radius - 0.01, "{a:?} {b:?}");
                }
            }
            if let Some(relation) = scene.relation {
                for (a, b) in positions[0].iter().flat_map(|a| positions[1].iter().map(move |b| (a, b))) {
                    let holds = match relation {
                        Relation::LeftOf => a.x < b.x,
                        Relation::RightOf => a.x > b.x,
                        Relation::Above => a.y < b.y,
                        Relation::Below => a.y > b.y,
                    };
                    assert!(holds, "{relation:?} {a:?} {b:?}");
                }
            }
        }
    }
}
