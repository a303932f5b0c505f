//! Draws a scene: background, shadows, textured and shaded objects, and camera effects.

use resvg::tiny_skia::{Path, Transform};

use crate::background;
use crate::canvas::{Canvas, CoverageMask, SIDE};
use crate::layout::{Position, positions};
use crate::prompt::{Light, Style};
use crate::random::RandomStream;
use crate::scene::{Background, Group, Scene};
use crate::shapes::{Paint, Part, parts};
use crate::texture::{Noise, Surface};

/// The light of a scene.
struct LightSource {
    /// Direction towards the light. x is negative to the left, y is negative: the light comes from above.
    from: [f32; 2],
    /// Distance of shadows from their objects, in pixels.
    reach: f32,
    /// Radius of the soft edge of a shadow, in pixels.
    softness: usize,
    /// Darkness of shadows, in [0, 1].
    darkness: f32,
}

/// Largest distance of a shadow from its object in pixels, including its soft edge, which two box filters make twice
/// the radius.
const SHADOW_MARGIN: usize = 44;

/// Draws a scene without degradations.
pub fn render(scene: &Scene, style: Style, light: Light, random: &mut RandomStream) -> Canvas {
    let noise = Noise::sample(random);
    let mut canvas = background::paint(scene.background, style, &noise, random);
    let light_source = LightSource::sample(light, random);
    for (group, positions) in scene.groups.iter().zip(positions(scene, random)) {
        let surface = match style {
            Style::Painting => Surface::strokes(random),
            _ => Surface::sample(random),
        };
        for position in positions {
            object(&mut canvas, group, &surface, position, style, &light_source, &noise, random);
        }
    }
    apply_camera_effects(&mut canvas, scene.background == Background::Night, random);
    canvas
}

impl LightSource {
    fn sample(light: Light, random: &mut RandomStream) -> Self {
        let from = [random.range(-1.0, 1.0), -random.range(0.5, 1.0)];
        let (softness, darkness) = match light {
            Light::Any => (random.range(4.0, 10.0), random.range(0.3, 0.5)),
            Light::Soft => (random.range(12.0, 15.0), random.range(0.2, 0.3)),
            Light::Hard => (random.range(1.0, 2.5), random.range(0.5, 0.6)),
        };
        Self { from, reach: random.range(6.0, 14.0), softness: softness as usize, darkness }
    }
}

#[expect(clippy::too_many_arguments, reason = "the appearance of an object depends on all of them")]
fn object(
    canvas: &mut Canvas,
    group: &Group,
    surface: &Surface,
    position: Position,
    style: Style,
    light_source: &LightSource,
    noise: &Noise,
    random: &mut RandomStream,
) {
    let parts = parts(group.kind);
    let turn = Transform::from_rotate(random.range(-10.0, 10.0));
    let flip = if random.chance(0.5) { -1.0 } else { 1.0 };
    let transform = turn.pre_scale(flip * position.radius, position.radius).post_translate(position.x, position.y);

    let outline: Vec<&Path> = parts.iter().map(|part| &part.path).collect();
    if let Some(whole) = CoverageMask::of(&outline, transform, SHADOW_MARGIN) {
        shadow(canvas, &whole, light_source);
    }
    // Each object uses its own part of the noise.
    let offset = (random.below(SIDE), random.below(SIDE));
    for part in &parts {
        if let Some(cover) = CoverageMask::of(&[&part.path], transform, 2) {
            fill(canvas, group, part, &cover, Shading { surface, position, style, light_source, noise, offset });
        }
    }
}

/// Everything that the appearance of a part depends on.
#[derive(Clone, Copy)]
struct Shading<'a> {
    surface: &'a Surface,
    position: Position,
    style: Style,
    light_source: &'a LightSource,
    noise: &'a Noise,
    offset: (usize, usize),
}

