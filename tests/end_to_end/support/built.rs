//! Weir as the tests run it, those of the examples too: this file is a module of each of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The architecture that is tested, where it is another than this machine's: as Rust names it (`tests/aarch64` says how its
/// programs are started).
pub fn other_target() -> Option<String> {
    std::env::var("WEIR_TEST_TARGET").ok()
}

/// The profile that Weir is tested in; unset: that of the tests. Tests take long to link in the profile that users get.
const PROFILE: &str = "WEIR_TEST_PROFILE";

/// The folder of what was built in the profile that is tested, the command `weir` and its library, after seeing to it that it
/// is up to date: cargo does not build a cdylib for the sake of a test that runs under it.
pub fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of this test");
        let tests = test
            .ancestors()
            .nth(2)
            .expect("tests are in target/<profile>/deps");
        let folder = match std::env::var_os(PROFILE) {
            Some(profile) => tests.with_file_name(profile),
            None => tests.to_owned(),
        };
        let targets = folder.parent().expect("target/<profile>");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--locked", "--workspace"])
            .arg("--target-dir")
            .arg(targets)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        // The folder is named after the profile, but for one.
        match folder.file_name() {
            Some(name) if name != "debug" => cargo.arg("--profile").arg(name),
            _ => &mut cargo,
        };
        let other = other_target();
        if let Some(other) = &other {
            cargo.args(["--target", other]);
        }
        assert!(
            cargo.status().expect("cargo runs").success(),
            "Weir does not build"
        );
        match (other, folder.file_name()) {
            (Some(other), Some(profile)) => targets.join(other).join(profile),
            _ => folder.clone(),
        }
    })
}
