//! The place of the report.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use weir_report::emit;
use weir_report::model::Report;

use crate::failure::Failure;

/// The file that the report is written to, once or again and again.
#[derive(Debug)]
pub struct Destination {
    /// A file to replace: the one that was asked for, or the one that was made before.
    file: Option<PathBuf>,
    /// The directory for a file to make; empty for the working directory.
    directory: PathBuf,
    /// The name for a file to make.
    name: OsString,
}

impl Destination {
    /// The file that was asked for; whether it can be written is found out now, not when it is
    /// too late.
    pub fn asked(out: Option<&Path>, directory: Option<&Path>) -> Result<Destination, Failure> {
        if let Some(path) = out {
            emit::may_replace(path)
                .map_err(|error| Failure::of_file("write", path, error.into()))?;
        }
        Ok(Destination {
            file: out.map(Path::to_owned),
            directory: directory.map(Path::to_owned).unwrap_or_default(),
            name: OsString::new(),
        })
    }

    /// Names the file after the program, where no other was asked for.
    pub fn name_after(&mut self, program: &OsStr, pid: u32) {
        self.name = OsString::from("weir.");
        self.name
            .push(Path::new(program).file_name().unwrap_or(program));
        self.name.push(format!(".{pid}.json"));
    }

    /// Writes the report, in place of the one before. Returns where it is.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write(&mut self, report: &Report) -> Result<&Path, Failure> {
        let json = emit::to_json(report);
        let file = match &self.file {
            Some(file) => {
                replace(file, &json)
                    .map_err(|error| Failure::of_file("write", file, error.into()))?;
                file.clone()
            }
            None => {
                let name = self.directory.join(&self.name);
                emit::create_new(&name, &json)
                    .map_err(|error| Failure::of_file("write", &name, error.into()))?
            }
        };
        Ok(self.file.insert(file))
    }

    /// Writes the report where temporary files go, because it could not be written where it should.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write_elsewhere(&self, report: &Report) -> io::Result<PathBuf> {
        let json = emit::to_json(report);
        let path = std::env::temp_dir().join(&self.name);
        let made = emit::create_new(&path, &json)
            .or_else(|_| emit::create_new(&Path::new("/tmp").join(&self.name), &json))?;
        Ok(made)
    }
}

/// Replaces a file. If it is a pipe, waits a moment for its reader.
fn replace(file: &Path, json: &[u8]) -> Result<(), Errno> {
    const STEP: Duration = Duration::from_millis(10);
    for _ in 0..200 {
        match emit::replace(file, json) {
            Err(Errno::NXIO) => std::thread::sleep(STEP),
            replaced => return replaced,
        }
    }
    Err(Errno::NXIO)
}
