//! Runs the program and the tests' own binary, and reads what they print.

use std::env::consts::EXE_EXTENSION;
use std::process::{Command, Output};

use serde_json::Value;
use tsp_mgs_trainer::data::failpoint::EXIT_CODE;

/// A command for the binary, which `make test-native` builds beside this test.
pub fn trainer() -> Command {
    let tests = std::env::current_exe().expect("a running program has a path");
    let binary =
        tests.ancestors().nth(2).expect("target/PROFILE/deps/tests").join("trainer").with_extension(EXE_EXTENSION);
    assert!(binary.is_file(), "{} is missing: build it with `cargo build --release`", binary.display());
    Command::new(binary)
}

/// Runs a command and asserts its exit code.
#[track_caller]
pub fn run(command: &mut Command, code: i32) -> Output {
    let output = command.output().expect("the trainer runs");
    assert_eq!(output.status.code(), Some(code), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Runs a command that ends at a [failpoint](tsp_mgs_trainer::data::failpoint).
#[track_caller]
pub fn end_at(command: &mut Command, point: &str) {
    run(command.env("TSP_MGS_FAILPOINT", point), EXIT_CODE);
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn json_lines(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).expect("results are Unicode");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

/// Runs an ignored test in a separate process, since a [counter](tsp_mgs_core::work::Counter) counts all work of its process.
pub fn assert_passes_alone(test: &str) {
    let this = std::env::current_exe().expect("a running program has a path");
    let output =
        Command::new(this).args(["--exact", test, "--ignored", "--nocapture"]).output().expect("the tests run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
