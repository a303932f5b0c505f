//! The image of a table's row.

/// A cell of a column of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageCell {
    /// Null.
    Empty,
    /// A path, or a `data:` URL.
    Text(String),
    /// The content of an image file.
    Bytes(Vec<u8>),
}
