//! Paints backgrounds.

use crate::canvas::{Canvas, SIDE};
use crate::prompt::Style;
use crate::random::RandomStream;
use crate::scene::Background;
use crate::texture::{Noise, Pattern, Surface};

/// Paints a background. Every part of it has texture.
pub fn paint(background: Background, style: Style, noise: &Noise, random: &mut RandomStream) -> Canvas {
    let surface = match (style, background) {
        (Style::Painting, _) => Surface::strokes(random),
        (_, Background::Plain(_)) => Surface::sample(random),
        (_, Background::Grass) => Surface { pattern: Pattern::Streaks([0.0, 1.0]), depth: 0.12, roughness: 0.06 },
        (_, Background::Sand) => {
            let (slant, period) = (random.range(-0.2, 0.2), random.range(22.0, 34.0));
            Surface { pattern: Pattern::Stripes([slant, 1.0], period), depth: 0.04, roughness: 0.05 }
        }
        (_, Background::Sky) => Surface { pattern: Pattern::Plain, depth: 0.0, roughness: 0.04 },
        (_, Background::Night) => Surface { pattern: Pattern::Plain, depth: 0.0, roughness: 0.12 },
    };
    let base = match background {
        Background::Plain(colour) => colour.rgb(),
        Background::Night => [18.0, 21.0, 56.0],
        Background::Grass => [72.0, 128.0, 42.0],
        Background::Sky => [92.0, 158.0, 226.0],
        Background::Sand => [212.0, 184.0, 134.0],
    };
    // The light gets weaker towards one side.
    let (fall_x, fall_y) = (random.range(-0.16, 0.16), random.range(-0.1, 0.2));
    let offset = (random.below(SIDE), random.below(SIDE));
    // Shadows of objects outside the image, such as leaves or clouds. Steep edges look as if the object is near.
    let (shade_depth, shade_edge) = (random.range(0.0, 0.22), random.range(1.5, 12.0));

    let mut canvas = Canvas::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (u, v) = (x as f32 / SIDE as f32 - 0.5, y as f32 / SIDE as f32 - 0.5);
            let shade = surface.shade(noise, x + offset.0, y + offset.1).clamp(-0.55, 0.6);
            let dapple = (shade_edge * (noise.smooth.at(x + offset.1, y + offset.0) - 0.4)).clamp(0.0, 1.0);
            let light = 1.0 - shade_depth * dapple + fall_x * u * 2.0 - fall_y * v * 2.0 + 0.05 * noise.smooth.at(x, y);
            let cloud = match background {
                Background::Sky => cloud(noise, x, y, offset),
                _ => 0.0,
            };
            for (value, base) in canvas.at(x, y).iter_mut().zip(base) {
                let colour = base + (238.0 - base) * cloud;
                *value = (colour * (1.0 + shade) + 26.0 * shade) * light;
            }
        }
    }
    if background == Background::Night {
        stars(&mut canvas, random);
    }
    canvas
}

/// Share of white in the colour of the sky, in [0, 0.8].
fn cloud(noise: &Noise, x: usize, y: usize, offset: (usize, usize)) -> f32 {
    // Clouds are twice as wide as high.
    let field = noise.smooth.interpolated(0.6 * (x + offset.0) as f32, 1.2 * (y + offset.1) as f32);
    (0.55 * (field - 0.2)).clamp(0.0, 0.8)
}

fn stars(canvas: &mut Canvas, random: &mut RandomStream) {
    for _ in 0..random.below(120) + 160 {
        let (x, y, bright) = (random.below(SIDE - 2), random.below(SIDE - 2), random.range(60.0, 230.0));
        // A bright pixel with dimmer neighbours.
        for (dx, dy, share) in [(1, 1, 1.0), (0, 1, 0.4), (2, 1, 0.4), (1, 0, 0.4), (1, 2, 0.4)] {
            for value in canvas.at(x + dx, y + dy) {
                *value += bright * share;
            }
        }
    }
}
