//! `tools/python`: pandas tables of reports.
//!
//! The tests of the package are in Python, beside it. They make reports of real programs, compare each table with what `weir export`
//! writes, and run the code of docs/python.md. Here they test what pip has installed, not the sources.

use std::path::Path;
use std::process::Command;

use crate::support::{scratch, succeed, weir};

/// Debian's, with its pandas and matplotlib.
const PYTHON: &str = "/usr/bin/python3";

#[test]
fn the_installed_package_passes_its_tests() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/python");
    let folder = scratch();
    let of_folder = |name: &str| folder.path().join(name);
    // pip builds in the folder of the sources.
    succeed(
        Command::new("cp")
            .arg("-r")
            .args([&sources, &of_folder("source")]),
        b"",
    );
    succeed(
        Command::new(PYTHON)
            .args(["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"])
            .args(["--no-build-isolation", "--target"])
            .args([of_folder("installed"), of_folder("source")])
            .env("PIP_ROOT_USER_ACTION", "ignore"),
        b"",
    );
    let tools = weir::command().parent().expect("a folder").display();
    let path = std::env::var("PATH").expect("a PATH");
    let printed = succeed(
        Command::new(PYTHON)
            .args(["-m", "pytest", "-p", "no:cacheprovider", "--rootdir"])
            .arg(folder.path())
            .arg(format!("--basetemp={}", of_folder("tests").display()))
            .arg(sources.join("tests"))
            .current_dir(folder.path())
            .env("PATH", format!("{tools}:{path}"))
            .env("PYTHONPATH", of_folder("installed"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // Where matplotlib keeps what it finds out about fonts.
            .env("MPLCONFIGDIR", of_folder("matplotlib")),
        b"",
    );
    assert!(printed.contains(" passed in "), "{printed}");
    assert!(!printed.contains("skipped"), "{printed}");
}
