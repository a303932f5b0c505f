//! Reads the cells of Arrow columns, for Parquet files and streams.

use anyhow::{Result, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::{DataType, Field, Schema};

use super::record::Record;
use super::table::{FoundColumns, ImageCell, InputColumns, InputRow, Table};

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

/// Returns whether a column has the images themselves, and not only their paths.
pub fn holds_bytes(schema: &Schema, image: &str) -> bool {
    schema.field_with_name(image).is_ok_and(|field| !is_text(field.data_type()))
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

fn is_image(data_type: &DataType) -> bool {
    match data_type {
        // The type `Image` of Hugging Face: `{bytes, path}`.
        DataType::Struct(fields) => fields.iter().any(|field| field.name() == "bytes" && is_bytes(field.data_type())),
        other => {
            is_bytes(other) || matches!(text_type(other), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        }
    }
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn is_text(data_type: &DataType) -> bool {
    let data_type = text_type(data_type);
    data_type.is_integer()
        || matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
}

/// Returns the type of a dictionary's values, or the type itself if it is no dictionary.
fn text_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

fn text(column: &dyn Array, row: usize) -> Result<Option<String>> {
    if column.is_null(row) {
        return Ok(None);
    }
    let text = match column.data_type() {
        DataType::Null => return Ok(None),
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).to_owned(),
        DataType::Utf8View => column.as_string_view().value(row).to_owned(),
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row).to_string(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt8 => column.as_primitive::<UInt8Type>().value(row).to_string(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).to_string(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Dictionary(_, _) => {
            let dictionary = column.as_any_dictionary();
            return text(dictionary.values().as_ref(), dictionary.normalized_keys()[row]);
        }
        other => bail!("expected text or whole numbers, found {other}"),
    };
    Ok(Some(text))
}

fn image(column: &dyn Array, row: usize) -> Result<ImageCell> {
    if column.is_null(row) {
        return Ok(ImageCell::Empty);
    }
    if let Some(bytes) = bytes(column, row) {
        return Ok(ImageCell::Bytes(bytes.to_vec()));
    }
    if let Some(fields) = column.as_struct_opt() {
        return of_struct(fields, row);
    }
    Ok(text(column, row)?.map_or(ImageCell::Empty, ImageCell::Text))
}

fn of_struct(fields: &StructArray, row: usize) -> Result<ImageCell> {
    let field = |name: &str| fields.column_by_name(name).filter(|field| !field.is_null(row));
    if let Some(bytes) = field("bytes").and_then(|field| bytes(field.as_ref(), row)) {
        return Ok(ImageCell::Bytes(bytes.to_vec()));
    }
    match field("path") {
        Some(path) => Ok(text(path.as_ref(), row)?.map_or(ImageCell::Empty, ImageCell::Text)),
        None => Ok(ImageCell::Empty),
    }
}

fn bytes(column: &dyn Array, row: usize) -> Option<&[u8]> {
    match column.data_type() {
        DataType::Binary => Some(column.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Some(column.as_binary::<i64>().value(row)),
        DataType::BinaryView => Some(column.as_binary_view().value(row)),
        _ => None,
    }
}
