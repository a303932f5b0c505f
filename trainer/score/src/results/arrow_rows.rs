//! Rows as Arrow record batches, which Parquet files and streams consist of.

use std::sync::{Arc, LazyLock};

use anyhow::Result;
use arrow_array::{ArrayRef, BooleanArray, Float32Array, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use tsp_mgs_core::result::Run;

use super::columns::{COLUMNS, Cells};
use super::row::ResultRow;

/// The columns of the results. Each except the first may be null.
pub static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let field = |(name, _)| Field::new(name, data_type(name), name != "id");
    Arc::new(Schema::new(COLUMNS.map(field).to_vec()))
});

/// Returns the narrowest type that holds the column. Numbers are signed, because Spark has no unsigned numbers.
fn data_type(column: &str) -> DataType {
    match column {
        "perception" | "alignment" => DataType::Float32,
        "width" | "height" | "crops" => DataType::Int32,
        "prompt_truncated" => DataType::Boolean,
        _ => DataType::Utf8,
    }
}

/// Returns rows as one batch.
///
/// # Errors
/// Returns no error in practice: the columns follow the schema.
pub fn batch(rows: &[ResultRow], run: &Run) -> Result<RecordBatch> {
    Ok(RecordBatch::try_new(SCHEMA.clone(), columns(rows, run))?)
}

/// Returns the columns of rows, in the order of the schema.
pub fn columns(rows: &[ResultRow], run: &Run) -> Vec<ArrayRef> {
    let cells: Vec<Cells> = rows.iter().map(|row| Cells::of(row, run)).collect();
    let text = |cell: fn(&'_ Cells<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(cells.iter().map(cell).collect::<StringArray>())
    };
    let score =
        |cell: fn(&Cells) -> Option<f32>| -> ArrayRef { Arc::new(cells.iter().map(cell).collect::<Float32Array>()) };
    let number = |cell: fn(&Cells) -> Option<u32>| -> ArrayRef {
        let number = |cells| cell(cells).and_then(|number| i32::try_from(number).ok());
        Arc::new(cells.iter().map(number).collect::<Int32Array>())
    };
    vec![
        text(|cells| Some(cells.id.to_owned())),
        text(|cells| cells.path.map(str::to_owned)),
        score(|cells| cells.perception),
        score(|cells| cells.alignment),
        text(|cells| cells.prompt.map(str::to_owned)),
        text(|cells| cells.prompt_source.map(str::to_owned)),
        Arc::new(cells.iter().map(|cells| cells.prompt_truncated).collect::<BooleanArray>()),
        number(|cells| cells.width),
        number(|cells| cells.height),
        number(|cells| u32::try_from(cells.crops).ok()),
        text(|cells| Some(cells.device.to_owned())),
        text(|cells| Some(cells.model.to_owned())),
        text(|cells| Some(cells.notes.clone()).filter(|notes| !notes.is_empty())),
        text(|cells| cells.error.clone()),
    ]
}
