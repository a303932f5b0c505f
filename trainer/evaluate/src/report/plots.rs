//! Plots as SVG, and their conversion to PNG with a built-in font, so that they look the same on every machine.
//!
//! In both plots the horizontal axis is the prediction and the vertical axis the opinion score, on the same scale. A
//! point on the diagonal is predicted exactly.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;
use tsp_mgs_data::metrics::{plcc, rmse, srcc};

use crate::evaluation::{EvaluatedImage, Evaluation, SCALE, capitalised, format_metric, predictions_and_mos};

/// The font of all texts. [`png`] has it built in.
pub const FONT: &str = "DejaVu Sans";
/// Side of the square of the axes, in pixels. It is large because plotters rounds positions to pixels.
const SIDE: u32 = 780;
/// Margins left, right, above and below that square, in pixels.
const LEFT: u32 = 130;
const RIGHT: u32 = 60;
const TOP: u32 = 176;
const BOTTOM: u32 = 116;
/// Width of the legend, in pixels.
const LEGEND: u32 = 370;
/// Longest names that fit: of a generator, and of the model or the data set.
const LEGEND_LETTERS: usize = 18;
const NAME_LETTERS: usize = 25;
/// Number of colours that people can tell apart.
const MAX_GENERATORS: usize = 8;
/// Number of points in the calibration plot: deciles.
const BINS: usize = 10;

/// Colour of texts. The page replaces this and the next three colours in dark mode, so they are used for nothing else.
pub const TEXT: RGBColor = RGBColor(0x1d, 0x1c, 0x1a);
/// Colour of secondary texts.
pub const SECONDARY_TEXT: RGBColor = RGBColor(0x5f, 0x5b, 0x54);
/// Colour of grid lines.
pub const GRID_LINE: RGBColor = RGBColor(0xdc, 0xd9, 0xd2);
/// Colour of the background.
pub const BACKGROUND: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// Colours of generators, distinct from each other and visible on white and on black.
pub const COLOURS: [RGBColor; MAX_GENERATORS] = [
    RGBColor(0x4f, 0x6b, 0xe0),
    RGBColor(0xe0, 0x7b, 0x1f),
    RGBColor(0x14, 0x9a, 0x8a),
    RGBColor(0xd1, 0x3f, 0x5b),
    RGBColor(0x93, 0x56, 0xc9),
    RGBColor(0x7d, 0x8c, 0x1c),
    RGBColor(0x2a, 0x9f, 0xd6),
    RGBColor(0x9a, 0x6a, 0x4f),
];

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// The scatter plot: a point for each image, coloured by generator if there are at most eight.
///
/// # Errors
/// Fails if the drawing library fails.
pub fn scatter(evaluation: &Evaluation) -> Result<String> {
    let generators = generators(evaluation);
    let width = LEFT + SIDE + if generators.is_empty() { RIGHT } else { LEGEND };
    draw(width, |canvas| {
        let what = format!("{}: opinion and prediction", capitalised(&evaluation.task));
        let mut chart = axes(canvas, evaluation, &what, &summary(evaluation))?;
        let radius = if evaluation.rows.len() > 1000 { 4 } else { 6 };
        let points = finite(evaluation).into_iter().map(|row| {
            let colour = row.generator.as_deref().and_then(|name| generators.get(name));
            let style = colour.unwrap_or(&COLOURS[0]).mix(0.7).filled();
            Circle::new((row.predicted, row.mos), radius, style)
        });
        chart.draw_series(points)?;
        legend(canvas, evaluation, &generators)
    })
}

