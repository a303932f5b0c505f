//! Makes records of the rows of Arrow batches, for Parquet files and streams.

use anyhow::{Result, bail};
use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use tsp_mgs_data::cells::{image, is_image, is_text, text};
use tsp_mgs_data::image_cell::ImageCell;

use super::record::Record;
use super::table::{FoundColumns, InputColumns, InputRow, Table};

/// Finds the columns of a table or stream, and checks their types.
///
/// # Errors
/// Returns an error that names a missing column, or a column of a wrong type and the expected types.
pub fn columns(schema: &Schema, names: &InputColumns) -> Result<FoundColumns> {
    let mut columns = names.find(schema.fields().iter().map(|field| field.name().as_str()))?;
    let data_type = |name: &str| schema.field_with_name(name).map(Field::data_type);
    let image = data_type(&columns.image)?;
    if !is_image(image) {
        bail!(
            "column `{}`: expected paths (text), images (bytes) or Hugging Face's images, found {image}",
            columns.image
        );
    }
    let is_id = |name: &String| data_type(name).is_ok_and(is_text);
    columns.id = columns.id.filter(|name| names.names_id() || is_id(name));
    for name in [&columns.id, &columns.prompt].into_iter().flatten() {
        let found = data_type(name)?;
        if !is_text(found) {
            bail!("column `{name}`: expected text or whole numbers, found {found}");
        }
    }
    Ok(columns)
}

/// Returns the record of a row.
///
/// `columns` comes from [`columns`]. `row_idx` is the index in the batch, `number` is the number of the row in the
/// table.
pub fn record(batch: &RecordBatch, table: &Table, columns: &FoundColumns, row_idx: usize, number: u64) -> Record {
    match table_row(batch, columns, row_idx, number) {
        Ok(row) => table.record(row),
        Err(error) => table.failed(number, error),
    }
}

fn table_row(batch: &RecordBatch, columns: &FoundColumns, row: usize, number: u64) -> Result<InputRow> {
    let text_of = |name: &Option<String>| -> Result<Option<String>> {
        match name.as_deref().and_then(|name| batch.column_by_name(name)) {
            Some(column) => text(column.as_ref(), row),
            None => Ok(None),
        }
    };
    let image = match batch.column_by_name(&columns.image) {
        Some(column) => image(column.as_ref(), row)?,
        None => ImageCell::Empty,
    };
    Ok(InputRow { number, id: text_of(&columns.id)?, image, prompt: text_of(&columns.prompt)? })
}
