//! Regions that a program left behind, and the reports that `weir recover` makes from them.

use std::path::{Path, PathBuf};
use std::process::Command;

use weir_report::model::Report;

use super::finish::succeed;
use super::{scratch, weir};

/// The reports that one run of `weir recover` makes from all regions in a folder, but for those whose images have written one themselves.
///
/// # Errors
/// The messages of `weir recover`, if it did not make a report from each region.
pub fn recover_all(regions: &Path) -> Result<Vec<Report>, String> {
    let count = region_files(regions).len();
    if count == 0 {
        return Ok(Vec::new());
    }
    let folder = scratch();
    let output = Command::new(weir::command())
        .arg("recover")
        .env(weir_record::settings::REGION_DIR.name, regions)
        .current_dir(folder.path())
        .output()
        .expect("weir runs");
    let reports: Vec<PathBuf> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let text = String::from_utf8_lossy(&output.stdout);
    let has_report = |line: &&str| line.contains(" wrote its report when it ");
    let told = text.lines().filter(has_report).count();
    if !output.status.success() || reports.len() + told != count {
        return Err(format!(
            "weir recover, of {count} regions: {}: {}{}",
            output.status,
            text,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let read = |report: &PathBuf| {
        weir_report::read::load(report).map_err(|error| format!("{}: {error}", report.display()))
    };
    reports.iter().map(read).collect()
}

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

/// The report that `weir recover` makes from a region.
#[track_caller]
pub fn recover(region: &Path) -> Report {
    let folder = scratch();
    let report = folder.path().join("recovered.json");
    let mut command = Command::new(weir::command());
    command.args(["recover", "--out"]).args([&report, region]);
    succeed(&mut command, b"");
    weir_report::read::load(&report).expect("a report")
}
