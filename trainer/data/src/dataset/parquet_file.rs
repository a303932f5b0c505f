//! Reads columns of a Parquet file as a table.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::schema::types::SchemaDescriptor;

use super::problem::{ProblemKind, ProblemLog};
use super::table::{Table, TableRow};
use crate::cells;

/// Reads the columns with these names, in this order. Images are not read, but their paths are: the cell of an image is the
/// path that stands beside it, or else the number of its row.
pub(crate) fn read(path: &Path, columns: &[&str], image: Option<&str>) -> Result<Table> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let schema = reader.schema().clone();
    let image_column = image.map(|name| find(&schema, name)).transpose()?.filter(|field| holds_images(path, field));
    let image_column = image_column.map(|field| field.name().clone());
    for &name in columns {
        let data_type = find(&schema, name)?.data_type();
        if image_column.as_deref() != Some(name) && !is_cell(data_type) {
            bail!("column `{name}`: expected text or numbers, found {data_type}");
        }
    }
    let projection = projection(reader.parquet_schema(), columns, image_column.as_deref());
    let first: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    let mut log = ProblemLog { file: path, problems: Vec::new() };
    // The header has no line number.
    let mut rows = vec![TableRow { line: 0, cells: first.clone() }];
    let mut line = 0;
    for batch in reader.with_projection(projection).build()? {
        let batch = batch.with_context(|| format!("reading the rows after row {line}"))?;
        for row in 0..batch.num_rows() {
            line += 1;
            let cell = |&name: &&str| match image_column.as_deref() {
                Some(image) if image == name => {
                    Ok(image_name(&batch, image, row).unwrap_or_else(|| format!("row-{line}")))
                }
                _ => text(&batch, name, row),
            };
            match columns.iter().map(cell).collect() {
                Ok(cells) => rows.push(TableRow { line, cells }),
                Err(found) => log.add((line, None), ProblemKind::UnreadableRow, "text or a number", found),
            }
        }
    }
    Ok(Table { path: path.to_owned(), first, rows, problems: log.problems, image_column })
}

/// Returns the names of the columns.
pub(crate) fn column_names(path: &Path) -> Result<Vec<String>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    Ok(reader.schema().fields().iter().map(|field| field.name().clone()).collect())
}

fn find<'a>(schema: &'a Schema, name: &str) -> Result<&'a Field> {
    schema.field_with_name(name).map_err(|_| {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        anyhow::anyhow!("expected a column `{name}`, found {}", names.join(", "))
    })
}

/// Returns whether a column holds images. Some writers do not mark columns of text as text, so that paths look like bytes:
/// the first value tells. No image file is valid UTF-8 as a whole.
fn holds_images(path: &Path, field: &Field) -> bool {
    cells::holds_bytes(field.data_type())
        && !(cells::is_bytes(field.data_type()) && is_utf8(path, field.name()).unwrap_or_default())
}

fn is_utf8(path: &Path, column: &str) -> Result<bool> {
    let first = super::parquet_images::read_one(path, column, 1)?;
    Ok(std::str::from_utf8(&first).is_ok())
}

/// Selects the columns, and of Hugging Face's images only the paths. The images are read when they are decoded.
fn projection(schema: &SchemaDescriptor, columns: &[&str], image: Option<&str>) -> ProjectionMask {
    let is_read = |path: &[String]| match image {
        Some(image) if path[0] == image => path.len() == 2 && path[1] == "path",
        _ => columns.contains(&path[0].as_str()),
    };
    let leaves = schema.columns().iter().enumerate().filter(|(_, column)| is_read(column.path().parts()));
    ProjectionMask::leaves(schema, leaves.map(|(leaf, _)| leaf))
}

/// Returns the path beside an image, if there is one.
fn image_name(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let paths = batch.column_by_name(column)?.as_struct_opt()?.column_by_name("path")?;
    let path = cells::text(paths.as_ref(), row).ok()??;
    Some(path.trim().to_owned()).filter(|path| !path.is_empty())
}

fn is_cell(data_type: &DataType) -> bool {
    cells::is_text(data_type)
        || cells::is_bytes(data_type)
        || data_type.is_floating()
        || matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}

/// Returns the text of a value as in a CSV file. A null is empty.
fn text(batch: &RecordBatch, column: &str, row: usize) -> Result<String, String> {
    let cells = batch.column_by_name(column).expect("the column is selected");
    if cells.is_null(row) {
        return Ok(String::new());
    }
    Ok(match cells.data_type() {
        DataType::Float16 => f64::from(cells.as_primitive::<Float16Type>().value(row)).to_string(),
        DataType::Float32 => f64::from(cells.as_primitive::<Float32Type>().value(row)).to_string(),
        DataType::Float64 => cells.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Decimal128(..) => cells.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Decimal256(..) => cells.as_primitive::<Decimal256Type>().value_as_string(row),
        _ => match cells::bytes(cells.as_ref(), row) {
            // Some writers do not mark columns of text as text.
            Some(bytes) => std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|_| format!("bytes that are not text in column `{column}`"))?,
            None => cells::text(cells.as_ref(), row)
                .map_err(|error| format!("column `{column}`: {error}"))?
                .unwrap_or_default(),
        },
    })
}
