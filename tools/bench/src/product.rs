//! Building Weir, finding what was built, reading its reports.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use weir_report::model::Report;

/// The report that Weir writes, in the folder of a run.
pub const REPORT: &str = "report.json";

/// The root of the workspace.
pub const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The command and the library.
#[derive(Debug)]
pub struct Product {
    /// The command `weir`.
    pub weir: PathBuf,
    /// The library that it preloads.
    pub library: PathBuf,
}

impl Product {
    /// `weir run` with these options, still without the program's arguments. The report goes into the folder.
    pub fn run(&self, options: &[&str], program: &OsStr, folder: &Path) -> Command {
        let mut command = Command::new(&self.weir);
        command
            .args(["run", "--quiet", "--out"])
            .arg(folder.join(REPORT))
            .args(options)
            .arg("--")
            .arg(program);
        command
    }

    /// Builds the workspace's default members in release mode, and takes what cargo says it made.
    pub fn build() -> Result<Self> {
        let output = Command::new(cargo())
            .args([
                "build",
                "--release",
                "--message-format=json-render-diagnostics",
            ])
            .current_dir(WORKSPACE)
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo; --weir names a weir that is already built")?;
        if !output.status.success() {
            bail!(
                "cargo did not build weir ({}); --weir names one that is already built",
                output.status
            );
        }
        let (weir, library) = artifacts(&String::from_utf8_lossy(&output.stdout));
        Ok(Self {
            weir: weir.context("cargo built no command named weir")?,
            library: library.context("cargo built no libweir.so")?,
        })
    }

    /// The command at `weir`, and the library beside it.
    pub fn at(weir: &Path) -> Result<Self> {
        let weir = weir
            .canonicalize()
            .with_context(|| format!("there is no {}", weir.display()))?;
        let library = weir.with_file_name("libweir.so");
        if !library.is_file() {
            bail!("there is no libweir.so beside {}", weir.display());
        }
        Ok(Self { weir, library })
    }
}

impl Product {
    /// Copies both into a folder, as who installs them does: what the linker has just written takes a third of a millisecond
    /// longer to map (measured with copies between, on ext4).
    pub fn install(&self, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let copy = |file: &Path, name: &str| {
            let to = folder.join(name);
            // A process may still have the copy of an earlier run mapped.
            let _ = std::fs::remove_file(&to);
            std::fs::copy(file, &to)
                .with_context(|| format!("cannot copy {}", file.display()))
                .map(|_| to)
        };
        Ok(Self {
            weir: copy(&self.weir, "weir")?,
            library: copy(&self.library, "libweir.so")?,
        })
    }
}

/// The cargo that this was started by, or else the one on the search path.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The command and the library, from cargo's messages.
fn artifacts(messages: &str) -> (Option<PathBuf>, Option<PathBuf>) {
    let artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact" && message["target"]["name"] == "weir"
        });
    let (mut weir, mut library) = (None, None);
    for artifact in artifacts {
        if let Some(path) = artifact["executable"].as_str() {
            weir = Some(PathBuf::from(path));
        }
        let files = artifact["filenames"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        for file in files.map(Path::new) {
            if file.file_name().is_some_and(|name| name == "libweir.so") {
                library = Some(file.to_path_buf());
            }
        }
    }
    (weir, library)
}

/// The report that a run left in its folder.
pub fn report(folder: &Path) -> Result<Report> {
    let path = folder.join(REPORT);
    let text = std::fs::read(&path).context("weir wrote no report")?;
    serde_json::from_slice(&text).context("weir wrote a report that is not one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_what_it_made() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"weir"},"executable":null,"filenames":["/t/deps/libweir.so","/t/libweir.so"]}
not a message
{"reason":"compiler-artifact","target":{"name":"weir_record"},"executable":null,"filenames":["/t/libweir_record.rlib"]}
{"reason":"compiler-artifact","target":{"name":"weir"},"executable":"/t/weir","filenames":["/t/weir"]}
{"reason":"build-finished","success":true}"#;
        let (weir, library) = artifacts(messages);
        assert_eq!(weir, Some("/t/weir".into()));
        assert_eq!(library, Some("/t/libweir.so".into()));
    }

    #[test]
    fn what_is_installed_is_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("made"), "command").unwrap();
        std::fs::write(file("libmade.so"), "library").unwrap();
        let made = Product {
            weir: file("made"),
            library: file("libmade.so"),
        };
        for _ in 0..2 {
            let installed = made.install(&file("installed")).unwrap();
            assert_eq!(std::fs::read(&installed.weir).unwrap(), b"command");
            assert_eq!(std::fs::read(&installed.library).unwrap(), b"library");
            assert!(Product::at(&installed.weir).is_ok());
        }
    }

    #[test]
    fn what_cargo_did_not_make_is_not_there() {
        assert_eq!(
            artifacts(r#"{"reason":"build-finished","success":true}"#),
            (None, None)
        );
    }
}
