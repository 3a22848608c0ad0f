//! Each call that blocks lets other coroutines run.

use crate::{Said, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder of the command `weir` and its library, in this profile, built if they are not: they are not what cargo
/// builds for the tests of this package.
fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_coop_echo"));
        let folder = program.parent().expect("target/<profile>");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--locked", "--workspace"])
            .arg("--target-dir")
            .arg(folder.parent().expect("target"))
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        // The folder is named after the profile, but for one.
        match folder.file_name() {
            Some(name) if name != "debug" => cargo.arg("--profile").arg(name),
            _ => &mut cargo,
        };
        assert!(cargo.status().expect("cargo runs").success());
        folder.to_owned()
    })
}

fn under_weir(arguments: &[&str]) -> Said {
    let reports = tempfile::tempdir().expect("a folder");
    run(Command::new(built().join("weir"))
        .args(["run", "--"])
        .arg(env!("CARGO_BIN_EXE_coop_echo"))
        .args(arguments)
        .current_dir(&reports))
}

#[test]
fn all_are_served_at_the_same_time() {
    let said = under_weir(&[
        "--connections",
        "500",
        "--messages",
        "4",
        "--pause-ms",
        "500",
    ]);
    assert!(said.well, "{}", said.text);
    said.says("Weir is here");
    said.says("500 of 500 have all their answers");
    assert_eq!(said.number_before(" at the same time"), 500.0);
    assert_eq!(said.number_before(" answers in"), 2000.0);
    // One after the other would take 1000 s.
    let seconds = said.number_before(" s, ");
    assert!((2.0..20.0).contains(&seconds), "{}", said.text);
    // Nobody sleeps as long as a client thinks, for want of the thread.
    assert!(
        said.number_before(" ms late at worst") < 500.0,
        "{}",
        said.text
    );
}

#[test]
fn is_compared() {
    let said = under_weir(&["compare", "--rounds", "1", "--seconds", "0.2"]);
    assert!(said.well, "{}", said.text);
    said.says("coroutines, under Weir");
    said.says("times what epoll without Weir answers");
}
