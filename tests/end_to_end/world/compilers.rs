//! The compiler that builds these tests: rustc, which contains jemalloc, and cargo.

use std::fs;
use std::path::{Path, PathBuf};

use super::{World, expect_seen};
use crate::support::Program;

fn tool(name: &str) -> PathBuf {
    Path::new(env!("CARGO")).with_file_name(name)
}

/// Runs the program with folders of its own.
fn at_home(program: Program) -> Program {
    program
        .env("RUSTC", tool("rustc"))
        .env("CARGO", tool("cargo"))
        .env("CARGO_HOME", "home")
        .env("CARGO_TERM_COLOR", "never")
}

#[test]
fn rustc_tells_its_version() {
    World::new(Program::new(tool("rustc")).arg("-vV"))
        .expect_same(|report| expect_seen(report, "rustc"));
}

#[test]
fn cargo_builds_a_crate_and_tests_it() {
    let script = "unset RUSTFLAGS CARGO_TARGET_DIR CARGO_BUILD_TARGET RUSTC_WRAPPER RUSTUP_TOOLCHAIN; \
                  \"$CARGO\" build --offline --quiet && ./target/debug/crate && \
                  \"$CARGO\" test --offline --quiet > tests; grep -c 'test result: ok' tests";
    let program = at_home(Program::new("/bin/sh").args(["-c", script]));
    World::new(program)
        .prepared(|folder| {
            fs::create_dir_all(folder.join("src")).expect("a folder");
            let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
            write(
                "Cargo.toml",
                "[package]\nname = \"crate\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
            );
            write("build.rs", "fn main() { println!(\"cargo:rustc-env=BUILT=yes\"); }\n");
            write(
                "src/main.rs",
                "fn main() {\n    let all = std::thread::spawn(|| (1..=10).map(|n| n * n).sum::<u32>());\n    \
                 println!(\"{} {}\", all.join().unwrap(), env!(\"BUILT\"));\n}\n#[test]\nfn adds() { assert_eq!(1 + 1, 2); }\n",
            );
        })
        .noisy()
        .expect_same(|report| {
            for executable in ["cargo", "rustc", "crate"] {
                expect_seen(report, executable);
            }
        });
}
