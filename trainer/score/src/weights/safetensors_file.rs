//! Reads named tensors from a safetensors file.
//!
//! The tensors are read one after the other, so that no byte of the file is in memory twice.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Result as IoResult};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use safetensors::SafeTensorError;
use safetensors::tensor::Metadata;
use sha2::{Digest, Sha256};
use tsp_mgs_core::error::Error;
use tsp_mgs_core::weights::{RawTensor, Tensors};

/// The size of the field with the length of the header.
const LENGTH_BYTES: u64 = 8;

/// Reads all tensors, and returns them with the SHA-256 of the file in hexadecimal.
///
/// # Errors
/// Returns an error if the file cannot be read, or if its header does not describe all bytes after it.
pub fn read(path: &Path) -> Result<(Tensors<'static>, String)> {
    let file = File::open(path).context("opening the file")?;
    let file_bytes = file.metadata().context("reading the size of the file")?.len();
    let mut reader = HashingReader { inner: file, sha256: Sha256::new() };

    ensure!(file_bytes >= LENGTH_BYTES, Error::Safetensors(SafeTensorError::HeaderTooSmall));
    let mut length = [0; LENGTH_BYTES as usize];
    reader.read_exact(&mut length)?;
    let header_bytes = u64::from_le_bytes(length);
    let is_inside = header_bytes <= file_bytes - LENGTH_BYTES;
    ensure!(is_inside, Error::Safetensors(SafeTensorError::InvalidHeaderLength));
    let header = reader.take_bytes(header_bytes)?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|error| Error::Safetensors(SafeTensorError::InvalidHeaderDeserialization(error)))?;
    let is_whole = metadata.data_len() as u64 == file_bytes - LENGTH_BYTES - header_bytes;
    ensure!(is_whole, Error::Safetensors(SafeTensorError::MetadataIncompleteBuffer));

    // Parsing the header has checked that tensors follow each other without gaps.
    let mut tensors = Tensors::new();
    for name in metadata.offset_keys() {
        let info = metadata.info(&name).expect("the name comes from the metadata");
        let (start, end) = info.data_offsets;
        let bytes = reader.take_bytes((end - start) as u64).with_context(|| format!("reading tensor `{name}`"))?;
        tensors.insert(name, RawTensor { dtype: info.dtype, shape: info.shape.clone(), bytes: Cow::Owned(bytes) });
    }
    Ok((tensors, format!("{:x}", reader.sha256.finalize())))
}

/// A reader that computes the SHA-256 of the bytes that it reads.
struct HashingReader {
    inner: File,
    sha256: Sha256,
}

impl HashingReader {
    fn take_bytes(&mut self, count: u64) -> IoResult<Vec<u8>> {
        let mut bytes = vec![0; count as usize];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let count = self.inner.read(buffer)?;
        self.sha256.update(&buffer[..count]);
        Ok(count)
    }
}