fn shadow(canvas: &mut Canvas, cover: &CoverageMask, light_source: &LightSource) {
    let blurred = cover.blurred(light_source.softness);
    let (dx, dy) =
        ((light_source.from[0] * light_source.reach) as isize, (light_source.from[1] * light_source.reach) as isize);
    for y in 0..cover.height {
        for x in 0..cover.width {
            let dark = light_source.darkness * blurred.at(x as isize + dx, y as isize + dy);
            for value in canvas.at(cover.left + x, cover.top + y) {
                *value *= 1.0 - dark;
            }
        }
    }
}

fn fill(canvas: &mut Canvas, group: &Group, part: &Part, cover: &CoverageMask, shading: Shading) {
    let Shading { surface, position, style, light_source, noise, offset } = shading;
    let base = match part.paint {
        Paint::Own(shade) => group.colour.rgb().map(|value| value * shade),
        Paint::Fixed(rgb) => rgb,
    };
    // The edge is rounded: the slope of the blurred mask is the slope of the surface.
    let bevel = (0.05 * position.radius) as usize + 1;
    let height = cover.blurred(bevel);
    let slope = 2.2 * bevel as f32;
    for y in 0..cover.height {
        for x in 0..cover.width {
            let covered = cover.values[y * cover.width + x];
            if covered == 0.0 {
                continue;
            }
            let (px, py) = (cover.left + x, cover.top + y);
            let (cx, cy) = (x as isize, y as isize);
            let rise = [height.at(cx + 1, cy) - height.at(cx - 1, cy), height.at(cx, cy + 1) - height.at(cx, cy - 1)];
            let edge = -slope * (rise[0] * light_source.from[0] + rise[1] * light_source.from[1]);
            // The light gets weaker across the object.
            let across = ((px as f32 - position.x) * light_source.from[0]
                + (py as f32 - position.y) * light_source.from[1])
                / position.radius;
            let light = 1.0 + 0.16 * across + (0.35 * edge).clamp(-0.3, 0.3);
            let outline = match style {
                Style::Drawing if height.at(cx, cy) < 0.72 => 0.25,
                _ => 1.0,
            };
            let shade = surface.shade(noise, px + offset.0, py + offset.1).clamp(-0.5, 0.6);
            let tint = 0.03 * noise.smooth.at(px + offset.1, py + offset.0);
            for (channel, (value, base)) in canvas.at(px, py).iter_mut().zip(base).enumerate() {
                let tint = if channel == 2 { -tint } else { tint };
                // A constant is added for all colours, so that black surfaces show texture too.
                let colour = (base * (1.0 + shade + tint) + 26.0 * shade) * light * outline;
                *value += (colour - *value) * covered;
            }
        }
    }
}

/// Applies camera effects: softness of a lens, exposure, contrast, white balance and fine grain.
fn apply_camera_effects(canvas: &mut Canvas, is_dark: bool, random: &mut RandomStream) {
    // The softness is at most that of the weakest blur: variance 2 × 0.12 is a standard deviation of 0.5 pixels.
    *canvas = soften(canvas, random.range(0.02, 0.12));
    let contrast = random.range(0.85, 1.15);
    let exposure = if is_dark { random.range(-4.0, 14.0) } else { random.range(-14.0, 14.0) };
    let warmth = random.range(-0.04, 0.04);
    let balance = [1.0 + warmth, 1.0, 1.0 - warmth];
    let grain = random.range(0.5, 1.8);
    for pixel in canvas.0.chunks_exact_mut(3) {
        let grain = grain * random.normal();
        for (value, balance) in pixel.iter_mut().zip(balance) {
            *value = ((*value - 120.0) * contrast + 120.0 + exposure) * balance + grain;
        }
    }
}

/// Spreads a share of each pixel's light to its neighbours in row and column. Edge pixels stay as they are.
fn soften(canvas: &Canvas, share: f32) -> Canvas {
    let mut soft = canvas.clone();
    for stride in [3, 3 * SIDE] {
        let sharp = soft.0.clone();
        let inner = stride..sharp.len() - stride;
        for (i, value) in soft.0[inner.clone()].iter_mut().enumerate() {
            let (before, here, after) = (sharp[i], sharp[i + stride], sharp[i + 2 * stride]);
            *value = here + share * (before - 2.0 * here + after);
        }
    }
    soft
}