/// The calibration plot: mean and standard deviation of the opinion scores in each decile of the predictions.
///
/// # Errors
/// Fails if the drawing library fails.
pub fn calibration(evaluation: &Evaluation) -> Result<String> {
    draw(LEFT + SIDE + RIGHT, |canvas| {
        let what = format!("{}: calibration", capitalised(&evaluation.task));
        let explanation = "dot: mean of a decile; bar: ± one standard deviation";
        let mut chart = axes(canvas, evaluation, &what, explanation)?;
        let bins = bins(evaluation);
        let bars = bins.iter().map(|bin| {
            let ends = [bin.mos - bin.deviation, bin.mos + bin.deviation];
            PathElement::new(ends.map(|mos| (bin.predicted, mos)).to_vec(), COLOURS[0].mix(0.45).stroke_width(12))
        });
        chart.draw_series(bars)?;
        let line = bins.iter().map(|bin| (bin.predicted, bin.mos)).collect::<Vec<_>>();
        chart.draw_series([PathElement::new(line, COLOURS[0].stroke_width(3))])?;
        chart.draw_series(bins.iter().map(|bin| Circle::new((bin.predicted, bin.mos), 11, COLOURS[0].filled())))?;
        Ok(())
    })
}

/// Renders an SVG with texts in [`FONT`] as a PNG of the same size.
///
/// # Errors
/// Fails if `svg` is not valid SVG or has no size.
pub fn png(svg: &str) -> Result<Vec<u8>> {
    static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.load_font_data(dejavu::sans::bold().to_vec());
        Arc::new(fonts)
    });
    let options = usvg::Options { fontdb: FONTS.clone(), font_family: FONT.into(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).context("reading a plot")?;
    let size = tree.size().to_int_size();
    let mut picture = Pixmap::new(size.width(), size.height()).context("a plot has no size")?;
    resvg::render(&tree, Transform::identity(), &mut picture.as_mut());
    picture.encode_png().context("writing a plot as PNG")
}

fn draw(width: u32, content: impl FnOnce(&Canvas) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    let canvas = SVGBackend::with_string(&mut svg, (width, TOP + SIDE + BOTTOM)).into_drawing_area();
    canvas.fill(&BACKGROUND)?;
    content(&canvas)?;
    canvas.present()?;
    drop(canvas);
    Ok(svg)
}

/// Draws the titles, the axes and the diagonal.
fn axes<'a>(canvas: &Canvas<'a>, evaluation: &Evaluation, what: &str, third: &str) -> Result<Chart<'a>> {
    let font = |size: u32| (FONT, size).into_font();
    let left = LEFT as i32;
    canvas.draw_text(what, &(FONT, 46).into_font().style(FontStyle::Bold).color(&TEXT), (left, 30))?;
    let [model, dataset] = [&evaluation.model, &evaluation.dataset].map(|name| shortened(name, NAME_LETTERS));
    let synthetic = if evaluation.is_synthetic { " (synthetic)" } else { "" };
    let subtitle = format!("{model} on {dataset}{synthetic}");
    canvas.draw_text(&subtitle, &font(29).color(&SECONDARY_TEXT), (left, 86))?;
    canvas.draw_text(third, &font(29).color(&SECONDARY_TEXT), (left, 124))?;

    let (width, _) = canvas.dim_in_pixel();
    let range = range(evaluation);
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(TOP)
        .margin_right(width - LEFT - SIDE)
        .x_label_area_size(BOTTOM)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(range.clone(), range.clone())?;
    let n_labels = (range.end - range.start) as usize + 1;
    chart
        .configure_mesh()
        .x_labels(n_labels)
        .y_labels(n_labels)
        .max_light_lines(0)
        .bold_line_style(GRID_LINE.stroke_width(2))
        .axis_style(SECONDARY_TEXT.stroke_width(2))
        .set_all_tick_mark_size(8)
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .label_style(font(32).color(&SECONDARY_TEXT))
        .draw()?;
    // plotters would draw these at the edge of the image, which cuts them off.
    let centred = |style: TextStyle<'static>| style.color(&TEXT).pos(Pos::new(HPos::Center, VPos::Center));
    let half = (SIDE / 2) as i32;
    let below = (left + half, (TOP + SIDE + BOTTOM) as i32 - 36);
    canvas.draw_text("predicted score (0 to 5)", &centred(font(32).into()), below)?;
    let upright = font(32).transform(FontTransform::Rotate270);
    canvas.draw_text("mean opinion score (0 to 5)", &centred(upright.into()), (44, TOP as i32 + half))?;
    let diagonal = [range.start, range.end].map(|end| (end, end)).to_vec();
    chart.draw_series([PathElement::new(diagonal, SECONDARY_TEXT.stroke_width(3))])?;
    Ok(chart)
}

