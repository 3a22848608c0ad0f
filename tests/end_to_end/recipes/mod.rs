//! docs/recipes.md and examples/recipes: the commands do what the page says, and what breaks a budget fails.
//!
//! ```text
//! page         the sections of the page, their commands, and the files that it shows
//! cargo_test   a runner for cargo's tests
//! ctest        a launcher for CMake's tests
//! ci           the shell lines of two CI jobs
//! pytest       limits of single tests in Python
//! service      a service under systemd
//! docker       a container
//! ```

mod cargo_test;
mod ci;
mod ctest;
mod docker;
mod page;
mod pytest;
mod service;

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{finish, scratch, weir};

/// The folder of all recipes.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/recipes")
}

/// A copy of a recipe's files.
struct Recipe {
    folder: TempDir,
}

impl Recipe {
    /// Copies the files of a folder of `examples/recipes`.
    fn new(name: &str) -> Recipe {
        let folder = scratch();
        let status = Command::new("cp")
            .arg("-r")
            .arg(examples().join(name).join("."))
            .arg(folder.path())
            .status();
        assert!(status.expect("started").success(), "{name}");
        Recipe { folder }
    }

    /// The path of a file.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a text in a file, where it stands once.
    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.file(file);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(text.matches(from).count(), 1, "{from} in {file}");
        std::fs::write(path, text.replace(from, to)).expect("written");
    }

    /// Has a shell execute lines there, with `weir` in its PATH, until one fails. The exit code, and what it printed.
    fn shell(&self, lines: &str) -> (Option<i32>, String) {
        let tools = weir::command().parent().expect("a folder").display();
        let path = std::env::var("PATH").expect("a PATH");
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-euc", lines])
            .current_dir(self.folder.path())
            .env("PATH", format!("{tools}:{path}"));
        // What cargo sets for its tests is not for the cargo of a recipe.
        for (name, _) in std::env::vars_os() {
            let is_cargo_s = name.to_string_lossy().starts_with("CARGO_TARGET");
            if is_cargo_s {
                shell.env_remove(name);
            }
        }
        let (status, stdout, stderr) = finish(&mut shell, b"");
        let printed = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        (status.code(), printed)
    }

    /// The same, which must succeed.
    fn succeeds(&self, lines: &str) -> String {
        let (code, printed) = self.shell(lines);
        assert_eq!(code, Some(0), "{lines}\n{printed}");
        printed
    }
}
