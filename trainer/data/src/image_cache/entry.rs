//! One entry of the cache: 64 bytes of header, then RGB rows.
//!
//! The header holds, little-endian: magic, version, width and height of the upright image, and the
//! preprocessing's name, filled up with zeros. The pixels' own size follows from these (`kept_size`).

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use memmap2::Mmap;
use tsp_mgs_core::preprocess::{Enlarged, PREPROCESS_ID};

use crate::files::UnfinishedFile;

/// Bytes before the pixels.
pub const HEADER_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"TSPMGSPX";
const VERSION: u32 = 1;

/// Pixels of an image, mapped into memory.
pub struct MappedImage {
    map: Mmap,
    width: u32,
    height: u32,
}

/// Where the entry of an image file with this hash stands.
pub fn entry_path(folder: &Path, sha256: &str) -> PathBuf {
    folder.join(format!("{sha256}.{PREPROCESS_ID}"))
}

impl MappedImage {
    /// Maps an entry, after checking that it is a whole one of this version.
    #[expect(unsafe_code, reason = "a mapped file can be changed by others")]
    pub(super) fn open(entry: &Path) -> Result<Self> {
        let file = File::open(entry).context("opening the file")?;
        // SAFETY: nothing changes an entry once it has its name; it is only ever replaced as a whole.
        let map = unsafe { Mmap::map(&file) }.context("mapping the file")?;
        ensure!(map.len() > HEADER_BYTES, "{} bytes, expected a header of {HEADER_BYTES} and pixels", map.len());
        let number = |at: usize| u32::from_le_bytes([map[at], map[at + 1], map[at + 2], map[at + 3]]);
        let (width, height) = (number(12), number(16));
        ensure!(map[..HEADER_BYTES] == header(width, height), "another header than version {VERSION} writes");
        ensure!(width > 0 && height > 0, "an image of {width} × {height} pixels");
        let is_whole = Enlarged::from_pixels(&map[HEADER_BYTES..], width, height).is_some();
        ensure!(is_whole, "{} bytes do not make an image of {width} × {height} pixels", map.len());
        Ok(Self { map, width, height })
    }

    /// The image, ready to be cut.
    pub fn enlarged(&self) -> Enlarged<'_> {
        Enlarged::from_pixels(&self.map[HEADER_BYTES..], self.width, self.height).expect("checked when it was opened")
    }
}

/// Writes an entry under another name, and gives it its own once it is on the disk.
pub fn write(folder: &Path, entry: &Path, image: &Enlarged) -> io::Result<()> {
    let mut unfinished = UnfinishedFile::in_folder(folder)?;
    let (width, height) = image.upright_size();
    let file = unfinished.file();
    file.write_all(&header(width, height))?;
    file.write_all(image.pixels())?;
    // Otherwise the name could reach the disk before the pixels.
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
