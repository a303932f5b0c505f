//! An entry of the cache: a header of 64 bytes, and rows of RGB pixels.
//!
//! The header has a magic number, the version, the width and height of the upright image, and the name of the
//! preprocessing, padded with zeros. Numbers are little-endian. The size of the stored image follows from the header
//! (`kept_size`).

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use memmap2::Mmap;
use tsp_mgs_core::preprocess::{Enlarged, PREPROCESS_ID};

use crate::files::UnfinishedFile;

/// The size of the header.
pub const HEADER_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"TSPMGSPX";
const VERSION: u32 = 1;

/// The pixels of an upscaled image, mapped into memory.
pub struct MappedImage {
    map: Mmap,
    width: u32,
    height: u32,
}

/// Returns the path of the entry of an image file with this hash.
pub fn entry_path(folder: &Path, sha256: &str) -> PathBuf {
    folder.join(format!("{sha256}.{PREPROCESS_ID}"))
}

impl MappedImage {
    /// Maps an entry, and checks that it is complete and of this version.
    #[expect(unsafe_code, reason = "other processes can change a mapped file")]
    pub(super) fn open(entry: &Path) -> Result<Self> {
        let file = File::open(entry).context("opening the file")?;
        // SAFETY: no process changes an entry after it got its name. An entry is only replaced as a whole.
        let map = unsafe { Mmap::map(&file) }.context("mapping the file")?;
        ensure!(
            map.len() > HEADER_BYTES,
            "the entry has {} bytes, expected a header of {HEADER_BYTES} bytes and pixels",
            map.len()
        );
        let number = |at: usize| u32::from_le_bytes([map[at], map[at + 1], map[at + 2], map[at + 3]]);
        let (width, height) = (number(12), number(16));
        ensure!(map[..HEADER_BYTES] == header(width, height), "the header is not that of version {VERSION}");
        ensure!(width > 0 && height > 0, "the image has {width} × {height} pixels, expected at least 1 × 1");
        let is_whole = Enlarged::from_pixels(&map[HEADER_BYTES..], width, height).is_some();
        ensure!(
            is_whole,
            "the entry has {} bytes, which is not the size of an image of {width} × {height} pixels",
            map.len()
        );
        Ok(Self { map, width, height })
    }

    /// Returns the upscaled image, from which views are cut.
    pub fn enlarged(&self) -> Enlarged<'_> {
        Enlarged::from_pixels(&self.map[HEADER_BYTES..], self.width, self.height).expect("checked when it was opened")
    }
}

/// Writes an entry under a temporary name, and renames it when it is on the disk.
pub fn write(folder: &Path, entry: &Path, image: &Enlarged) -> io::Result<()> {
    let mut unfinished = UnfinishedFile::in_folder(folder)?;
    let (width, height) = image.upright_size();
    let file = unfinished.file();
    file.write_all(&header(width, height))?;
    file.write_all(image.pixels())?;
    // Without this, the name could be on the disk before the pixels.
    file.sync_data()?;
    unfinished.finish(entry)
}

fn header(width: u32, height: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&width.to_le_bytes());
    header[16..20].copy_from_slice(&height.to_le_bytes());
    header[20..20 + PREPROCESS_ID.len()].copy_from_slice(PREPROCESS_ID.as_bytes());
    header
}
