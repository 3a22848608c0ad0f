//! A C project, built as its authors build it: LuaJIT, with its own Makefile. The build compiles programs that
//! generate sources, runs them, and compiles those sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Program;

/// Copies the sources into a folder.
pub fn unpack(folder: &Path) {
    let package = package();
    let copied = Command::new("cp")
        .args(["-R", "--no-preserve=mode,timestamps"])
        .arg(package.join("luajit2/."))
        .arg(folder)
        .status()
        .expect("cp runs");
    assert!(copied.success(), "the sources cannot be copied");
    // The version. In the authors' archives, this file contains it.
    std::fs::copy(package.join("luajit_relver.txt"), folder.join(".relver")).expect("a file");
}

/// The build without the shared library, which would compile everything twice. The compilers do not optimise: that takes half of
/// the time, and no process or file more.
pub fn make() -> Program {
    Program::new("/usr/bin/make")
        .args(["-j2", "BUILDMODE=static", "CCOPT=-O0"])
        .env("PATH", "/usr/bin:/bin")
}

/// The folder of the package that contains the sources. cargo has fetched it.
fn package() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages
        .iter()
        .find(|package| package["name"] == "luajit-src")
        .expect("a dependency of the tests");
    let manifest = package["manifest_path"].as_str().expect("a path");
    Path::new(manifest)
        .parent()
        .expect("it is in a folder")
        .to_owned()
}
