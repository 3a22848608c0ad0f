//! Where the report goes.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
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
            check(path).map_err(|error| Failure::of_file("write", path, &error))?;
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
                emit::replace(file, &json)
                    .map_err(|error| Failure::of_file("write", file, &error))?;
                file.clone()
            }
            None => {
                let name = self.directory.join(&self.name);
                emit::create_new(&name, &json)
                    .map_err(|error| Failure::of_file("write", &name, &error))?
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
        emit::create_new(&path, &json)
            .or_else(|_| emit::create_new(&Path::new("/tmp").join(&self.name), &json))
    }
}

/// Whether a file can be written, or made.
fn check(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => OpenOptions::new().write(true).open(path).map(drop),
        // It is replaced, so the directory is what matters.
        _ => {
            let directory = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            if path.file_name().is_none() {
                return Err(io::ErrorKind::NotFound.into());
            }
            Ok(access(directory, Access::WRITE_OK | Access::EXEC_OK)?)
        }
    }
}
