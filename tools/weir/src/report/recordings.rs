//! Which recordings reports are of.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use weir_report::model::Report;

use crate::exit_code;
use crate::failure::Failure;

/// A process image: no two have the same number and the same start.
type Image = (u32, u64);

/// The process images of some reports, and which report each is in; of sums of several runs, the first image of each.
#[derive(Debug, Default)]
pub struct Recordings {
    known: HashMap<Image, usize>,
    files: Vec<PathBuf>,
}

impl Recordings {
    /// Adds a report.
    ///
    /// # Errors
    /// It has a process image that another one has: its calls would count twice.
    pub fn add(&mut self, file: &Path, of: &Report) -> Result<(), Failure> {
        let place = self.files.len();
        self.files.push(file.to_owned());
        let images = of.processes.iter().filter(|image| image.folded.is_none());
        let images = images.map(|image| (image.pid, image.started_unix_ns));
        let parts = of.parts.iter().map(|part| (part.pid, part.started_unix_ns));
        let others = images
            .chain(parts)
            .filter_map(|image| self.known.insert(image, place));
        let others: Vec<usize> = others.filter(|&other| other != place).collect();
        match others.first() {
            None => Ok(()),
            Some(&other) => {
                let message = format!(
                    "{} and {} are of the same recording, which would count twice",
                    self.files[other].display(),
                    file.display()
                );
                Err(Failure::new(exit_code::USAGE, message))
            }
        }
    }
}
