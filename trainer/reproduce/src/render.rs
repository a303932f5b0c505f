//! Formats a table for a terminal and in Markdown.

use std::fmt::Write;

use crate::table::{MethodRow, Statistics, Table};

/// Columns: method and task, the published numbers, and ours in both protocols.
const HEADER: [&str; 9] = [
    "method",
    "task",
    "published SRCC",
    "PLCC",
    "ours, paper protocol SRCC",
    "PLCC",
    "honest protocol SRCC",
    "PLCC",
    "splits",
];

/// Formats a table for a terminal.
pub fn text(table: &Table) -> String {
    let rows = rows(table);
    let widths: Vec<usize> =
        (0..HEADER.len()).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = format!("{}\n", table.title);
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    for note in &table.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

/// Formats a table in Markdown.
pub fn markdown(table: &Table) -> String {
    let mut text = format!("## {}\n\n", table.title);
    for (i, row) in rows(table).iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if i == 0 {
            let _ = writeln!(text, "|{}", " --- |".repeat(HEADER.len()));
        }
    }
    text.push('\n');
    for note in &table.notes {
        let _ = writeln!(text, "- {note}");
    }
    text
}

fn rows(table: &Table) -> Vec<[String; 9]> {
    let mut header = HEADER.map(str::to_owned);
    if table.is_synthetic {
        header[4] = "ours (synthetic), paper protocol SRCC".into();
        header[6] = "(synthetic) honest protocol SRCC".into();
    }
    let mut rows = vec![header];
    rows.extend(table.rows.iter().map(cells));
    rows
}

fn cells(row: &MethodRow) -> [String; 9] {
    let published = |value: Option<f64>| match (value, &row.published_note) {
        (Some(value), _) => format!("{value:.4}"),
        (None, Some(note)) => note.clone(),
        (None, None) => "–".into(),
    };
    let method = row.venue.as_ref().map_or_else(|| row.method.clone(), |venue| format!("{} ({venue})", row.method));
    let [first, second, third, fourth, splits] = match &row.ours {
        None => ["published".into(), String::new(), String::new(), String::new(), String::new()],
        Some(ours) => {
            let statistics = [&ours.paper.srcc, &ours.paper.plcc, &ours.honest.srcc, &ours.honest.plcc];
            let [a, b, c, d] = statistics.map(Statistics::text);
            [a, b, c, d, splits(ours.jobs.len(), ours.splits_asked)]
        }
    };
    [
        method,
        row.task.name().into(),
        published(row.published_srcc),
        published(row.published_plcc),
        first,
        second,
        third,
        fourth,
        splits,
    ]
}

fn splits(done: usize, asked: usize) -> String {
    if done == asked { done.to_string() } else { format!("{done} of {asked}") }
}
