//! Victims: programs and shared libraries in C, a few in C++, compiled at their first use.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

use super::finish::succeed;

/// What compiles a 32-bit program. Debian's gcc-multilib would make the kernel's headers known to it, but conflicts with
/// the compiler for AArch64.
pub const NARROW_COMPILER: [&str; 4] =
    ["gcc", "-m32", "-idirafter", "/usr/include/x86_64-linux-gnu"];

/// The folder for this run's compiled victims.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    extern "C" fn remove() {
        if let Some(folder) = FOLDER.get() {
            // If the folder cannot be removed, there is no way to report that here.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
    FOLDER.get_or_init(|| {
        let folder = TempDir::with_prefix("weir-victims-").expect("a folder for victims");
        // SAFETY: `remove` has the type that atexit requires, and uses only a static.
        unsafe { libc::atexit(remove) };
        folder.keep()
    })
}

/// The victim of this name in `tests/programs`, compiled with the flags of its first line. There, `@name` stands for
/// another compiled victim: a library to link.
pub fn victim(name: &str) -> PathBuf {
    static COMPILED: OnceLock<Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>> = OnceLock::new();
    let compiled = {
        let mut all = COMPILED
            .get_or_init(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.entry(name.to_owned()).or_default().clone()
    };
    compiled.get_or_init(|| compile(name)).clone()
}

/// The C compiler for the tested architecture.
fn compiler() -> String {
    std::env::var("WEIR_TEST_CC").unwrap_or_else(|_| "gcc".to_owned())
}

fn compile(name: &str) -> PathBuf {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    // The compiler knows the language by the file's name.
    let (source, standard) = match programs.join(name).with_extension("cpp") {
        source if source.exists() => (source, "-std=gnu++17"),
        source => (source.with_extension("c"), "-std=gnu11"),
    };
    let text = std::fs::read_to_string(&source).expect("a victim's source");
    let flags = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("// flags:"))
        .unwrap_or_else(|| panic!("{name}.c does not begin with // flags:"));
    let suffix = if flags.contains("-shared") { ".so" } else { "" };
    let target = folder().join(format!("{name}{suffix}"));
    let mut gcc = Command::new(compiler());
    gcc.args([standard, "-g", "-o"]).arg(&target).arg(&source);
    for flag in flags.split_whitespace() {
        match flag.strip_prefix('@') {
            Some(library) => gcc.arg(victim(library)),
            None => gcc.arg(flag),
        };
    }
    succeed(&mut gcc, b"");
    target
}
