//! Fuzz targets for parsers of untrusted bytes.
//!
//! A target changes valid inputs at random places and parses them. The inputs of a normal run are the same each time, since
//! their seeds are fixed. `make fuzz` continues with other seeds for a given time. No input may cause a panic, take more than
//! 10 seconds, or make its process take more address space than its target states. Inputs that did are in [`found`].

mod containers;
mod found;
mod images;
mod model_folders;
mod models;
mod mutate;
mod requests;
mod streams;
mod tables;
mod target;
mod texts;

use std::rc::Rc;

use crate::support::score_server::Server;
use model_folders::ModelFolders;
use tables::SplitFolder;
use target::Target;

/// For parsers that do not decode pixels: the program itself, and buffers of inputs below 1 MiB.
const SMALL_MIB: u64 = 2 << 10;
/// For decoders of images. A decoder may allocate 2 GiB, for 16,384 × 16,384 pixels with four 16-bit channels. The copy of these
/// in 8-bit RGB takes 0.75 GiB. The rest is for buffers that double when they grow.
const IMAGES_MIB: u64 = 6 << 10;

#[test]
fn image_pixels() {
    Target { name: "image_pixels", inputs: 600, memory_mib: IMAGES_MIB }.run(|| {
        let files = images::files();
        (move |u| images::changed_file(u, &files), |_, bytes| images::decode_and_cut(bytes))
    });
}

#[test]
fn image_metadata() {
    Target { name: "image_metadata", inputs: 10_000, memory_mib: IMAGES_MIB }.run(|| {
        let files = images::files_with_metadata();
        (move |u| images::changed_file(u, &files), images::find_prompt)
    });
}

#[test]
fn prompts_in_metadata() {
    Target { name: "prompts_in_metadata", inputs: 10_000, memory_mib: IMAGES_MIB }
        .run(|| (images::file_with_changed_text, images::find_prompt));
}

#[test]
fn bundles() {
    Target { name: "bundles", inputs: 3000, memory_mib: SMALL_MIB }.run(|| {
        let bundles = models::bundles();
        (move |u| models::changed_bundle(u, &bundles), models::load_bundle)
    });
}

#[test]
fn safetensors_files() {
    Target { name: "safetensors_files", inputs: 5000, memory_mib: SMALL_MIB }.run(|| {
        let files = models::safetensors_files();
        (move |u| models::changed_safetensors(u, &files), models::open_weights)
    });
}

#[test]
fn pytorch_files() {
    Target { name: "pytorch_files", inputs: 3000, memory_mib: SMALL_MIB }.run(|| {
        let files = models::pytorch_files();
        (move |u| models::changed_pytorch(u, &files), models::open_weights)
    });
}

#[test]
fn folders_of_models() {
    Target { name: "folders_of_models", inputs: 1000, memory_mib: SMALL_MIB }.run(|| {
        let folders = Rc::new(ModelFolders::new());
        let changed = folders.clone();
        (move |u| changed.changed(u), move |path, bytes| folders.open_with(path, bytes))
    });
}

#[test]
fn tables_of_images() {
    Target { name: "tables_of_images", inputs: 5000, memory_mib: SMALL_MIB }.run(|| {
        let tables = tables::image_tables();
        (move |u| tables::changed(u, &tables), tables::read_images)
    });
}

#[test]
fn tables_of_opinions() {
    Target { name: "tables_of_opinions", inputs: 5000, memory_mib: SMALL_MIB }.run(|| {
        let tables = tables::opinion_tables();
        (move |u| tables::changed(u, &tables), tables::read_opinions)
    });
}

#[test]
fn lists_of_splits() {
    Target { name: "lists_of_splits", inputs: 2000, memory_mib: SMALL_MIB }.run(|| {
        let (folder, lists) = (SplitFolder::new(), tables::lists());
        (move |u| tables::changed(u, &lists), move |_, bytes| folder.read(bytes))
    });
}

#[test]
fn tar_files() {
    Target { name: "tar_files", inputs: 5000, memory_mib: SMALL_MIB }.run(|| {
        let tar = streams::tar_file();
        (move |u| streams::changed_tar(u, &tar), streams::read_tar)
    });
}

#[test]
fn arrow_streams() {
    Target { name: "arrow_streams", inputs: 10_000, memory_mib: SMALL_MIB }.run(|| {
        let streams = streams::arrow_streams();
        (move |u| streams::changed_stream(u, &streams), streams::read_stream)
    });
}

#[test]
fn http_requests() {
    Target { name: "http_requests", inputs: 5000, memory_mib: IMAGES_MIB }.run(|| {
        let server = Server::start(&["--idle", "2", "--threads", "2"]);
        let requests = requests::requests();
        (move |u| requests::changed(u, &requests), move |_, bytes| requests::send(&server, bytes))
    });
}