/// Draws the legend: the name of each generator, its number of images and its SRCC.
fn legend(canvas: &Canvas, evaluation: &Evaluation, colours: &BTreeMap<&str, RGBColor>) -> Result<()> {
    for (row, (&generator, colour)) in colours.iter().enumerate() {
        let rows = evaluation.rows.iter().filter(|row| row.generator.as_deref() == Some(generator));
        let (predicted, mos) = predictions_and_mos(rows);
        let (x, y) = ((LEFT + SIDE) as i32 + 44, TOP as i32 + 20 + 90 * row as i32);
        canvas.draw(&Rectangle::new([(x, y - 12), (x + 24, y + 12)], colour.filled()))?;
        let name = shortened(generator, LEGEND_LETTERS);
        canvas.draw_text(&name, &(FONT, 32).into_font().color(&TEXT), (x + 42, y - 15))?;
        let numbers = format!("n {} · SRCC {}", mos.len(), format_metric(srcc(&predicted, &mos)));
        canvas.draw_text(&numbers, &(FONT, 28).into_font().color(&SECONDARY_TEXT), (x + 42, y + 22))?;
    }
    Ok(())
}

fn summary(evaluation: &Evaluation) -> String {
    let (predicted, mos) = predictions_and_mos(&evaluation.rows);
    let [srcc, plcc, rmse] = [srcc, plcc, rmse].map(|metric| format_metric(metric(&predicted, &mos)));
    format!("n {} · SRCC {srcc} · PLCC {plcc} · RMSE {rmse}", mos.len())
}

/// A colour for each generator. Empty if no generator is known or there are more than eight.
fn generators(evaluation: &Evaluation) -> BTreeMap<&str, RGBColor> {
    let names = evaluation.rows.iter().filter_map(|row| row.generator.as_deref());
    let mut colours: BTreeMap<&str, RGBColor> = names.map(|name| (name, COLOURS[0])).collect();
    if colours.len() > MAX_GENERATORS {
        return BTreeMap::new();
    }
    colours.values_mut().zip(COLOURS).for_each(|(colour, next)| *colour = next);
    colours
}

/// Range of the axes: the opinion scale, extended to whole numbers around all scores.
fn range(evaluation: &Evaluation) -> Range<f64> {
    let scores = finite(evaluation).into_iter().flat_map(|row| [row.predicted, row.mos]);
    scores.fold(0.0..SCALE, |range, score| range.start.min(score.floor())..range.end.max(score.ceil()))
}

/// Rows whose scores are finite.
fn finite(evaluation: &Evaluation) -> Vec<&EvaluatedImage> {
    evaluation.rows.iter().filter(|row| row.predicted.is_finite() && row.mos.is_finite()).collect()
}

struct Bin {
    /// Mean prediction.
    predicted: f64,
    /// Mean opinion score.
    mos: f64,
    /// Standard deviation of the opinion scores.
    deviation: f64,
}

/// Deciles of the rows by prediction, or one row each if there are fewer than ten.
fn bins(evaluation: &Evaluation) -> Vec<Bin> {
    let mut rows = finite(evaluation);
    rows.sort_by(|a, b| a.predicted.total_cmp(&b.predicted));
    let n_bins = BINS.min(rows.len());
    let bins = (0..n_bins).map(|bin| &rows[bin * rows.len() / n_bins..(bin + 1) * rows.len() / n_bins]);
    bins.map(|rows| {
        let mean =
            |value: &dyn Fn(&EvaluatedImage) -> f64| rows.iter().map(|row| value(row)).sum::<f64>() / rows.len() as f64;
        let mos = mean(&|row| row.mos);
        let deviation = mean(&|row| (row.mos - mos).powi(2)).sqrt();
        Bin { predicted: mean(&|row| row.predicted), mos, deviation }
    })
    .collect()
}

/// The text, cut and ended with an ellipsis if it is longer.
fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.into();
    }
    text.chars().take(letters - 1).chain(['…']).collect()
}
