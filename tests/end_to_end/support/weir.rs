//! The library and the command under test, in the same profile as the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::built::{built, other_target};

/// The preloaded library.
pub fn library() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built().join("libweir.so"))
}

/// The command `weir`.
pub fn command() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built().join("weir"))
}

/// The tested architecture, as Rust names it.
pub fn architecture() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let other = other_target();
        let triple = other.as_deref().and_then(|triple| triple.split('-').next());
        triple.unwrap_or(std::env::consts::ARCH).to_owned()
    })
}

/// The C library of the tested programs, at Debian's path.
pub fn c_library() -> PathBuf {
    format!("/lib/{}-linux-gnu/libc.so.6", architecture()).into()
}

/// A tool of the binutils for that architecture.
pub fn binutils(tool: &str) -> Command {
    let prefix = std::env::var("WEIR_TEST_BINUTILS").unwrap_or_default();
    Command::new(prefix + tool)
}
