//! Tells the command where the library is that it brings with it.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let library = out.join("libweir.so");
    std::fs::write(&library, []).expect("OUT_DIR can be written to");
    println!("cargo::rustc-env=WEIR_LIBRARY={}", library.display());
}
