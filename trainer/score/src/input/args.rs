//! Flags that select the images to score.

use std::path::PathBuf;

use clap::Args;

use super::table::InputColumns;

/// Flags that select the images to score.
#[derive(Clone, Debug, Default, Args)]
pub struct InputArgs {
    /// Images, folders with images, tar files (WebDataset), or glob patterns for these
    ///
    /// Folders are searched with their subfolders. A tar file may be gzipped. In a tar file, the prompt of KEY.jpg is
    /// read from KEY.txt, or from the key prompt, caption or text of KEY.json.
    #[arg(value_name = "PATH", required_unless_present_any = ["from", "stream"])]
    pub paths: Vec<PathBuf>,

    /// A list or table of images, a folder with tables, or a glob pattern for these; - is standard input
    ///
    /// FILE.csv, FILE.tsv, FILE.jsonl and FILE.parquet are tables. Another file is a list with one PATH in each line.
    /// Standard input is a list or JSON lines. If the first line of a CSV table has no comma, the separator is the tab,
    /// the semicolon or the bar. In a table, an image is a path or a data: URL. In Parquet, it can also be bytes, or an
    /// image in the format of Hugging Face. Paths in a table are relative to its folder, paths in a list to the current
    /// folder.
    #[arg(long, value_name = "FILE")]
    pub from: Vec<PathBuf>,

    /// Columns of the tables: id=NAME,image=NAME,prompt=NAME; default: id, image or path, and prompt
    ///
    /// The id of a row is copied to the result. Ids need not be unique.
    #[arg(long, value_name = "NAMES")]
    pub columns: Option<InputColumns>,

    /// Folder of the tables' images; default: the folder of the table
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    pub images: Option<PathBuf>,
}
