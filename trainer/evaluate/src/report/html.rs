//! The report as a page of one file: images and plots are embedded, and the content security policy forbids loading
//! others.
//!
//! The template `report.html` escapes all values that are not marked as safe here.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use minijinja::{Environment, Value, context};
use serde::Serialize;
use tsp_mgs_core::preprocess::decode;
use tsp_mgs_data::dataset::ImageSource;
use tsp_mgs_data::metrics::{Interval, RESAMPLES};

use crate::evaluation::{EvaluatedImage, Evaluation, Group, GroupKind, MAX_UNMARKED_ERROR, capitalised, format_metric};

const STYLE: &str = include_str!("report.css");
const TEMPLATE: &str = include_str!("report.html");
/// Longer side of a thumbnail, in pixels.
const THUMBNAIL: u32 = 256;
/// JPEG quality of the thumbnails. It is high because people look for artefacts in the images, and the encoder must not
/// add any.
const JPEG_QUALITY: u8 = 88;

/// An evaluation, its groups and its plots.
pub struct Section<'a> {
    /// The evaluation that the section shows.
    pub evaluation: &'a Evaluation,
    /// The groups of the evaluation; the first has all rows.
    pub groups: &'a [Group],
    /// SVG of [`super::plots::scatter`].
    pub scatter: String,
    /// SVG of [`super::plots::calibration`].
    pub calibration: String,
}

/// The values of one evaluation in the template.
#[derive(Serialize)]
struct SectionView {
    task: String,
    model: String,
    dataset: String,
    is_synthetic: bool,
    notes: Vec<String>,
    figures: Vec<Figure>,
    plots: Vec<Plot>,
    groups: Vec<GroupView>,
    sheets: Vec<Sheet>,
}

/// A number above the table.
#[derive(Serialize)]
struct Figure {
    name: &'static str,
    value: String,
    interval: Option<String>,
}

#[derive(Serialize)]
struct Plot {
    label: String,
    /// The SVG without its leading `<svg`.
    drawing: Value,
}

/// A row of the table.
#[derive(Serialize)]
struct GroupView {
    /// Heading above the first group of a kind.
    heading: Option<&'static str>,
    name: String,
    n: usize,
    srcc: String,
    srcc_interval: Option<String>,
    range: Option<Range>,
    plcc: String,
    plcc_interval: Option<String>,
    plcc_fitted: String,
    krcc: String,
    rmse: String,
}

/// A point and its interval on an axis from 0 to 1, in per cent of the axis.
#[derive(Serialize)]
struct Range {
    left: String,
    width: String,
    point: String,
}

/// A contact sheet.
#[derive(Serialize)]
struct Sheet {
    title: &'static str,
    cards: Vec<Card>,
}

/// One image of a contact sheet.
#[derive(Serialize)]
struct Card {
    /// The thumbnail as base64; `None` if the image cannot be read.
    jpeg: Option<Value>,
    /// Why there is no thumbnail.
    missing: Option<String>,
    scores: Vec<Scores>,
    prompt: String,
    source: String,
}

#[derive(Serialize)]
struct Scores {
    task: String,
    mos: String,
    predicted: String,
    is_poor: bool,
}

/// Renders the page.
///
/// # Errors
/// Fails if the template is invalid. It is a constant, and a test renders it.
pub fn page(sections: &[Section]) -> Result<String> {
    let models: Vec<&str> = unique(sections.iter().map(|section| section.evaluation.model.as_str()));
    let mut environment = Environment::new();
    // minijinja escapes all values of templates whose name ends in `.html`.
    environment.add_template("report.html", TEMPLATE)?;
    let page = environment.get_template("report.html")?.render(context! {
        title => format!("Evaluation of {}", models.join(", ")),
        style => Value::from_safe_string(STYLE.to_owned()),
        sections => sections.iter().map(view).collect::<Vec<_>>(),
        poor => format!("{MAX_UNMARKED_ERROR:.0}"),
        resamples => RESAMPLES,
        version => env!("CARGO_PKG_VERSION"),
    })?;
    Ok(page)
}

