//! What several tests share: files to read, servers to talk to, ways to run the program and to compare numbers.

pub mod archives;
pub mod compare;
pub mod data_folder;
pub mod device;
pub mod fake_hub;
pub mod fixtures;
pub mod image_bytes;
pub mod image_folder;
pub mod program;
pub mod score_server;
