//! A folder of pictures, and square parts of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use image::imageops::{self, FilterType};
use image::{ImageReader, RgbImage};
use sha2::{Digest, Sha256};

use crate::canvas::{Canvas, SIDE};
use crate::random::RandomStream;

/// Largest shorter side in pixels. A larger picture is reduced to it: parts are sharper, and all pictures fit into memory.
const MAX_SIDE: u32 = 1280;

/// A picture that is not decoded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub path: PathBuf,
    /// The name of the file as words.
    pub title: String,
}

/// Finds the JPEG, PNG and WebP files of a folder, sorted by name.
///
/// # Errors
/// Fails if the folder cannot be read, or has fewer than two pictures: training and test need one each.
pub fn find(folder: &Path) -> Result<Vec<Picture>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if ["jpg", "jpeg", "png", "webp"].contains(&extension.to_ascii_lowercase().as_str()) {
            let title = stem.replace(['-', '_'], " ");
            found.push(Picture { path, title });
        }
    }
    ensure!(
        found.len() >= 2,
        "{} has {} JPEG, PNG or WebP files, expected at least 2; `make pictures` fetches some",
        folder.display(),
        found.len()
    );
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// SHA-256 over names and contents of all files.
///
/// # Errors
/// Fails if a file cannot be read.
pub fn hash(pictures: &[Picture]) -> Result<String> {
    let mut hash = Sha256::new();
    for picture in pictures {
        let bytes = fs::read(&picture.path).with_context(|| format!("reading {}", picture.path.display()))?;
        hash.update(&picture.title);
        hash.update(Sha256::digest(bytes));
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Picture {
    /// Decodes the picture, and reduces a large one.
    ///
    /// # Errors
    /// Fails if the file cannot be read or decoded, or if the picture is smaller than the parts that are cut from it.
    pub fn decode(&self) -> Result<RgbImage> {
        let path = self.path.display();
        let reader = ImageReader::open(&self.path).with_context(|| format!("reading {path}"))?;
        let image = reader.decode().with_context(|| format!("decoding {path}"))?.to_rgb8();
        let side = image.width().min(image.height());
        if side < SIDE as u32 {
            bail!("{path} has {} × {} pixels, expected at least {SIDE} on each side", image.width(), image.height());
        }
        if side <= MAX_SIDE {
            return Ok(image);
        }
        let [width, height] = [image.width(), image.height()].map(|length| length * MAX_SIDE / side);
        Ok(imageops::resize(&image, width, height, FilterType::Triangle))
    }
}

/// A random square part of a picture, which may be the largest one, resized to [`SIDE`].
pub fn cut(picture: &RgbImage, random: &mut RandomStream) -> Canvas {
    /// Parts to choose from. Nobody sees in a part of an even sky whether it is blurred.
    const TRIES: usize = 3;
    let parts = (0..TRIES).map(|_| any_part(picture, random));
    parts.max_by(|a, b| detail(a).total_cmp(&detail(b))).expect("there are several")
}

fn any_part(picture: &RgbImage, random: &mut RandomStream) -> Canvas {
    let (width, height) = picture.dimensions();
    let largest = width.min(height);
    let side = SIDE as u32 + random.below((largest - SIDE as u32 + 1) as usize) as u32;
    let left = random.below((width - side + 1) as usize) as u32;
    let top = random.below((height - side + 1) as usize) as u32;
    let part = imageops::crop_imm(picture, left, top, side, side).to_image();
    let part = imageops::resize(&part, SIDE as u32, SIDE as u32, FilterType::CatmullRom);
    Canvas::from_bytes(part.as_raw())
}

/// The sum of the differences of neighbouring pixels in rows.
fn detail(canvas: &Canvas) -> f32 {
    canvas.0.iter().zip(&canvas.0[3..]).map(|(a, b)| (a - b).abs()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    /// A picture whose left half is even and whose right half is striped.
    fn picture() -> RgbImage {
        RgbImage::from_fn(1024, 600, |x, y| image::Rgb([if x < 512 { 90 } else { 90 + (x + y) as u8 % 2 * 60 }; 3]))
    }

    #[test]
    fn the_same_seed_cuts_the_same_part_and_detail_is_preferred() {
        let cut = |index| cut(&picture(), &mut RandomStream::new(1, Purpose::Pixels, index));
        assert_eq!(cut(0).0, cut(0).0);
        let detailed = (0..20).filter(|&index| detail(&cut(index)) > 0.0).count();
        assert!(detailed >= 18, "{detailed} of 20 parts have stripes");
    }

    #[test]
    fn pictures_are_found_by_name_and_small_ones_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        picture().save(folder.path().join("two-stripes.png")).expect("saving");
        let error = find(folder.path()).expect_err("there is one picture");
        assert!(error.to_string().contains("has 1 JPEG, PNG or WebP files, expected at least 2"), "{error}");
        RgbImage::new(700, 511).save(folder.path().join("black_night.png")).expect("saving");
        fs::write(folder.path().join("pictures.csv"), "a list").expect("writing");
        let found = find(folder.path()).expect("two pictures");
        let titles: Vec<&str> = found.iter().map(|picture| picture.title.as_str()).collect();
        assert_eq!(titles, ["black night", "two stripes"]);
        let error = found[0].decode().expect_err("too small");
        assert!(error.to_string().contains("has 700 × 511 pixels, expected at least 512 on each side"), "{error}");
        assert_eq!(found[1].decode().expect("a picture").dimensions(), (1024, 600));
        assert_ne!(hash(&found).expect("two files"), hash(&found[1..]).expect("a file"));
    }
}
