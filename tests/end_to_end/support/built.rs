//! Weir in the build that the tests run. The examples' tests include this file as a module, too.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The tested architecture, as Rust names it, if it is not this machine's. (`tests/aarch64` says how its programs are
/// started.)
pub fn other_target() -> Option<String> {
    std::env::var("WEIR_TEST_TARGET").ok()
}

/// The variable with the profile of Weir that is tested. If it is unset, that is the tests' own profile: in the
/// users' profile, linking takes long.
const PROFILE: &str = "WEIR_TEST_PROFILE";

/// The variable with the folder of a finished build. A machine without cargo needs it (`tests/aarch64-kernel`).
const BUILT: &str = "WEIR_TEST_BUILT";

/// The folder with the tested build: the command `weir` and its library. Brings the build up to date first, because
/// cargo does not build a cdylib for a test that only runs under it.
pub fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os(BUILT) {
            return folder.into();
        }
        let test = std::env::current_exe().expect("the path of this test");
        let tests = test
            .ancestors()
            .nth(2)
            .expect("tests are in target/<profile>/deps");
        let profile = std::env::var_os(PROFILE);
        let folder = match &profile {
            Some(profile) => tests.with_file_name(profile),
            None => tests.to_owned(),
        };
        let targets = folder.parent().expect("target/<profile>");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--locked"])
            .arg("--target-dir")
            .arg(targets)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        // In the tests' profile, dependencies have the features that the tests need, too: cargo compiles them once. In
        // another, there is what users build.
        match profile {
            Some(_) => cargo.args(["--package", "weir-preload", "--package", "weir"]),
            None => cargo.arg("--workspace"),
        };
        // The folder has the name of the profile, except for one profile.
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
