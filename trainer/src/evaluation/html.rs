//! The report as one page that needs nothing else: pictures and plots are part of it, and its content
//! security policy forbids the rest. Everything that comes from data is escaped.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use tsp_mgs_core::preprocess::decode;

use super::{Evaluation, Group, Kind, POOR, Row, capitalised, cell};
use tsp_mgs_data::metrics::{Interval, RESAMPLES};

const STYLE: &str = include_str!("report.css");
/// Longer side of a thumbnail, in pixels.
const THUMBNAIL: u32 = 256;
/// Artefacts are what people look for in these pictures; they must not be the encoder's.
const JPEG_QUALITY: u8 = 88;

/// One evaluation with what was computed from it.
pub struct Section<'a> {
    /// The evaluation.
    pub evaluation: &'a Evaluation,
    /// Its groups, all rows first.
    pub groups: &'a [Group],
    /// [`super::plots::scatter`]'s SVG.
    pub scatter: String,
    /// [`super::plots::calibration`]'s SVG.
    pub calibration: String,
}

/// The whole page.
pub fn page(sections: &[Section]) -> String {
    let mut body = String::new();
    for section in sections {
        body += &article(section);
    }
    let models: Vec<&str> = unique(sections.iter().map(|section| section.evaluation.model.as_str()));
    let title = escape(&format!("Evaluation of {}", models.join(", ")));
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{STYLE}</style>
<header><h1>{title}</h1></header>
<main>
{body}</main>
<footer>
<p>In brackets and as bars: 95 % intervals from {RESAMPLES} bootstrap resamples; a wide one means few images. A dash: the number
does not exist, as there are too few images or all scores are equal. <em>PLCC fitted</em> is the correlation after a four-parameter
logistic fit. RMSE is in points of the opinion scale, 0 to 5.</p>
<p>Made by tsp-mgs {version}. This page loads nothing and sends nothing.</p>
</footer>
</html>
"#
    )
}

