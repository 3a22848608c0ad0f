//! Regions that a program left behind, and the reports that `weir recover` makes of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use weir_report::model::Report;

use super::{scratch, weir};

/// The region files in a folder.
pub fn region_files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .expect("a folder of regions")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "region")
        })
        .collect()
}

/// The report that `weir recover` makes of a region.
#[track_caller]
pub fn recover(region: &Path) -> Report {
    let folder = scratch();
    let report = folder.path().join("recovered.json");
    let output = Command::new(weir::command())
        .args(["recover", "--out"])
        .args([&report, region])
        .output()
        .expect("weir runs");
    assert!(
        output.status.success(),
        "weir recover {}: {}: {}",
        region.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    weir_report::read::load(&report).expect("a report")
}
