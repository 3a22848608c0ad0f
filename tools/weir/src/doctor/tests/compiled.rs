//! Programs made by the C compilers that the tests need.

use std::path::{Path, PathBuf};
use std::process::Command;

pub const HELLO: &str = "int main(void) { return 0; }\n";

/// A program that has a malloc of its own and lets others find it.
pub const OWN_MALLOC: &str = "
    #include <stddef.h>
    static char heap[65536];
    static size_t used;
    void *malloc(size_t size) { void *block = heap + used; used += (size + 15) & ~15ul; return block; }
    void free(void *block) { (void)block; }
    int main(void) { return malloc(10) == NULL; }
";

/// Compiles C with a compiler, which is in a package of this name.
pub fn compile(
    directory: &Path,
    source: &str,
    compiler: &str,
    arguments: &[&str],
    package: &str,
) -> PathBuf {
    let source_path = directory.join("source.c");
    std::fs::write(&source_path, source).expect("written");
    let program = directory.join("program");
    let output = Command::new(compiler)
        .args(arguments)
        .arg("-o")
        .arg(&program)
        .arg(&source_path)
        .output()
        .unwrap_or_else(|error| {
            panic!("cannot start {compiler} ({error}): install the package {package}")
        });
    assert!(
        output.status.success(),
        "{compiler} {arguments:?} failed; is the package {package} installed?\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    program
}

/// Compiles C for this machine.
pub fn cc(directory: &Path, source: &str, arguments: &[&str]) -> PathBuf {
    compile(directory, source, "cc", arguments, "gcc")
}
