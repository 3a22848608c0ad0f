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
    link_statically();
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

/// Makes the C library and the unwinder a part of the command, where the compiler has archives of both: to load libraries and
/// to bind to them takes longer than all else that `weir run` does before it starts the program. And at a fixed address, so that
/// its 3,800 addresses in tables need no relocation at each start. Nothing is done if the builder has chosen a linker, or gives it
/// options.
fn link_statically() {
    // What the compiler asks for, and the archive that it gets.
    const ARCHIVES: [(&str, &str); 7] = [
        ("c", "c"),
        ("m", "m"),
        ("pthread", "pthread"),
        ("rt", "rt"),
        ("util", "util"),
        ("dl", "dl"),
        ("gcc_s", "gcc_eh"),
    ];
    let variable = |name| std::env::var(name).unwrap_or_default();
    if is_linker_chosen() || variable("TARGET") != variable("HOST") {
        return;
    }
    // The compiler asks for libraries that may be shared. In this directory it finds the archives first.
    let directory = PathBuf::from(variable("OUT_DIR")).join("archives");
    let made = std::fs::create_dir_all(&directory).is_ok()
        && compiler_s("crt1.o").is_some()
        && ARCHIVES.iter().all(|(asked, given)| {
            let link = directory.join(format!("lib{asked}.a"));
            let _ = std::fs::remove_file(&link);
            compiler_s(&format!("lib{given}.a"))
                .is_some_and(|archive| std::os::unix::fs::symlink(archive, link).is_ok())
        });
    if made {
        println!("cargo::rustc-link-arg-bins=-L{}", directory.display());
        println!("cargo::rustc-link-arg-bins=-static");
        println!("cargo::rustc-link-arg-bins=-no-pie");
        println!("cargo::rustc-env=WEIR_LINKED_STATICALLY=yes");
    }
}

/// Where the compiler has one of its own files, or the C library's; none if it has it not.
fn compiler_s(file: &str) -> Option<PathBuf> {
    let asked = Command::new("cc")
        .arg(format!("-print-file-name={file}"))
        .output()
        .ok()?;
    let answer = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim());
    // Where there is none, the answer is the bare name.
    answer.is_absolute().then_some(answer)
}

/// Whether the builder has chosen a linker or gives it options, or the C library is another: what we ask of a linker may
/// not be for it.
fn is_linker_chosen() -> bool {
    let variable = |name| std::env::var(name).unwrap_or_default();
    std::env::var_os("RUSTC_LINKER").is_some()
        || variable("CARGO_ENCODED_RUSTFLAGS").contains("link")
        || variable("CARGO_CFG_TARGET_ENV") != "gnu"
}

/// Has the linker put together what `weir run` executes (run-order.ld says why).
fn order_the_functions() {
    println!("cargo::rerun-if-changed=run-order.ld");
    if is_linker_chosen() {
        return;
    }
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/run-order.ld");
    println!("cargo::rustc-env=WEIR_RUN_ORDER=asked");
}
