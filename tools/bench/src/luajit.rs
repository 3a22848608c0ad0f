//! The sources of LuaJIT, a C project to build. Cargo fetches a package with them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::succeed;
use crate::product::{WORKSPACE, cargo};

const PACKAGE: &str = "luajit-src";

/// Copies the sources to a folder that is not there yet.
pub fn unpack(folder: &Path) -> Result<()> {
    let metadata = succeed(
        Command::new(cargo())
            .args(["metadata", "--format-version=1", "--locked"])
            .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
            .current_dir(WORKSPACE),
    )?;
    let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
    let packages = metadata["packages"].as_array();
    let manifest = packages
        .and_then(|all| all.iter().find(|package| package["name"] == PACKAGE))
        .and_then(|package| package["manifest_path"].as_str())
        .and_then(|manifest| Path::new(manifest).parent());
    let package = manifest.with_context(|| format!("cargo knows of no package {PACKAGE}"))?;
    succeed(
        Command::new("cp")
            .args(["-R", "--no-preserve=mode"])
            .arg(package.join("luajit2"))
            .arg(folder),
    )?;
    // The version, which the authors' archives have in this file.
    fs::copy(package.join("luajit_relver.txt"), folder.join(".relver"))?;
    Ok(())
}
