//! `--stream arrow`: a filter between two pipes, for engines that distribute work over machines.
//!
//! Record batches in Arrow's IPC streaming format are read from standard input. Each batch is written to standard
//! output with additional columns for the scores, in the same order, as soon as it is scored. The column `error` has
//! the error of an image that could not be scored. A batch is answered without waiting for the next one, so that a
//! sender may wait for each answer.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use anyhow::{Context, Result, anyhow, bail};
use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{Schema, SchemaRef};
use tsp_mgs_core::result::Run;
use tsp_mgs_core::scorer::Scorer;
use tsp_mgs_data::flags::UsageError;
use tsp_mgs_data::parallel::catch_panic;

use crate::args::{ScoreArgs, TOO_MANY_ERRORS};
use crate::batching::score_all;
use crate::features::FeatureStore;
use crate::input::cells;
use crate::input::record::Record;
use crate::input::table::{FoundColumns, Table};
use crate::prepare::prepare_all;
use crate::results::arrow_rows;
use crate::results::row::ResultRow;
use crate::results::tally::Tally;

/// The number of record batches that are read ahead of the one that is scored.
const PREFETCHED_BATCHES: usize = 2;

/// Result columns that are not appended, because the sender has them.
const SENDER_COLUMNS: [&str; 3] = ["id", "path", "prompt"];

/// Scores the batches from standard input until the stream ends.
///
/// # Errors
/// Returns an error if the stream is damaged or lacks a column, if a pipe is closed, or if more images fail than
/// `--max-errors` allows.
pub fn run(args: &ScoreArgs, scorer: &mut Scorer, run: &Run, store: Option<FeatureStore>) -> Result<ExitCode> {
    let reader = StreamReader::try_new(BufReader::new(io::stdin()), None)
        .context("reading an Arrow stream from standard input")?;
    let schema = reader.schema();
    let names = args.input.columns.clone().unwrap_or_default();
    let columns = cells::columns(&schema, &names)?;
    let scored = with_scores(&schema)?;

    let mut out = StreamWriter::try_new(BufWriter::new(io::stdout()), &scored).context(WRITING)?;
    // A sender may wait for the schema before it sends the first batch.
    out.get_mut().flush().context(WRITING)?;
    let (sender, batches) = sync_channel(PREFETCHED_BATCHES);
    let table = Table::new("stdin".as_ref(), args.input.images.as_deref());
    let source = RecordsOfBatches { reader, sender: Some(sender), table, columns, read: 0 };
    let mut prepared =
        prepare_all(source.flatten(), scorer, args.worker_threads(), args.prompt.clone(), store.clone(), None);
    let mut total = Tally::default();
    for batch in batches {
        let batch = batch?;
        let rows = prepared.by_ref().take(batch.num_rows());
        let rows: Vec<ResultRow> = score_all(scorer, rows, store.as_ref()).flatten().collect();
        total += Tally::of(&rows, run);
        let answer = add_scores(&batch, &scored, &rows, run)?;
        out.write(&answer).and_then(|()| Ok(out.get_mut().flush()?)).context(WRITING)?;
        if args.exceeds_max_errors(total.failures) {
            bail!("{} of {} images could not be scored: {TOO_MANY_ERRORS}", total.failures, total.rows);
        }
    }
    out.finish().and_then(|()| Ok(out.get_mut().flush()?)).context(WRITING)?;
    eprintln!("note: scored {} rows, {} of them with an error", total.rows, total.failures);
    Ok(ExitCode::SUCCESS)
}

const WRITING: &str = "writing the Arrow stream to standard output";

/// Returns the schema of the output: the columns of the sender and those of the results.
fn with_scores(schema: &SchemaRef) -> Result<SchemaRef> {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    for field in arrow_rows::SCHEMA.fields().iter().filter(|field| !SENDER_COLUMNS.contains(&field.name().as_str())) {
        if schema.field_with_name(field.name()).is_ok() {
            let name = field.name();
            return Err(UsageError::new(format!(
                "the stream has a column `{name}`, which the results need; omit it or rename it"
            ))
            .into());
        }
        fields.push(field.clone());
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
}

fn add_scores(batch: &RecordBatch, scored: &SchemaRef, rows: &[ResultRow], run: &Run) -> Result<RecordBatch> {
    let results = arrow_rows::SCHEMA.fields().iter().zip(arrow_rows::columns(rows, run));
    let results =
        results.filter(|(field, _)| !SENDER_COLUMNS.contains(&field.name().as_str())).map(|(_, column)| column);
    Ok(RecordBatch::try_new(scored.clone(), batch.columns().iter().cloned().chain(results).collect())?)
}

/// Reads the next batch of a stream. The reader panics on some damaged batches; such a panic is returned as an error.
pub fn next_batch(reader: &mut StreamReader<impl Read>) -> Option<Result<RecordBatch>> {
    catch_panic(|| reader.next().transpose().map_err(|error| anyhow!(error))).transpose()
}

/// An iterator over the records of each batch. It sends a batch to `sender` before it returns the batch's records.
struct RecordsOfBatches {
    reader: StreamReader<BufReader<io::Stdin>>,
    sender: Option<SyncSender<Result<RecordBatch>>>,
    table: Table,
    columns: FoundColumns,
    read: u64,
}

impl Iterator for RecordsOfBatches {
    type Item = Box<dyn Iterator<Item = Record> + Send>;

    fn next(&mut self) -> Option<Self::Item> {
        let sender = self.sender.take()?;
        let batch = next_batch(&mut self.reader)?;
        let batch = batch.with_context(|| format!("reading the Arrow stream after {} rows", self.read));
        let rows = batch.as_ref().ok().cloned();
        // Without a sender, the iterator ends: after an error, or when the receiver has stopped.
        sender.send(batch).ok()?;
        let batch = rows?;
        self.sender = Some(sender);
        let first = self.read + 1;
        self.read += batch.num_rows() as u64;
        let (table, columns) = (self.table.clone(), self.columns.clone());
        let rows = (0..batch.num_rows()).zip(first..);
        Some(Box::new(rows.map(move |(row_idx, number)| cells::record(&batch, &table, &columns, row_idx, number))))
    }
}
