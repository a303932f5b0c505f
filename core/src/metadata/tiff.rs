//! The fields of a TIFF structure, which TIFF files and EXIF data share (TIFF 6.0, section 2).
//!
//! The crate `kamadak-exif` 0.6 is not used: it expands all directories before it looks up a field. Directories can overlap,
//! so a file of 64 kB took 300 MB.

use super::prompt::TEXT_LIMIT;

/// A TIFF header and the bytes that its offsets refer to.
pub(crate) struct Tiff<'a> {
    bytes: &'a [u8],
    is_little_endian: bool,
}

impl<'a> Tiff<'a> {
    /// Checks the header. Returns `None` for bytes that are not a TIFF structure.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let is_little_endian = bytes.starts_with(b"II*\0");
        (is_little_endian || bytes.starts_with(b"MM\0*")).then_some(Self { bytes, is_little_endian })
    }

    /// The offset of the first directory.
    pub fn first_directory(&self) -> Option<usize> {
        self.number::<4>(self.bytes.get(4..)?)
    }

    /// The offset of a directory that a field of another directory points to.
    pub fn subdirectory(&self, directory: usize, tag: usize) -> Option<usize> {
        self.number::<4>(&self.field(directory, tag)?[8..])
    }

    /// The value of a field of bytes, characters or unspecified bytes (types 1, 2 and 7).
    pub fn value(&self, directory: usize, tag: usize) -> Option<&'a [u8]> {
        let field = self.field(directory, tag)?;
        let kind = self.number::<2>(&field[2..])?;
        let count = self.number::<4>(&field[4..])?;
        if !matches!(kind, 1 | 2 | 7) || count > TEXT_LIMIT {
            return None;
        }
        // A value of up to four bytes is stored in the field itself. That is too short for a prompt.
        self.bytes.get(self.number::<4>(&field[8..])?..)?.get(..count)
    }

    /// The 12 bytes of a field: tag, type, count, and the value or its offset.
    fn field(&self, directory: usize, tag: usize) -> Option<&'a [u8; 12]> {
        let (n_fields, fields) = self.bytes.get(directory..)?.split_at_checked(2)?;
        let (fields, _) = fields.as_chunks::<12>();
        let mut fields = fields.iter().take(self.number::<2>(n_fields)?);
        fields.find(|field| self.number::<2>(&field[..]) == Some(tag))
    }

    /// The unsigned number in the first `N` bytes; `N` is at most 4.
    fn number<const N: usize>(&self, bytes: &[u8]) -> Option<usize> {
        let mut digits = *bytes.first_chunk::<N>()?;
        if self.is_little_endian {
            digits.reverse();
        }
        let append = |number, digit: &u8| number << 8 | usize::from(*digit);
        Some(digits.iter().fold(0, append))
    }
}

/// The first value of a field of one or two 16-bit numbers (type 3) in a TIFF file's first directory.
pub(crate) fn short_value(bytes: &[u8], tag: usize) -> Option<usize> {
    let tiff = Tiff::new(bytes)?;
    tiff.number::<2>(&tiff.field(tiff.first_directory()?, tag)?[8..])
}
