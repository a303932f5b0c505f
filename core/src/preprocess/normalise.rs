//! CLIP's normalisation of 8-bit levels (OpenAI CLIP, `clip.py`).

/// The mean of red, green and blue in [0, 1], which is subtracted.
pub const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// The standard deviation of red, green and blue, by which the difference is divided.
pub const STD: [f32; 3] = [0.268_629_55, 0.261_302_6, 0.275_777_1];

/// The normalised value of each 8-bit level of each channel.
pub(super) static NORMALISED: [[f32; 256]; 3] = normalised();

const fn normalised() -> [[f32; 256]; 3] {
    let mut table = [[0.0; 256]; 3];
    let mut channel = 0;
    while channel < 3 {
        let mut level = 0;
        while level < 256 {
            table[channel][level] = (level as f32 / 255.0 - MEAN[channel]) / STD[channel];
            level += 1;
        }
        channel += 1;
    }
    table
}
