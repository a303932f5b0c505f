//! Tests of the whole workspace, in one binary: each further binary would link burn once more.

#![recursion_limit = "256"]

// Reference scores, shared with the tests in a browser.
mod parity;
mod support;

// The model. The references of its tests were computed by PyTorch, transformers, open_clip, Pillow and SciPy.
/// Decoding of image files of all kinds, and of damaged ones.
mod decoding;
/// Kernels for GPUs, compared with arithmetic in float64.
mod gpu;
/// The notes on images that a score says little about.
mod image_notes;
/// Complete scores with every option on every device, compared with an implementation in PyTorch.
mod scores;
/// Token ids of texts, compared with open_clip.
mod tokens;
/// CLIP's towers, compared with transformers.
mod towers;
/// Gradients, AdamW steps and learning rates, compared with PyTorch.
mod training;
/// Views of images, compared with Pillow and torch.
mod views;

// Weights: files, bundles and hubs.
/// The agreement of the built-in weights with a data set that they were not trained on.
mod built_in_weights;
/// Model bundles: export, import and damaged ones.
mod bundles;
/// Checkpoint files in every format, and damaged ones.
mod checkpoints;
/// Downloads of models by name, from a hub on this machine.
mod hub;
/// Models by name, on the command line.
mod hub_cli;

// Data sets.
/// The batches that training and evaluation read from cached images.
mod batches;
/// Tables of opinion scores in every layout, and wrong ones.
mod datasets;
/// The cache of decoded images on disk.
mod image_cache;
/// Correlations and their confidence intervals, compared with SciPy.
mod metrics;
/// Work on other threads: prefetching and jobs that fail.
mod parallel_work;
/// Data sets whose images are inside Parquet files, in training, evaluation and reproduction.
mod parquet_data_sets;
/// Splits of data sets: drawing.
mod split_drawing;
/// Splits of data sets: writing, reading and checking their lists.
mod splits;

/// Parsers of untrusted bytes, with many damaged inputs.
mod fuzz;

// The command line.
/// Flags, help, errors and exit codes.
mod cli;
/// `trainer evaluate`.
mod evaluate_command;
/// The report that `trainer evaluate` writes.
mod evaluation_report;
/// `trainer score --gallery`.
mod gallery;
/// `trainer synth`, `train`, `export` and `score` in a row, with training killed and resumed.
mod pipeline;
/// `trainer reproduce`: the paper's tables and figures, and runs that are killed or fail.
mod reproduce;
/// `trainer score`: each kind of input, prompts beside images, and refused arguments.
mod score_inputs;
/// `trainer score`: order, formats and columns of the output, errors of images, and kept features.
mod score_output;
/// `trainer score`: runs that are killed and resumed.
mod score_resume;
/// `trainer score --stream`: a filter between two pipes.
mod score_stream;
/// `trainer score --from`: tables of images.
mod score_tables;
/// `trainer score`: tar files of images.
mod score_tar_files;
/// `trainer synth`: a synthetic data set.
mod synth;

// The server.
/// `trainer serve`: scores, flags, and what it refuses to start with.
mod serve;
/// `trainer serve`: many clients, slow clients, clients that disconnect, and shutdown.
mod serve_load;
/// `trainer serve`: each answer that its OpenAPI document describes.
mod serve_openapi;
/// `trainer serve`: the page's files.
mod serve_pages;