fn article(section: &Section) -> String {
    let evaluation = section.evaluation;
    let all = &section.groups[0].metrics;
    let badge = if evaluation.is_synthetic { r#" <b class="badge">synthetic</b>"# } else { "" };
    let task = capitalised(&evaluation.task);
    format!(
        r#"<article>
<h2>{}</h2>
<p class="lead">{} on {}{badge}</p>
{}<dl class="figures">
{}{}{}{}</dl>
<div class="plots">
{}{}</div>
{}{}{}</article>
"#,
        escape(&task),
        escape(&evaluation.model),
        escape(&evaluation.dataset),
        notes(evaluation),
        figure("SRCC", &cell(all.srcc), all.srcc_interval),
        figure("PLCC", &cell(all.plcc), all.plcc_interval),
        figure("RMSE", &cell(all.rmse), None),
        figure("images", &all.n.to_string(), None),
        plot(&section.scatter, &format!("{task}: opinion scores over predictions")),
        plot(&section.calibration, &format!("{task}: mean opinion score of each tenth of the predictions")),
        table(section.groups),
        sheet("Closest predictions", &evaluation.closest(), &evaluation.task),
        sheet("Furthest predictions", &evaluation.furthest(), &evaluation.task),
    )
}

fn notes(evaluation: &Evaluation) -> String {
    let synthetic = "Synthetic: a program made these images and their scores; nobody judged them.".to_string();
    let notes = evaluation.is_synthetic.then_some(&synthetic).into_iter().chain(&evaluation.notes);
    let items: String = notes.map(|note| format!("<li>{}</li>\n", escape(note))).collect();
    if items.is_empty() { items } else { format!("<ul class=\"notes\">\n{items}</ul>\n") }
}

fn figure(name: &str, value: &str, interval: Option<Interval>) -> String {
    let interval = interval.map_or_else(String::new, |interval| format!("<small>{}</small>", brackets(interval)));
    format!("<div><dt>{name}</dt><dd>{value}{interval}</dd></div>\n")
}

/// The namespace is needed in files alone, and reads like an address.
fn plot(svg: &str, label: &str) -> String {
    let label = format!("<svg role=\"img\" aria-label=\"{}\"", escape(label));
    let svg = svg.replace(r#" xmlns="http://www.w3.org/2000/svg""#, "").replacen("<svg", &label, 1);
    format!("<figure class=\"plot\">{svg}</figure>\n")
}

fn table(groups: &[Group]) -> String {
    let mut rows = String::new();
    let mut last = Kind::Overall;
    for group in groups {
        let (kind, metrics) = (group.kind, &group.metrics);
        if kind != last {
            let title = if kind == Kind::Generator { "By generator" } else { "By style" };
            let _ = writeln!(rows, r#"<tr><th colspan="8" scope="rowgroup" class="group">{title}</th></tr>"#);
            last = kind;
        }
        let _ = writeln!(
            rows,
            r#"<tr><th scope="row"><bdi>{}</bdi></th><td>{}</td><td>{}</td><td class="wide">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"#,
            escape(&group.name),
            metrics.n,
            number(metrics.srcc, metrics.srcc_interval),
            range(metrics.srcc, metrics.srcc_interval),
            number(metrics.plcc, metrics.plcc_interval),
            cell(metrics.plcc_fitted),
            cell(metrics.krcc),
            cell(metrics.rmse),
        );
    }
    format!(
        r#"<div class="scroll"><table>
<thead><tr><th scope="col">images</th><th scope="col">n</th><th scope="col">SRCC</th><th scope="col" class="wide"><span class="axis"><i>0</i><i>1</i></span></th><th scope="col">PLCC</th><th scope="col">PLCC fitted</th><th scope="col">KRCC</th><th scope="col">RMSE</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
"#
    )
}

fn number(value: Option<f64>, interval: Option<Interval>) -> String {
    let interval = interval.map_or_else(String::new, |interval| format!(" <small>{}</small>", brackets(interval)));
    format!("{}{interval}", cell(value))
}

fn brackets([lower, upper]: Interval) -> String {
    format!("[{lower:.3}, {upper:.3}]")
}

/// A point and its interval on an axis from 0 to 1.
fn range(value: Option<f64>, interval: Option<Interval>) -> String {
    let Some(value) = value else { return String::new() };
    let [value, lower, upper] =
        [value, interval.map_or(value, |i| i[0]), interval.map_or(value, |i| i[1])].map(|x| x.clamp(0.0, 1.0) * 100.0);
    let width = upper - lower;
    format!(
        r#"<span class="range"><span style="left:{lower:.1}%;width:{width:.1}%"></span><i style="left:{value:.1}%"></i></span>"#
    )
}

fn sheet(title: &str, rows: &[&Row], task: &str) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let cards: String = rows.iter().map(|row| card(row, task)).collect();
    format!(
        r#"<section>
<h3>{title}</h3>
<p class="key"><span class="mos">opinion</span> <span class="predicted">prediction</span> <span><b class="poor">×</b> further apart than {POOR:.0} point</span></p>
<ol class="sheet">
{cards}</ol>
</section>
"#
    )
}

fn card(row: &Row, task: &str) -> String {
    let prompt = escape(&row.prompt);
    let picture = match thumbnail(&row.image) {
        Ok(jpeg) => format!(r#"<img src="data:image/jpeg;base64,{}" alt="">"#, BASE64.encode(jpeg)),
        Err(error) => format!(r#"<p class="missing">{}</p>"#, escape(&format!("{error:#}"))),
    };
    let mut scores = scores(task, row.mos, row.predicted);
    if let Some(other) = &row.other {
        scores += &self::scores(&other.task, other.mos, other.predicted);
    }
    let labels: Vec<&str> = [&row.generator, &row.style].into_iter().flatten().map(String::as_str).collect();
    let source = if labels.is_empty() { row.name() } else { format!("{} · {}", row.name(), labels.join(" · ")) };
    format!(
        "<li><div class=\"picture\">{picture}</div>\n<dl>{scores}</dl>\n\
         <p class=\"prompt\" title=\"{prompt}\"><bdi>{prompt}</bdi></p>\n<p class=\"source\"><bdi>{}</bdi></p></li>\n",
        escape(&source)
    )
}

fn scores(task: &str, mos: f64, predicted: f64) -> String {
    let is_close = (predicted - mos).abs() <= POOR;
    let poor = if is_close { "" } else { r#"<b class="poor" title="poor">×</b>"# };
    format!(
        r#"<dt>{}</dt><dd><span class="mos">{mos:.2}</span><span class="predicted">{predicted:.2}</span>{poor}</dd>"#,
        escape(&capitalised(task))
    )
}

/// The image as people judged it, upright and on white, at most 256 pixels a side.
fn thumbnail(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).context("not readable")?;
    let image = decode(&bytes)?;
    let scale = (f64::from(THUMBNAIL) / f64::from(image.width().max(image.height()))).min(1.0);
    let [width, height] = [image.width(), image.height()].map(|side| ((f64::from(side) * scale).round() as u32).max(1));
    let small = resize(&image, width, height, FilterType::Lanczos3);
    let mut jpeg = Vec::new();
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY))?;
    Ok(jpeg)
}

/// For texts and for attributes in double quotes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            letter => escaped.push(letter),
        }
    }
    escaped
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
