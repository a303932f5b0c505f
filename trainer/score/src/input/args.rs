//! Flags that say which images.

use std::path::PathBuf;

use clap::Args;

use super::table::InputColumns;

/// Which images.
#[derive(Clone, Debug, Default, Args)]
pub struct InputArgs {
    /// Images, folders that are searched for images, tar files (WebDataset), or patterns for such
    ///
    /// In a tar file, which may be gzipped, KEY.jpg has its prompt in KEY.txt, or in KEY.json under prompt, caption or text.
    #[arg(value_name = "PATH", required_unless_present_any = ["from", "stream"])]
    pub paths: Vec<PathBuf>,

    /// A list or table of images, a folder of tables, or a pattern for such; - reads standard input
    ///
    /// FILE.csv, FILE.tsv, FILE.jsonl and FILE.parquet are tables, anything else is a list with one PATH a line; standard
    /// input is a list, or JSON lines. A CSV table without commas in its first line is separated by tabs, semicolons or
    /// bars. In a table, an image is a path, a data: URL, or, in Parquet, bytes or an image as
    /// Hugging Face stores it. Paths are relative to the table's folder, in a list to the current one.
    #[arg(long, value_name = "FILE")]
    pub from: Vec<PathBuf>,

    /// Columns of the tables: id=NAME,image=NAME,prompt=NAME; default: id, image or path, and prompt
    ///
    /// Results are called by their ids; ids need not differ.
    #[arg(long, value_name = "NAMES")]
    pub columns: Option<InputColumns>,

    /// Folder of the tables' images; default: the table's
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    pub images: Option<PathBuf>,
}
