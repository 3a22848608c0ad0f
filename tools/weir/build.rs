//! Tells the command where cargo puts the library that it brings with it.
//!
//! The library is a dependency, so it is there when the command is compiled, but perhaps not yet when this
//! script runs: `include_bytes!` is what reads it and what has cargo watch it.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // OUT_DIR is <profile>/build/<package>/out.
    let profile = out.ancestors().nth(3).unwrap_or(Path::new(""));
    let library = profile.join("deps/libweir.so");
    // `cargo check` and clippy build no library, but read the one that is there: an empty one will do. Where
    // there is one it stays; where one is built it takes this one's place, and the command is compiled again.
    let _ = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&library);
    println!("cargo::rustc-env=WEIR_LIBRARY={}", library.display());
}
