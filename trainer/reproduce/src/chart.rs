//! A figure's numbers as bars, one panel a task: what the paper's Figures 5 to 7 show.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_evaluate::report::plots::{BACKGROUND, COLOURS, FONT, GRID_LINE, SECONDARY_TEXT, TEXT};

use crate::result::{Line, Spread, Table};

/// In pixels.
const WIDTH: u32 = 1640;
const HEIGHT: u32 = 980;
const TOP: u32 = 190;
const LEFT: u32 = 110;
const BOTTOM: u32 = 80;
/// Space between two groups of bars, in bars.
const GAP: f64 = 1.0;
/// A bar's share of its place.
const FULL: f64 = 0.8;
/// Letters of the title that there is room for, and of the line below.
const TITLE_LETTERS: usize = 70;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Bars of the paper's protocol with their deviations; a dot is the honest protocol's mean.
///
/// # Errors
/// When the drawing library fails.
pub fn bars(table: &Table) -> Result<String> {
    let mut svg = String::new();
    {
        let canvas = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        canvas.fill(&BACKGROUND)?;
        let title: String = table.title.chars().take(TITLE_LETTERS).collect();
        canvas.draw_text(&title, &(FONT, 40).into_font().style(FontStyle::Bold).color(&TEXT), (LEFT as i32, 28))?;
        let explanation = "bar: paper protocol, mean of the splits ± deviation; dot: honest protocol";
        canvas.draw_text(explanation, &(FONT, 27).into_font().color(&SECONDARY_TEXT), (LEFT as i32, 82))?;
        legend(&canvas, table)?;
        let floor = floor(&table.lines);
        let panels = canvas.split_evenly((1, 2));
        for (panel, task) in panels.iter().zip([Task::Perception, Task::Alignment]) {
            let lines: Vec<&Line> = table.lines.iter().filter(|line| line.task == task).collect();
            draw_panel(panel, &lines, task, floor)?;
        }
        canvas.present()?;
    }
    Ok(svg)
}

/// The settings, each with its colour.
fn legend(canvas: &Canvas, table: &Table) -> Result<()> {
    let mut names: Vec<&str> = Vec::new();
    for line in &table.lines {
        if !names.contains(&line.method.as_str()) {
            names.push(&line.method);
        }
    }
    let mut x = LEFT as i32;
    for (name, colour) in names.into_iter().zip(COLOURS) {
        canvas.draw(&Rectangle::new([(x, 134), (x + 24, 158)], colour.filled()))?;
        canvas.draw_text(name, &(FONT, 28).into_font().color(&TEXT), (x + 36, 133))?;
        x += 96 + 17 * name.chars().count() as i32;
    }
    Ok(())
}

fn draw_panel(canvas: &Canvas, lines: &[&Line], task: Task, floor: f64) -> Result<()> {
    let spreads: Vec<[[&Spread; 2]; 2]> = lines
        .iter()
        .filter_map(|line| line.ours.as_ref())
        .map(|ours| [[&ours.paper.srcc, &ours.honest.srcc], [&ours.paper.plcc, &ours.honest.plcc]])
        .collect();
    let n = spreads.len() as f64;
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(TOP)
        .margin_right(30)
        .x_label_area_size(BOTTOM)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(-GAP / 2.0..2.0 * n + 1.5 * GAP, floor..1.1)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .max_light_lines(0)
        .bold_line_style(GRID_LINE.stroke_width(2))
        .axis_style(SECONDARY_TEXT.stroke_width(2))
        .y_label_formatter(&|value| format!("{value:.1}"))
        .label_style((FONT, 27).into_font().color(&SECONDARY_TEXT))
        .draw()?;
    // Narrow bars have no room for a longer number.
    let size = if spreads.len() > 2 { 21 } else { 26 };
    for (group, metric) in ["SRCC", "PLCC"].into_iter().enumerate() {
        let start = group as f64 * (n + GAP);
        for (place, (spread, colour)) in spreads.iter().zip(COLOURS).enumerate() {
            let [paper, honest] = spread[group];
            let Some(mean) = paper.mean else { continue };
            let (left, middle) = (start + place as f64 + (1.0 - FULL) / 2.0, start + place as f64 + 0.5);
            chart.draw_series([Rectangle::new([(left, 0.0), (left + FULL, mean)], colour.mix(0.75).filled())])?;
            let deviation = paper.deviation.unwrap_or(0.0);
            let ends = [mean - deviation, mean + deviation];
            chart.draw_series([PathElement::new(ends.map(|y| (middle, y)).to_vec(), TEXT.stroke_width(3))])?;
            if let Some(honest) = honest.mean {
                chart.draw_series([Circle::new((middle, honest), 7, TEXT.filled())])?;
            }
            let (x, y) = chart.backend_coord(&(middle, ends[1].max(0.0)));
            let (x, y) = in_panel(canvas, x, y);
            canvas.draw_text(&format!("{mean:.4}"), &centred(size, &TEXT), (x, y - 20))?;
        }
        let (x, _) = chart.backend_coord(&(start + n / 2.0, floor));
        let (x, _) = in_panel(canvas, x, 0);
        canvas.draw_text(metric, &centred(30, &TEXT), (x, HEIGHT as i32 - BOTTOM as i32 + 26))?;
    }
    let (width, _) = canvas.dim_in_pixel();
    let middle = ((LEFT + width - 30) / 2) as i32;
    let letter = if task == Task::Perception { "(a)" } else { "(b)" };
    let name = format!("{letter} {}", task.name());
    canvas.draw_text(&name, &centred(30, &SECONDARY_TEXT), (middle, HEIGHT as i32 - 18))?;
    Ok(())
}

/// Where the scale starts: correlations below 0 are shown, though only a model that fails has any.
fn floor(lines: &[Line]) -> f64 {
    let ours = lines.iter().filter_map(|line| line.ours.as_ref());
    let spreads = ours.flat_map(|ours| [&ours.paper.srcc, &ours.paper.plcc, &ours.honest.srcc, &ours.honest.plcc]);
    let lows = spreads.filter_map(|spread| Some(spread.mean? - spread.deviation.unwrap_or(0.0)));
    (lows.fold(0.0, f64::min) * 10.0).floor() / 10.0
}

/// A text around its place.
fn centred(size: u32, colour: &RGBColor) -> TextStyle<'_> {
    TextStyle::from((FONT, size).into_font()).color(colour).pos(Pos::new(HPos::Center, VPos::Center))
}

/// From places in the whole picture to places in a panel.
fn in_panel(canvas: &Canvas, x: i32, y: i32) -> (i32, i32) {
    let (left, top) = canvas.get_base_pixel();
    (x - left, y - top)
}
