//! Bar charts of the paper's Figures 5 to 7, with a panel for each task.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_evaluate::report::plots::{BACKGROUND, COLOURS, FONT, GRID_LINE, SECONDARY_TEXT, TEXT};

use crate::table::{MethodRow, Statistics, Table};

/// Sizes and margins of the chart, in pixels.
const WIDTH: u32 = 1640;
const HEIGHT: u32 = 980;
const TOP: u32 = 190;
const LEFT: u32 = 110;
const BOTTOM: u32 = 80;
/// Space between two groups of bars, in widths of a bar's slot.
const GAP: f64 = 1.0;
/// Width of a bar, as a share of its slot.
const BAR_WIDTH: f64 = 0.8;
/// Longest title that fits, in characters.
const TITLE_LETTERS: usize = 70;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws a table as SVG: a bar for the mean and deviation of the paper protocol, and a dot for the mean of the honest
/// protocol.
///
/// # Errors
/// Fails if the drawing library fails.
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
        let start = axis_start(&table.rows);
        let panels = canvas.split_evenly((1, 2));
        for (panel, task) in panels.iter().zip([Task::Perception, Task::Alignment]) {
            let rows: Vec<&MethodRow> = table.rows.iter().filter(|row| row.task == task).collect();
            draw_panel(panel, &rows, task, start)?;
        }
        canvas.present()?;
    }
    Ok(svg)
}

/// Draws the legend of the settings.
fn legend(canvas: &Canvas, table: &Table) -> Result<()> {
    let mut names: Vec<&str> = Vec::new();
    for row in &table.rows {
        if !names.contains(&row.method.as_str()) {
            names.push(&row.method);
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

fn draw_panel(canvas: &Canvas, rows: &[&MethodRow], task: Task, axis_start: f64) -> Result<()> {
    let statistics: Vec<[[&Statistics; 2]; 2]> = rows
        .iter()
        .filter_map(|row| row.ours.as_ref())
        .map(|ours| [[&ours.paper.srcc, &ours.honest.srcc], [&ours.paper.plcc, &ours.honest.plcc]])
        .collect();
    let n = statistics.len() as f64;
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(TOP)
        .margin_right(30)
        .x_label_area_size(BOTTOM)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(-GAP / 2.0..2.0 * n + 1.5 * GAP, axis_start..1.1)?;
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
    let size = if statistics.len() > 2 { 21 } else { 26 };
    for (group, metric) in ["SRCC", "PLCC"].into_iter().enumerate() {
        let start = group as f64 * (n + GAP);
        for (place, (spread, colour)) in statistics.iter().zip(COLOURS).enumerate() {
            let [paper, honest] = spread[group];
            let Some(mean) = paper.mean else { continue };
            let (left, middle) = (start + place as f64 + (1.0 - BAR_WIDTH) / 2.0, start + place as f64 + 0.5);
            chart.draw_series([Rectangle::new([(left, 0.0), (left + BAR_WIDTH, mean)], colour.mix(0.75).filled())])?;
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
        let (x, _) = chart.backend_coord(&(start + n / 2.0, axis_start));
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

/// Lower end of the vertical axis: 0, or lower if a correlation is negative.
fn axis_start(rows: &[MethodRow]) -> f64 {
    let ours = rows.iter().filter_map(|row| row.ours.as_ref());
    let statistics = ours.flat_map(|ours| [&ours.paper.srcc, &ours.paper.plcc, &ours.honest.srcc, &ours.honest.plcc]);
    let lows = statistics.filter_map(|spread| Some(spread.mean? - spread.deviation.unwrap_or(0.0)));
    (lows.fold(0.0, f64::min) * 10.0).floor() / 10.0
}

/// Style of a text that is centred at its position.
fn centred(size: u32, colour: &RGBColor) -> TextStyle<'_> {
    TextStyle::from((FONT, size).into_font()).color(colour).pos(Pos::new(HPos::Center, VPos::Center))
}

/// Converts a position in the whole chart to a position in a panel.
fn in_panel(canvas: &Canvas, x: i32, y: i32) -> (i32, i32) {
    let (left, top) = canvas.get_base_pixel();
    (x - left, y - top)
}
