//! Draws a scene: background, shadows, textured and shaded objects, light and grain.

use resvg::tiny_skia::{Path, Transform};

use crate::backdrop;
use crate::canvas::{Canvas, Cover, SIDE};
use crate::draw::Draw;
use crate::layout::{Place, places};
use crate::prompt::{Light, Style};
use crate::scene::{Background, Group, Scene};
use crate::shapes::{Paint, Part, parts};
use crate::texture::{Noise, Surface};

/// Where the light comes from and how it falls.
struct Lamp {
    /// Towards the light; x is left or right, y is negative: from above.
    from: [f32; 2],
    /// How far shadows fall, in pixels.
    reach: f32,
    /// Radius of a shadow's soft edge, in pixels.
    softness: usize,
    /// How dark shadows are, in [0, 1].
    darkness: f32,
}

/// Largest distance that a shadow can have from its object, soft edge included: two box filters double the radius.
const SHADOW_MARGIN: usize = 44;

/// Draws a scene without any degradation.
pub fn render(scene: &Scene, style: Style, light: Light, draw: &mut Draw) -> Canvas {
    let noise = Noise::draw(draw);
    let mut canvas = backdrop::paint(scene.background, style, &noise, draw);
    let lamp = Lamp::draw(light, draw);
    for (group, places) in scene.groups.iter().zip(places(scene, draw)) {
        let surface = match style {
            Style::Painting => Surface::strokes(draw),
            _ => Surface::draw(draw),
        };
        for place in places {
            object(&mut canvas, group, &surface, place, style, &lamp, &noise, draw);
        }
    }
    develop(&mut canvas, scene.background == Background::Night, draw);
    canvas
}

impl Lamp {
    fn draw(light: Light, draw: &mut Draw) -> Self {
        let from = [draw.range(-1.0, 1.0), -draw.range(0.5, 1.0)];
        let (softness, darkness) = match light {
            Light::Any => (draw.range(4.0, 10.0), draw.range(0.3, 0.5)),
            Light::Soft => (draw.range(12.0, 15.0), draw.range(0.2, 0.3)),
            Light::Hard => (draw.range(1.0, 2.5), draw.range(0.5, 0.6)),
        };
        Self { from, reach: draw.range(6.0, 14.0), softness: softness as usize, darkness }
    }
}

#[expect(clippy::too_many_arguments, reason = "all that an object's look depends on")]
fn object(
    canvas: &mut Canvas,
    group: &Group,
    surface: &Surface,
    place: Place,
    style: Style,
    lamp: &Lamp,
    noise: &Noise,
    draw: &mut Draw,
) {
    let parts = parts(group.kind);
    let turn = Transform::from_rotate(draw.range(-10.0, 10.0));
    let flip = if draw.chance(0.5) { -1.0 } else { 1.0 };
    let transform = turn.pre_scale(flip * place.radius, place.radius).post_translate(place.x, place.y);

    let outline: Vec<&Path> = parts.iter().map(|part| &part.path).collect();
    if let Some(whole) = Cover::of(&outline, transform, SHADOW_MARGIN) {
        shadow(canvas, &whole, lamp);
    }
    // Each object looks at its own part of the noise.
    let offset = (draw.below(SIDE), draw.below(SIDE));
    for part in &parts {
        if let Some(cover) = Cover::of(&[&part.path], transform, 2) {
            fill(canvas, group, part, &cover, Look { surface, place, style, lamp, noise, offset });
        }
    }
}

/// All that a part's look depends on.
#[derive(Clone, Copy)]
struct Look<'a> {
    surface: &'a Surface,
    place: Place,
    style: Style,
    lamp: &'a Lamp,
    noise: &'a Noise,
    offset: (usize, usize),
}

fn shadow(canvas: &mut Canvas, cover: &Cover, lamp: &Lamp) {
    let blurred = cover.blurred(lamp.softness);
    let (dx, dy) = ((lamp.from[0] * lamp.reach) as isize, (lamp.from[1] * lamp.reach) as isize);
    for y in 0..cover.height {
        for x in 0..cover.width {
            let dark = lamp.darkness * blurred.at(x as isize + dx, y as isize + dy);
            for value in canvas.at(cover.left + x, cover.top + y) {
                *value *= 1.0 - dark;
            }
        }
    }
}

fn fill(canvas: &mut Canvas, group: &Group, part: &Part, cover: &Cover, look: Look) {
    let Look { surface, place, style, lamp, noise, offset } = look;
    let base = match part.paint {
        Paint::Own(shade) => group.colour.rgb().map(|value| value * shade),
        Paint::Fixed(rgb) => rgb,
    };
    // A rounded edge: the slope of the blurred cover is the surface's slope.
    let bevel = (0.05 * place.radius) as usize + 1;
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
            let edge = -slope * (rise[0] * lamp.from[0] + rise[1] * lamp.from[1]);
            // Across the object the light falls off.
            let across = ((px as f32 - place.x) * lamp.from[0] + (py as f32 - place.y) * lamp.from[1]) / place.radius;
            let light = 1.0 + 0.16 * across + (0.35 * edge).clamp(-0.3, 0.3);
            let outline = match style {
                Style::Drawing if height.at(cx, cy) < 0.72 => 0.25,
                _ => 1.0,
            };
            let shade = surface.shade(noise, px + offset.0, py + offset.1).clamp(-0.5, 0.6);
            let tint = 0.03 * noise.smooth.at(px + offset.1, py + offset.0);
            for (channel, (value, base)) in canvas.at(px, py).iter_mut().zip(base).enumerate() {
                let tint = if channel == 2 { -tint } else { tint };
                // Black surfaces show texture too: some light is added whatever the colour.
                let colour = (base * (1.0 + shade + tint) + 26.0 * shade) * light * outline;
                *value += (colour - *value) * covered;
            }
        }
    }
}

/// A lens's softness, exposure, contrast, white balance, and the fine grain of film.
fn develop(canvas: &mut Canvas, is_dark: bool, draw: &mut Draw) {
    // At most as soft as the weakest blur: variance 2 × 0.12 is a deviation of 0.5 pixels.
    *canvas = soften(canvas, draw.range(0.02, 0.12));
    let contrast = draw.range(0.85, 1.15);
    let exposure = if is_dark { draw.range(-4.0, 14.0) } else { draw.range(-14.0, 14.0) };
    let warmth = draw.range(-0.04, 0.04);
    let balance = [1.0 + warmth, 1.0, 1.0 - warmth];
    let grain = draw.range(0.5, 1.8);
    for pixel in canvas.0.chunks_exact_mut(3) {
        let grain = grain * draw.normal();
        for (value, balance) in pixel.iter_mut().zip(balance) {
            *value = ((*value - 120.0) * contrast + 120.0 + exposure) * balance + grain;
        }
    }
}

/// Gives each pixel's neighbours in its row and column this share of its light; edges stay as they are.
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
