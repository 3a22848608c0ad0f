//! Gives the command the path of the library that it embeds, and its own version.
//!
//! The library is a dependency, so it is there when the command is compiled, but perhaps not yet when this
//! script runs: `include_bytes!` is what reads it and what has cargo watch it.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    bring_the_library();
    tell_the_version();
    link_the_unwinder();
    order_the_functions();
}

fn bring_the_library() {
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

/// The version, and the commit where this is a working copy of Weir's repository. A package has no repository, or lies in
/// that of another project; there the version has to do.
fn tell_the_version() {
    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo sets CARGO_PKG_VERSION");
    let own = git(&["rev-parse", "--show-prefix"]).is_some_and(|prefix| prefix == "tools/weir/");
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).filter(|_| own);
    let Some(commit) = commit else {
        println!("cargo::rustc-env=WEIR_VERSION={version}");
        return;
    };
    println!("cargo::rustc-env=WEIR_VERSION={version} ({commit})");
    // The files that change with the commit of HEAD. The log always does; it is missing only if git is configured so. A
    // missing file must not be named: cargo would run this script each time.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let files = ["HEAD", "logs/HEAD", "packed-refs"].map(str::to_owned);
    for file in files.into_iter().chain(branch) {
        let path = git(&["rev-parse", "--path-format=absolute", "--git-path", &file]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// What git says in the package's folder, without the line's end; none where it fails, or is not installed.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

/// Makes the unwinder a part of the command, where the compiler has it as an archive: to load it as a library, which asks the
/// processor for all its features, takes a tenth of a millisecond, and `weir run` is to cost a program little more.
fn link_the_unwinder() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    if variable("TARGET") != variable("HOST") || variable("CARGO_CFG_TARGET_ENV") != "gnu" {
        return;
    }
    let asked = Command::new("cc")
        .arg("-print-file-name=libgcc_eh.a")
        .output();
    let answer = asked.map(|output| output.stdout).unwrap_or_default();
    let answer = String::from_utf8_lossy(&answer);
    // Where there is none, the answer is the bare name.
    let directory = Path::new(answer.trim()).parent();
    if let Some(directory) = directory.filter(|directory| directory.is_absolute()) {
        println!("cargo::rustc-link-search=native={}", directory.display());
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Has the linker put together what `weir run` executes (run-order.ld says why). Not if the builder has chosen a linker,
/// or gives it options: some linkers do not read such a script.
fn order_the_functions() {
    println!("cargo::rerun-if-changed=run-order.ld");
    let variable = |name| std::env::var(name).unwrap_or_default();
    let is_chosen = std::env::var_os("RUSTC_LINKER").is_some()
        || variable("CARGO_ENCODED_RUSTFLAGS").contains("link");
    if is_chosen || variable("CARGO_CFG_TARGET_ENV") != "gnu" {
        return;
    }
    let folder = variable("CARGO_MANIFEST_DIR");
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/run-order.ld");
    println!("cargo::rustc-env=WEIR_RUN_ORDER=asked");
}
