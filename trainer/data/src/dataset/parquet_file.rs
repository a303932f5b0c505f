//! Reads columns of a Parquet file as a table.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::problem::{ProblemKind, ProblemLog};
use super::table::{Table, TableRow};

/// Reads the columns with these names, in this order. Other columns are not decoded, because they may contain images.
pub(crate) fn read(path: &Path, columns: &[&str]) -> Result<Table> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let schema = reader.metadata().file_metadata().schema();
    let find = |name: &str| schema.get_fields().iter().find(|field| field.name() == name).cloned();
    let mut fields: Vec<Arc<Type>> = Vec::new();
    for &name in columns {
        let Some(field) = find(name) else {
            let names: Vec<&str> = schema.get_fields().iter().map(|field| field.name()).collect();
            bail!("expected a column `{name}`, found {}", names.join(", "));
        };
        if !field.is_primitive() {
            bail!("column `{name}`: expected text or numbers, found a nested column; images must be paths");
        }
        if !fields.iter().any(|known| known.name() == name) {
            fields.push(field);
        }
    }
    let projection = Type::group_type_builder(schema.name()).with_fields(fields).build()?;
    let first: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    let mut log = ProblemLog { file: path, problems: Vec::new() };
    // The header has no line number.
    let mut rows = vec![TableRow { line: 0, cells: first.clone() }];
    for (record, line) in reader.get_row_iter(Some(projection))?.zip(1..) {
        let record = record.with_context(|| format!("reading row {line}"))?;
        let cell = |name: &str| record.get_column_iter().find(|(column, _)| *column == name).map(|(_, field)| field);
        let cells = columns.iter().map(|&name| text(name, cell(name).unwrap_or(&Field::Null))).collect();
        match cells {
            Ok(cells) => rows.push(TableRow { line, cells }),
            Err(found) => log.add((line, None), ProblemKind::UnreadableRow, "text or a number", found),
        }
    }
    Ok(Table { path: path.to_owned(), first, rows, problems: log.problems })
}

/// Returns the text of a value as in a CSV file. A null is empty.
fn text(column: &str, field: &Field) -> Result<String, String> {
    Ok(match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        // Some writers do not mark text columns as text.
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data())
            .map(str::to_owned)
            .map_err(|_| format!("bytes that are not text in column `{column}`"))?,
        Field::Byte(number) => number.to_string(),
        Field::Short(number) => number.to_string(),
        Field::Int(number) => number.to_string(),
        Field::Long(number) => number.to_string(),
        Field::UByte(number) => number.to_string(),
        Field::UShort(number) => number.to_string(),
        Field::UInt(number) => number.to_string(),
        Field::ULong(number) => number.to_string(),
        Field::Float16(number) => f64::from(*number).to_string(),
        Field::Float(number) => f64::from(*number).to_string(),
        Field::Double(number) => number.to_string(),
        Field::Decimal(_) => field.to_string(),
        other => return Err(format!("{other} in column `{column}`")),
    })
}
