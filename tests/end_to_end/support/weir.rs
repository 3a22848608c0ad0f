//! The library and the command under test, in the same profile as the tests.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::built::built;

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
