//! Reads the cells of Arrow columns: images, and texts such as names and prompts.

use anyhow::{Result, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, StructArray};
use arrow_schema::DataType;

use crate::image_cell::ImageCell;

/// Returns whether a column of this type can have images: paths, bytes, or Hugging Face's images `{bytes, path}`.
pub fn is_image(data_type: &DataType) -> bool {
    holds_bytes(data_type) || matches!(text_type(data_type), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Returns whether a column of this type has the images themselves, and not only their paths.
pub fn holds_bytes(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().any(|field| field.name() == "bytes" && is_bytes(field.data_type())),
        other => is_bytes(other),
    }
}

/// Returns whether this is a type of bytes.
pub fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// Returns whether a column of this type has texts or whole numbers.
pub fn is_text(data_type: &DataType) -> bool {
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

/// Returns the text of a cell, or `None` if it is null.
///
/// # Errors
/// Returns an error if the type of the column is neither that of texts nor that of whole numbers.
pub fn text(column: &dyn Array, row: usize) -> Result<Option<String>> {
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

/// Returns the image of a cell.
///
/// # Errors
/// Returns an error if the type of the column is not that of images.
pub fn image(column: &dyn Array, row: usize) -> Result<ImageCell> {
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

/// Returns the bytes of a cell that is not null, or `None` if the column does not have bytes.
pub fn bytes(column: &dyn Array, row: usize) -> Option<&[u8]> {
    match column.data_type() {
        DataType::Binary => Some(column.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Some(column.as_binary::<i64>().value(row)),
        DataType::BinaryView => Some(column.as_binary_view().value(row)),
        _ => None,
    }
}
