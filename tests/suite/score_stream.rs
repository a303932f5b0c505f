use std::io::Read;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::thread;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use arrow_array::{Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::Value;

use crate::support::image_folder::{ImageFolder, file_name};

fn schema() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("key", DataType::Int64),
        field("picture", DataType::Binary),
        field("caption", DataType::Utf8),
    ]))
}

/// The key, picture and caption of a row.
type Sent<'a> = (i64, Option<Vec<u8>>, Option<&'a str>);

fn batch(rows: &[Sent]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.1.as_deref()).collect::<BinaryArray>()),
        Arc::new(rows.iter().map(|row| row.2).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema(), columns).expect("columns as the schema says")
}

/// A running filter and its pipes.
struct Filter {
    child: Child,
    to: Option<StreamWriter<ChildStdin>>,
    from: Option<StreamReader<ChildStdout>>,
}

impl Filter {
    fn start(folder: &ImageFolder, arguments: &[&str]) -> Self {
        let columns = ["--stream", "arrow", "--columns", "id=key,image=picture,prompt=caption"];
        let mut command = folder.score(&[&columns, arguments].concat());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the trainer runs");
        let to = StreamWriter::try_new(child.stdin.take().expect("a pipe"), &schema()).expect("it reads");
        Self { child, to: Some(to), from: None }
    }

    /// Sends a batch and waits for its answer.
    fn answer(&mut self, batch: &RecordBatch) -> RecordBatch {
        self.to.as_mut().expect("not ended").write(batch).expect("it reads");
        self.receive().expect("an answer")
    }

    fn receive(&mut self) -> Option<RecordBatch> {
        let child = &mut self.child;
        let from = self.from.get_or_insert_with(|| {
            StreamReader::try_new(child.stdout.take().expect("a pipe"), None).expect("a schema")
        });
        from.next().map(|batch| batch.expect("a whole batch"))
    }

    /// Ends the stream. Returns whether the answer was a complete stream, the exit code, and standard error.
    fn end(mut self) -> (bool, Option<i32>, String) {
        if let Some(mut to) = self.to.take() {
            to.finish().expect("it reads");
        }
        let mut from = self.from.take().expect("something was received");
        let is_whole = from.next().is_none() && from.is_finished();
        let mut said = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        (is_whole, self.child.wait().expect("it ends").code(), said)
    }
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(column).expect("the column is there").as_string::<i32>();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn number(batch: &RecordBatch, column: &str, row: usize) -> Option<f32> {
    let column = batch.column_by_name(column).expect("the column is there").as_primitive::<Float32Type>();
    column.is_valid(row).then(|| column.value(row))
}

#[test]
fn each_batch_is_answered_before_the_next_is_sent_with_the_scores_of_the_files() {
    let folder = ImageFolder::new();
    let expected = folder.json(&["images"], 1);
    let prompt = |row: &Value| row["prompt"].as_str().map(str::to_owned);
    let prompts: Vec<Option<String>> = expected.iter().map(prompt).collect();
    let image = |name: &str| Some(folder.image(name));

    let mut filter = Filter::start(&folder, &[]);
    let first = batch(&[
        (1, image("cat.jpg"), prompts[1].as_deref()),
        (2, image("broken.png"), None),
        (3, image("coffee.jpg"), prompts[2].as_deref()),
    ]);
    let answer = filter.answer(&first);
    let names: Vec<String> = answer.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names[..4], ["key", "picture", "caption", "perception"]);
    assert_eq!(names.last().map(String::as_str), Some("error"));
    assert_eq!(answer.columns()[..3], *first.columns(), "the sender's columns as they were");
    let row = |name: &str| expected.iter().find(|row| file_name(row) == name).expect("a row");
    for (place, name) in [(0, "cat.jpg"), (2, "coffee.jpg")] {
        for task in ["perception", "alignment"] {
            let expected = row(name)[task]["score"].as_f64().expect("a score") as f32;
            let found = number(&answer, task, place).expect("a score");
            assert!((found - expected).abs() < 1e-5, "{task} of {name}: {found}, expected {expected}");
        }
    }
    assert_eq!(text(&answer, "error", 0), None);
    assert!(text(&answer, "error", 1).expect("an error").contains("not an image"));
    assert_eq!((number(&answer, "perception", 1), number(&answer, "alignment", 1)), (None, None));
    assert!(answer.column_by_name("width").expect("a column").as_primitive::<Int32Type>().value(0) > 0);

    // The answer to an empty batch is an empty batch.
    assert_eq!(filter.answer(&batch(&[])).num_rows(), 0);
    let last = filter.answer(&batch(&[(4, image("fish.jpg"), None), (5, None, Some("x"))]));
    assert_eq!(text(&last, "error", 1).as_deref(), Some("row 5 of stdin has no image"));
    assert!(number(&last, "perception", 0).is_some());
    let (is_whole, code, said) = filter.end();
    assert!(is_whole && code == Some(0), "{said}");
    assert!(said.contains("5 rows, 2 of them with an error"), "{said}");
}

#[test]
fn many_batches_that_are_sent_at_once_come_back_in_order() {
    let folder = ImageFolder::new();
    let image = folder.image("rocket.png");
    let mut filter = Filter::start(&folder, &["--threads", "3", "--task", "perception"]);
    let batches: Vec<RecordBatch> =
        (0..12).map(|i| batch(&vec![(i, Some(image.clone()), None); (i % 4) as usize])).collect();
    // Another thread sends the batches and ends the stream, because the answers would fill the pipe.
    let (mut to, sent) = (filter.to.take().expect("not ended"), batches.clone());
    let sender = thread::spawn(move || {
        sent.iter().for_each(|batch| to.write(batch).expect("it reads"));
        to.finish().expect("it reads");
    });
    for expected in &batches {
        let answer = filter.receive().expect("an answer");
        assert_eq!(answer.num_rows(), expected.num_rows());
        assert_eq!(answer.column(0), expected.column(0));
    }
    sender.join().expect("it sent all");
    let (is_whole, code, said) = filter.end();
    assert!(is_whole && code == Some(0), "{said}");
}

#[test]
fn streams_that_cannot_be_scored_are_refused_with_a_sentence() {
    let folder = ImageFolder::new();
    let refused = |schema: Schema, arguments: &[&str], code: i32| -> String {
        let mut child = folder
            .score(&[&["--stream", "arrow"], arguments].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the trainer runs");
        let mut writer = StreamWriter::try_new(child.stdin.take().expect("a pipe"), &schema).expect("it reads");
        // The process may have ended already.
        let _ = writer.finish();
        drop(writer);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    };
    let of = |names: &[&str]| {
        Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>())
    };
    assert!(refused(of(&["a", "b"]), &[], 1).contains("expected a column `image` or `path`"));
    assert!(
        refused(of(&["image", "error"]), &[], 2).contains("the stream has a column `error`, which the results need")
    );
    assert!(
        refused(of(&["image"]), &["--columns", "image=image,prompt=p"], 1)
            .contains("expected a column `p`, found image")
    );
    let output = folder.score(&["--stream", "arrow", "images"]).output().expect("the trainer runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");

    let mut child = folder.score(&["--stream", "arrow"]);
    let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the trainer runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"id,image\n1,a.png\n").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("reading an Arrow stream from standard input"));
}
