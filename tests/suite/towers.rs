use burn::tensor::{Device, Tensor, TensorData};
use tsp_mgs_core::bundle::{WeightType, write_shards};
use tsp_mgs_core::checkpoint::Checkpoint;
use tsp_mgs_core::clip::{Clip, WeightFormat};
use tsp_mgs_core::config::{Activation, ClipConfig};
use tsp_mgs_core::encoder::ClipEncoder;
use tsp_mgs_core::gpu::Adapter;
use tsp_mgs_core::weights::read_safetensors;
use tsp_mgs_core::{seeded, selfcheck};

use crate::support::compare::{assert_close, magnitude};
use crate::support::device::software_gpu;
use crate::support::fixtures::{fixture, tensors, values};

/// The tolerance relative to the largest feature, for float32 sums in another order.
const RELATIVE: f32 = 1e-4;

/// The elements of a burn tensor.
fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("float32")
}

/// The token ids of a fixture, without padding.
fn texts(ids: &[u8]) -> Vec<Vec<u32>> {
    let ids: Vec<u32> = ids.as_chunks::<8>().0.iter().map(|id| i64::from_le_bytes(*id) as u32).collect();
    let cut = |row: &[u32]| row[..=row.iter().position(|&id| id == 49_407).expect("an end token")].to_vec();
    ids.chunks(77).map(cut).collect()
}

/// The features of images and of the tokens of texts.
type Encode<'a> = (&'a dyn Fn(Tensor<4>) -> Tensor<2>, &'a dyn Fn(&[&[u32]]) -> Tensor<3>);

/// The model of training, and that of scoring.
fn assert_towers(config: ClipConfig, seed: u64, file: &str, suffix: &str, device: &Device) {
    let clip = || Clip::load(seeded::checkpoint(config.clone(), seed), device);
    let side = config.vision.image_size;
    {
        let clip = clip();
        let texts = |ids: &[&[u32]]| clip.token_features(ids, device).expect("a text tower");
        assert_features((&|pixels| clip.image_features(pixels), &texts), side, seed, file, suffix, device);
    }
    assert_encoder(&ClipEncoder::new(clip(), &config.vision, device), side, seed, file, suffix, device);
    for form in [WeightFormat::Stored, WeightFormat::Float32] {
        let encoder = ClipEncoder::load(seeded::checkpoint(config.clone(), seed), device, form);
        assert_encoder(&encoder, side, seed, file, suffix, device);
    }
}

fn assert_encoder(encoder: &ClipEncoder, side: usize, seed: u64, file: &str, suffix: &str, device: &Device) {
    let texts = |ids: &[&[u32]]| encoder.token_features(ids, device).expect("a text tower");
    assert_features((&|pixels| encoder.image_features(pixels), &texts), side, seed, file, suffix, device);
}

fn assert_features((image, text): Encode, side: usize, seed: u64, file: &str, suffix: &str, device: &Device) {
    let expected = tensors(&fixture(file));
    let pixels = TensorData::new(seeded::uniform("pixels", seed, 2 * 3 * side * side), [2, 3, side, side]);
    let found = numbers(image(Tensor::from_data(pixels, device)));
    let features = values(&expected, &format!("image_features{suffix}"));
    assert_close(&found, &features, RELATIVE * magnitude(&features), "image features");

    let texts = texts(&expected["text_ids"].bytes);
    let ids: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let tokens = text(&ids);
    let [_, longest, embed_dim] = tokens.dims();
    let tokens = numbers(tokens);
    let row = |text: usize, position: usize| &tokens[(text * longest + position) * embed_dim..][..embed_dim];
    let sentences: Vec<f32> = (0..texts.len()).flat_map(|text| row(text, texts[text].len() - 1)).copied().collect();
    let features = values(&expected, &format!("text_features{suffix}"));
    assert_close(&sentences, &features, RELATIVE * magnitude(&features), "text features");

    if suffix.is_empty() {
        let features = values(&expected, "word_features");
        let words: Vec<f32> = (0..texts[0].len()).flat_map(|position| row(0, position)).copied().collect();
        assert_close(&words, &features[..words.len()], RELATIVE * magnitude(&features), "word features");
    }
}

#[test]
fn tiny_towers_equal_transformers() {
    assert_towers(selfcheck::config(), 7, "clip_tiny.safetensors", "", &Device::flex());
}

