//! Finds the prompt in XMP, an XML text with properties. Two of the properties can hold a prompt.
//!
//! Properties are found by the names of the standard (ISO 16684-1, §8), without an XML parser. A parser would enlarge the
//! module that browsers download by more than the rest of `metadata`.

use super::grammar;
use super::prompt::{EmbeddedPrompt, PromptSource};
use crate::clean::unescaped;

/// A part of each description by Midjourney, for example `a cat --ar 3:2 Job ID: 0-0-0`.
const JOB: &str = "Job ID:";
/// IPTC's value of `digitalsourcetype` for generated images. The description of such an image is its prompt.
const GENERATED: &str = "trainedAlgorithmicMedia";

/// The prompt in an XMP packet.
pub(super) fn prompt(xmp: &[u8]) -> Option<EmbeddedPrompt> {
    let xmp = String::from_utf8_lossy(xmp);
    let found = |text: Option<String>| EmbeddedPrompt::new(&text?, PromptSource::Xmp);
    let property = |name| property(&xmp, name);
    found(property("exif:UserComment").and_then(|text| grammar::recognised(&text))).or_else(|| {
        let text = property("dc:description")?;
        let prompt = match text.split_once(JOB) {
            Some((prompt, _)) => Some(prompt.split(" --").next().unwrap_or_default().to_owned()),
            None => grammar::recognised(&text),
        };
        // Draw Things writes the negative prompt on a separate line that starts with a minus.
        let prompt = prompt.or_else(|| xmp.contains(GENERATED).then_some(text))?;
        found(prompt.split("\n-").next().map(str::to_owned))
    })
}

/// The text of a property, or of its first entry if it is a list.
fn property(xmp: &str, name: &str) -> Option<String> {
    let value = element(xmp, name)?;
    let text = element(value, "rdf:li").unwrap_or(value);
    Some(unescaped(text))
}

/// The text between the first `<name …>` and `</name>`.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let start = xml.match_indices(name).find_map(|(at, _)| {
        let after = &xml[at + name.len()..];
        let is_start = xml[..at].ends_with('<') && after.starts_with(|c: char| c == '>' || c.is_ascii_whitespace());
        is_start.then_some(after)
    })?;
    let content = &start[start.find('>')? + 1..];
    Some(&content[..content.find(&format!("</{name}"))?])
}

#[cfg(test)]
mod tests {
    use super::super::{embedded_prompt, tests::png_of};
    use super::*;

    /// A packet with these properties, in the form that Exempi and Draw Things write.
    fn packet(properties: &[(&str, &str)], more: &str) -> String {
        let property = |(name, text): &(&str, &str)| {
            format!("<{name}><rdf:Alt><rdf:li xml:lang=\"x-default\">{text}</rdf:li></rdf:Alt></{name}>")
        };
        let properties: String = properties.iter().map(property).collect();
        format!(
            "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF><rdf:Description rdf:about=\"\" {more}>{properties}\
             </rdf:Description></rdf:RDF></x:xmpmeta>"
        )
    }

    #[test]
    fn each_writer_of_xmp_is_read_in_each_container() {
        let info = "a cat, 猫&#10;-a dog&#10;Steps: 10, Sampler: DDIM, Seed: 1";
        let json = "{&quot;c&quot;:&quot;a cat, 猫&quot;,&quot;uc&quot;:&quot;a dog&quot;}";
        let midjourney = "a cat, 猫 --ar 3:2 --v 6 Job ID: 01234567-89ab";
        for (properties, more) in [
            (vec![("dc:description", "other"), ("exif:UserComment", json)], ""),
            (vec![("dc:description", info)], ""),
            (vec![("dc:description", midjourney)], ""),
            (vec![("dc:description", "a cat, 猫")], "Iptc4xmpExt:DigitalSourceType=\"…/trainedAlgorithmicMedia\""),
        ] {
            let xmp = packet(&properties, more);
            let jpeg = [b"http://ns.adobe.com/xap/1.0/\0", xmp.as_bytes()].concat();
            let length = u16::try_from(2 + jpeg.len()).expect("at most 64 kB").to_be_bytes();
            let jpeg = [b"\xff\xd8\xff\xe1", &length[..], &jpeg, b"\xff\xda"].concat();
            let size = u32::try_from(xmp.len()).expect("small").to_le_bytes();
            let webp = [b"RIFF\0\0\0\0WEBPXMP ", &size[..], xmp.as_bytes()].concat();
            let size = u32::try_from(xmp.len()).expect("small").to_be_bytes();
            let field = [b"\x02\xbc\0\x01", &size[..], &[0, 0, 0, 26]].concat();
            let tiff = [b"MM\0*\0\0\0\x08\0\x01", &field[..], &[0; 4], xmp.as_bytes()].concat();
            let trailer: Vec<u8> = [1].into_iter().chain((0..=255).rev()).chain([0]).collect();
            let other = b"GIF89a\x01\0\x01\0\0\0\0\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0";
            let gif = [other, &b"\x21\xff\x0bXMP DataXMP"[..], xmp.as_bytes(), &trailer].concat();
            assert_eq!(embedded_prompt(&gif[..gif.len() - 1]), None, "the extension does not end");
            for image in [jpeg, webp, tiff, gif, png_of(&[("XML:com.adobe.xmp", &xmp)])] {
                let expected = EmbeddedPrompt::new("a cat, 猫", PromptSource::Xmp);
                assert_eq!(embedded_prompt(&image), expected, "{properties:?}");
            }
        }
    }

    #[test]
    fn what_people_write_into_xmp_is_no_prompt() {
        for xmp in [
            packet(&[("dc:description", "Our cat on its sofa"), ("exif:UserComment", "holidays")], ""),
            packet(&[("dc:title", "a cat&#10;Steps: 10")], ""),
            "<dc:description".into(),
            "<dc:description><rdf:li".into(),
            "<dc:descriptions>a cat\nSteps: 10</dc:descriptions>".into(),
        ] {
            assert_eq!(prompt(xmp.as_bytes()), None, "{xmp}");
        }
    }
}
