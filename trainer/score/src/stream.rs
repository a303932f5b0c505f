//! `--stream arrow`: a filter between two pipes, for engines that spread work over machines.
//!
//! Record batches in Arrow's stream format come on standard input; each leaves on standard output with the columns of
//! its scores behind its own, in the same order, as soon as it is scored. What fails is said in the column `error`.
//! Nothing waits for a later batch, so that whoever sends the next one only after an answer is answered.

use std::io::{self, BufReader, BufWriter, Write};
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
use tsp_mgs_data::parallel::caught;

use crate::args::{ScoreArgs, TOO_MANY_ERRORS};
use crate::arrow_rows;
use crate::batching::score_all;
use crate::features::FeatureStore;
use crate::input::cells;
use crate::input::table::{FoundColumns, Table};
use crate::prepare::prepare_all;
use crate::record::Record;
use crate::row::ResultRow;
use crate::tally::Tally;

/// Record batches that are read before the one that is scored is done.
const AHEAD: usize = 2;

/// Columns of the results that are no news to whoever sent the batch.
const OWN: [&str; 3] = ["id", "path", "prompt"];

/// Scores what comes until it ends.
///
/// # Errors
/// For a stream that is damaged or has not the columns that it must have, and a pipe that is closed.
pub fn run(args: &ScoreArgs, scorer: &mut Scorer, run: &Run, store: Option<FeatureStore>) -> Result<ExitCode> {
    let reader = StreamReader::try_new(BufReader::new(io::stdin()), None)
        .context("reading an Arrow stream from standard input")?;
    let schema = reader.schema();
    let names = args.input.columns.clone().unwrap_or_default();
    let columns = cells::columns(&schema, &names)?;
    let scored = with_scores(&schema)?;

    let mut out = StreamWriter::try_new(BufWriter::new(io::stdout()), &scored).context(WRITING)?;
    // Whoever waits for the schema before the first batch gets it.
    out.get_mut().flush().context(WRITING)?;
    let (sender, batches) = sync_channel(AHEAD);
    let table = Table::new("stdin".as_ref(), args.input.images.as_deref());
    let source = Source { reader, sender: Some(sender), table, columns, read: 0 };
    let mut prepared = prepare_all(source.flatten(), scorer, args.worker_threads(), args.prompt.clone(), store.clone());
    let mut total = Tally::default();
    for batch in batches {
        let batch = batch?;
        let rows = prepared.by_ref().take(batch.num_rows());
        let rows: Vec<ResultRow> = score_all(scorer, rows, store.as_ref()).flatten().collect();
        total += Tally::of(&rows, false);
        let answer = add_scores(&batch, &scored, &rows, run)?;
        out.write(&answer).and_then(|()| Ok(out.get_mut().flush()?)).context(WRITING)?;
        if args.exceeds_max_errors(total.failures) {
            bail!("{} of {} images could not be scored: {TOO_MANY_ERRORS}", total.failures, total.rows);
        }
    }
    out.finish().and_then(|()| Ok(out.get_mut().flush()?)).context(WRITING)?;
    eprintln!("note: {} rows, {} of them with an error", total.rows, total.failures);
    Ok(ExitCode::SUCCESS)
}

const WRITING: &str = "writing the Arrow stream to standard output";

/// The sender's columns, and those of the results.
fn with_scores(schema: &SchemaRef) -> Result<SchemaRef> {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    for field in arrow_rows::SCHEMA.fields().iter().filter(|field| !OWN.contains(&field.name().as_str())) {
        if schema.field_with_name(field.name()).is_ok() {
            let name = field.name();
            return Err(UsageError::new(format!(
                "the stream has a column `{name}` already; leave it out or rename it"
            ))
            .into());
        }
        fields.push(field.clone());
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
}

fn add_scores(batch: &RecordBatch, scored: &SchemaRef, rows: &[ResultRow], run: &Run) -> Result<RecordBatch> {
    let results = arrow_rows::SCHEMA.fields().iter().zip(arrow_rows::columns(rows, run));
    let results = results.filter(|(field, _)| !OWN.contains(&field.name().as_str())).map(|(_, column)| column);
    Ok(RecordBatch::try_new(scored.clone(), batch.columns().iter().cloned().chain(results).collect())?)
}

/// Hands a batch over to be answered before its rows are given out.
struct Source {
    reader: StreamReader<BufReader<io::Stdin>>,
    sender: Option<SyncSender<Result<RecordBatch>>>,
    table: Table,
    columns: FoundColumns,
    read: u64,
}

impl Iterator for Source {
    type Item = Box<dyn Iterator<Item = Record> + Send>;

    fn next(&mut self) -> Option<Self::Item> {
        let sender = self.sender.take()?;
        let batch = caught(|| self.reader.next().transpose().map_err(|error| anyhow!(error))).transpose()?;
        let batch = batch.with_context(|| format!("reading the Arrow stream after {} rows", self.read));
        let rows = batch.as_ref().ok().cloned();
        // Nothing follows what cannot be read; nobody takes it when the output is closed.
        sender.send(batch).ok()?;
        let batch = rows?;
        self.sender = Some(sender);
        let first = self.read + 1;
        self.read += batch.num_rows() as u64;
        let (table, columns) = (self.table.clone(), self.columns.clone());
        let rows = (0..batch.num_rows()).zip(first..);
        Some(Box::new(rows.map(move |(row, place)| cells::record(&batch, &table, &columns, row, place))))
    }
}
