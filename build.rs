//! The preloaded library stays loaded until the process ends: its handlers of exit, fork and thread exit
//! must not be left pointing at nothing by a dlclose.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