fn view(section: &Section) -> SectionView {
    let evaluation = section.evaluation;
    let all = &section.groups[0].metrics;
    let task = capitalised(&evaluation.task);
    let synthetic = "Synthetic: a program made these images and their scores; no person rated them.".to_owned();
    let notes = evaluation.is_synthetic.then_some(synthetic).into_iter().chain(evaluation.notes.iter().cloned());
    let sheets = [("Closest predictions", evaluation.closest()), ("Furthest predictions", evaluation.furthest())];
    let sheets = sheets.into_iter().filter(|(_, rows)| !rows.is_empty());
    SectionView {
        model: evaluation.model.clone(),
        dataset: evaluation.dataset.clone(),
        is_synthetic: evaluation.is_synthetic,
        notes: notes.collect(),
        figures: vec![
            figure("SRCC", format_metric(all.srcc), all.srcc_interval),
            figure("PLCC", format_metric(all.plcc), all.plcc_interval),
            figure("RMSE", format_metric(all.rmse), None),
            figure("images", all.n.to_string(), None),
        ],
        plots: vec![
            plot(&section.scatter, format!("{task}: opinion scores over predictions")),
            plot(&section.calibration, format!("{task}: mean opinion score in each decile of the predictions")),
        ],
        groups: groups(section.groups),
        sheets: sheets
            .map(|(title, rows)| {
                let cards = rows.iter().map(|row| card(row, &evaluation.task)).collect();
                Sheet { title, cards }
            })
            .collect(),
        task,
    }
}

fn figure(name: &'static str, value: String, interval: Option<Interval>) -> Figure {
    Figure { name, value, interval: interval.map(brackets) }
}

/// Prepares an SVG for the page. Embedded SVG needs no namespace, and its address would look like a link.
fn plot(svg: &str, label: String) -> Plot {
    let svg = svg.replace(r#" xmlns="http://www.w3.org/2000/svg""#, "");
    let drawing = svg.split_once("<svg").map_or("", |(_, rest)| rest);
    Plot { label, drawing: Value::from_safe_string(drawing.to_owned()) }
}

fn groups(groups: &[Group]) -> Vec<GroupView> {
    let mut last = GroupKind::Overall;
    let view = |group: &Group| {
        let (kind, metrics) = (group.kind, &group.metrics);
        let heading = (kind != last).then_some(if kind == GroupKind::Generator { "By generator" } else { "By style" });
        last = kind;
        GroupView {
            heading,
            name: group.name.clone(),
            n: metrics.n,
            srcc: format_metric(metrics.srcc),
            srcc_interval: metrics.srcc_interval.map(brackets),
            range: metrics.srcc.map(|srcc| range(srcc, metrics.srcc_interval)),
            plcc: format_metric(metrics.plcc),
            plcc_interval: metrics.plcc_interval.map(brackets),
            plcc_fitted: format_metric(metrics.plcc_fitted),
            krcc: format_metric(metrics.krcc),
            rmse: format_metric(metrics.rmse),
        }
    };
    groups.iter().map(view).collect()
}

fn brackets([lower, upper]: Interval) -> String {
    format!("[{lower:.3}, {upper:.3}]")
}

fn range(value: f64, interval: Option<Interval>) -> Range {
    let [lower, upper] = interval.unwrap_or([value; 2]);
    let [point, lower, upper] = [value, lower, upper].map(|x| x.clamp(0.0, 1.0) * 100.0);
    let text = |percent: f64| format!("{percent:.1}");
    Range { left: text(lower), width: text(upper - lower), point: text(point) }
}

fn card(row: &EvaluatedImage, task: &str) -> Card {
    let (jpeg, missing) = match thumbnail(&row.image) {
        Ok(jpeg) => (Some(Value::from_safe_string(BASE64.encode(jpeg))), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    let mut all = vec![scores(task, row.mos, row.predicted)];
    all.extend(row.other.iter().map(|other| scores(&other.task, other.mos, other.predicted)));
    let labels: Vec<&str> = [&row.generator, &row.style].into_iter().flatten().map(String::as_str).collect();
    let source = if labels.is_empty() { row.name() } else { format!("{} · {}", row.name(), labels.join(" · ")) };
    Card { jpeg, missing, scores: all, prompt: row.prompt.clone(), source }
}

fn scores(task: &str, mos: f64, predicted: f64) -> Scores {
    let is_close = (predicted - mos).abs() <= MAX_UNMARKED_ERROR;
    Scores {
        task: capitalised(task),
        mos: format!("{mos:.2}"),
        predicted: format!("{predicted:.2}"),
        is_poor: !is_close,
    }
}

/// A thumbnail of the upright image on white, as people rated it, at most [`THUMBNAIL`] pixels a side.
fn thumbnail(image: &ImageSource) -> Result<Vec<u8>> {
    let bytes = image.read().context("not readable")?;
    let image = decode(&bytes)?;
    let scale = (f64::from(THUMBNAIL) / f64::from(image.width().max(image.height()))).min(1.0);
    let [width, height] = [image.width(), image.height()].map(|side| ((f64::from(side) * scale).round() as u32).max(1));
    let small = resize(&image, width, height, FilterType::Lanczos3);
    let mut jpeg = Vec::new();
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY))?;
    Ok(jpeg)
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut unique = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}