#[test]
fn exact_gelu_equals_transformers() {
    let config = ClipConfig { activation: Activation::Gelu, ..selfcheck::config() };
    assert_towers(config, 7, "clip_tiny.safetensors", "_gelu", &Device::flex());
}

#[test]
fn vit_b_32_equals_transformers() {
    assert_towers(ClipConfig::vit_b_32(), 11, "clip_vit_b_32.safetensors", "", &Device::flex());
}

#[test]
fn towers_on_wgpu_equal_transformers() {
    let device = software_gpu();
    for _ in 0..3 {
        assert_towers(selfcheck::config(), 7, "clip_tiny.safetensors", "", &device);
    }
}

#[test]
fn both_kinds_of_gpu_kernels_equal_transformers() {
    let device = software_gpu();
    for (activation, suffix) in [(Activation::QuickGelu, ""), (Activation::Gelu, "_gelu")] {
        let config = ClipConfig { activation, ..selfcheck::config() };
        let clip = Clip::load(seeded::checkpoint(config.clone(), 7), &device);
        for adapter in [Adapter::Card, Adapter::Emulated] {
            let encoder = ClipEncoder::on_gpu(&clip, &config.vision, Some(adapter)).expect("widths of whole lines");
            let side = config.vision.image_size;
            assert_encoder(&encoder, side, 7, "clip_tiny.safetensors", suffix, &device);
        }
    }
}

#[test]
fn vit_b_32_by_a_cards_kernels_equals_transformers() {
    let (config, device) = (ClipConfig::vit_b_32(), software_gpu());
    let clip = Clip::load(seeded::checkpoint(config.clone(), 11), &device);
    let encoder = ClipEncoder::on_gpu(&clip, &config.vision, Some(Adapter::Card)).expect("widths of whole lines");
    assert_encoder(&encoder, config.vision.image_size, 11, "clip_vit_b_32.safetensors", "", &device);
}

#[test]
fn weights_that_stay_in_float16_give_the_same_features() {
    let config = selfcheck::config();
    let source = seeded::checkpoint(config.clone(), 7);
    let shards = write_shards(&source, &config, WeightType::F16, None);
    let [shard] = shards.as_slice() else { panic!("a tiny model is one shard") };
    let checkpoint = || Checkpoint::read(read_safetensors(shard).expect("tensors"), config.activation).expect("CLIP");

    let device = Device::flex();
    let pixels = TensorData::new(seeded::uniform("pixels", 7, 2 * 3 * 96 * 96), [2, 3, 96, 96]);
    let ids: &[&[u32]] = &[&[49_406, 320, 1125, 539, 49_407], &[49_406, 2368, 49_407]];
    let [(image, text), (image_f16, text_f16)] = [WeightFormat::Float32, WeightFormat::Stored].map(|form| {
        let encoder = ClipEncoder::load(checkpoint(), &device, form);
        let image = encoder.image_features(Tensor::from_data(pixels.clone(), &device));
        (numbers(image), numbers(encoder.token_features(ids, &device).expect("a text tower")))
    });
    assert_close(&image_f16, &image, 1e-5 * magnitude(&image), "image features");
    assert_close(&text_f16, &text, 1e-5 * magnitude(&text), "text features");
}

#[test]
fn the_self_check_knows_transformers_numbers_and_sees_wrong_ones() {
    let expected = tensors(&fixture("clip_tiny.safetensors"));
    let image = &values(&expected, "image_features")[..32];
    let text = &values(&expected, "text_features")[..32];
    let mut numbers_expected = [image, text].concat();
    assert!(selfcheck::difference(&numbers_expected) < 1e-5);

    let device = Device::flex();
    assert!(selfcheck::difference(&numbers(selfcheck::run(&selfcheck::model(&device), &device))) < 1e-4);

    numbers_expected[40] += 0.1;
    assert!(selfcheck::difference(&numbers_expected) > selfcheck::TOLERANCE);
    numbers_expected[40] = f32::NAN;
    assert!(selfcheck::difference(&numbers_expected) > selfcheck::TOLERANCE);
}

#[test]
fn seeded_numbers_are_the_ones_that_python_draws() {
    // tests/fixtures/seeded.py: uniform("pixels", 7)[:5]
    let expected = [-0.221_353_53, -0.792_330_86, 0.545_709_7, 0.028_764_13, -0.618_666_2];
    assert_close(&seeded::uniform("pixels", 7, 5), &expected, 1e-8, "the first five");
}
