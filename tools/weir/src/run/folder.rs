//! A report of every process image, in a directory.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use weir_report::model::{Process, Report};
use weir_report::{emit, recording};

use crate::cli::RunArgs;
use crate::failure::Failure;

/// The directory.
#[derive(Debug)]
pub struct Folder(PathBuf);

/// What the options say of where reports go: the file of the one for the tree, and the directory for one of each
/// image.
pub fn asked(args: &RunArgs) -> (Option<&Path>, Option<&Path>) {
    let is_directory =
        |path: &Path| path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
    match (args.out.as_deref(), args.out_dir.as_deref()) {
        (Some(out), None) if is_directory(out) => (None, Some(out)),
        both => both,
    }
}

impl Folder {
    /// Makes the directory, where it is missing; whether it can be written to is found out now.
    ///
    /// # Errors
    /// Those of the system.
    pub fn make(path: &Path) -> Result<Folder, Failure> {
        let made = fs::create_dir_all(path)
            // A link that leads nowhere is there, too: what it leads to is what is wrong.
            .map_err(|error| fs::metadata(path).err().unwrap_or(error))
            .and_then(|()| Ok(access(path, Access::WRITE_OK | Access::EXEC_OK)?));
        match made {
            Ok(()) => Ok(Folder(path.to_owned())),
            Err(error) => Err(Failure::of_file("write to", path, error)),
        }
    }

    /// Writes a report of each image: `<executable>.<pid>.<number>.json`, the images of a process being numbered
    /// in their order. Images that share an entry share a report: `<executable>.together.<number>.json`.
    ///
    /// # Errors
    /// Those of the system; then the rest is not written.
    pub fn write(&self, report: &Report) -> Result<(), Failure> {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        for process in &report.processes {
            let who = match process.folded {
                Some(_) => format!("{}.together", executable(process)),
                None => process.pid.to_string(),
            };
            let number = numbers.entry(who).or_default();
            *number += 1;
            let path = self.0.join(name(process, *number));
            let (end, duration_ns) = (process.end.clone(), process.duration_ns);
            let own = recording::report(vec![process.clone()], end, duration_ns);
            emit::create_new(&path, &emit::to_json(&own))
                .map_err(|error| Failure::of_file("write", &path, error.into()))?;
        }
        Ok(())
    }
}

fn name(process: &Process, number: u32) -> String {
    let executable = executable(process);
    match process.folded {
        Some(_) => format!("{executable}.together.{number}.json"),
        None => format!("{executable}.{}.{number}.json", process.pid),
    }
}

fn executable(process: &Process) -> String {
    let executable = Path::new(&process.executable).file_name();
    executable.map_or("program".to_owned(), |name| {
        name.to_string_lossy().into_owned()
    })
}
