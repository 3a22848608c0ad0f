//! Several reports of one run as one: a program with `LD_PRELOAD` alone leaves a report for each of its process images.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use weir_report::model::{End, EndKind, Process, Report};
use weir_report::recording::{self, Groups};

use super::Recordings;
use crate::failure::{Failure, complain};
use crate::text;

/// How many images keep an entry of their own, as in a report of `weir run`.
const MOST: usize = 1000;

/// The files of a directory that may be reports, by name: its regular files that end with .json.
///
/// # Errors
/// The directory cannot be read, or has none.
pub fn files_in(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::of_file("read", directory, error);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let is_json = file
            .extension()
            .is_some_and(|extension| extension == "json");
        if is_json && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        let message = format!("{} has no file that ends with .json", directory.display());
        return Err(Failure::of_weir(message));
    }
    files.sort();
    Ok(files)
}

/// Reads the reports of one run, and makes one of them. Those that cannot be read are left out, and the report says so.
///
/// # Errors
/// None of them can be read; one is the sum of several runs; or two have the same process image.
pub fn load(files: &[PathBuf]) -> Result<Report, Failure> {
    let mut known = Recordings::default();
    let mut all = Images::default();
    let mut unread = Vec::new();
    for file in files {
        let of = match super::load(file) {
            Ok(of) => of,
            Err(failure) => {
                unread.push(failure);
                continue;
            }
        };
        if of.runs > 1 {
            let message = format!("{} is the sum of several runs", file.display());
            return Err(Failure::of_weir(message).with_remedy("only weir merge takes it"));
        }
        known.add(file, &of)?;
        all.add(of.processes);
    }
    if all.kept.is_empty() && !unread.is_empty() {
        return Err(unread.swap_remove(0));
    }
    for failure in &unread {
        complain(&format!("left out: {}", failure.in_one_line()));
    }
    let mut report = all.finish();
    if !unread.is_empty() {
        report.missed.notes.push(format!(
            "{} of the run could not be read: their calls are not in this report",
            text::counted(unread.len() as u64, "file", "files")
        ));
    }
    Ok(report)
}

/// The images of a run: those that started first, and the others folded.
#[derive(Default)]
struct Images {
    kept: Vec<Process>,
    folded: Groups,
    /// When the last one ended, as far as seen, in nanoseconds since the Unix epoch.
    ended_unix_ns: u64,
}

impl Images {
    fn add(&mut self, processes: Vec<Process>) {
        for process in processes {
            let ended = process.started_unix_ns.saturating_add(process.duration_ns);
            self.ended_unix_ns = self.ended_unix_ns.max(ended);
            self.kept.push(process);
        }
        if self.kept.len() > 2 * MOST {
            self.fold();
        }
    }

    /// Folds all but those that started first.
    fn fold(&mut self) {
        self.kept.sort_by_key(|process| process.started_unix_ns);
        let others = self.kept.split_off(MOST.min(self.kept.len()));
        if !others.is_empty() {
            self.folded.add(others);
        }
    }

    fn finish(mut self) -> Report {
        self.fold();
        let end = end_of_first(&self.kept);
        let began = self.kept.first().map_or(0, |first| first.started_unix_ns);
        let has_several_runs = are_several_runs(&self.kept);
        let lost = without_successor(&self.kept);
        let mut processes = self.kept;
        processes.extend(self.folded.into_entries());
        let duration_ns = self.ended_unix_ns.saturating_sub(began);
        let mut report = recording::report(processes, end, duration_ns);
        if has_several_runs {
            report.missed.notes.push(SEVERAL_RUNS.to_owned());
        }
        if lost > 0 {
            report.missed.notes.push(format!(
                "{} replaced itself by exec, and no file has what it became: a program that was killed, or not traced",
                text::counted(lost, "process", "processes")
            ));
        }
        report
    }
}

const SEVERAL_RUNS: &str = "the files seem to be of several runs, whose numbers are added up here: a program started after the first had ended, and \
    none of the others started it";

/// How the first process ended: the last of its images.
fn end_of_first(images: &[Process]) -> End {
    let first = images.first().map(|first| first.pid);
    let last = images.iter().rfind(|image| Some(image.pid) == first);
    last.map_or_else(
        || End {
            how: EndKind::Unknown,
            status: None,
            signal: None,
        },
        |last| last.end.clone(),
    )
}

/// How many processes executed another program of which there is no image.
fn without_successor(images: &[Process]) -> u64 {
    let mut latest: HashMap<u32, &End> = HashMap::new();
    for image in images {
        latest.insert(image.pid, &image.end);
    }
    let ends = latest.into_values();
    ends.filter(|end| end.how == EndKind::Exec).count() as u64
}

/// Whether some image started after the first process had ended, and its parent is none of the others. `images` are in the order
/// of their start.
fn are_several_runs(images: &[Process]) -> bool {
    let Some(first) = images.first() else {
        return false;
    };
    let pids: HashSet<u32> = images.iter().map(|image| image.pid).collect();
    let of_first = images.iter().filter(|image| image.pid == first.pid);
    let ended = of_first.map(|image| image.started_unix_ns.saturating_add(image.duration_ns));
    let ended = ended.max().unwrap_or(0);
    images.iter().any(|image| {
        image.started_unix_ns > ended && image.pid != first.pid && !pids.contains(&image.parent_pid)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use weir_report::model::{Files, Function};

    use super::*;

    /// An image that has read twice.
    fn image(pid: u32, parent_pid: u32, started_ns: u64, took_ns: u64) -> Process {
        static PLAIN: LazyLock<Process> = LazyLock::new(|| {
            let mut plain = crate::sample::report().processes[0].clone();
            let read = Function {
                calls: 2,
                ..Function::default()
            };
            plain.functions = [("read".to_owned(), read)].into();
            (plain.files, plain.provenance) = (Files::default(), Vec::new());
            plain
        });
        Process {
            pid,
            parent_pid,
            started_unix_ns: started_ns,
            duration_ns: took_ns,
            ..PLAIN.clone()
        }
    }

    fn report_of(images: Vec<Process>) -> Report {
        let mut all = Images::default();
        all.add(images);
        all.finish()
    }

    #[test]
    fn a_run_lasts_from_its_first_image_to_its_last_and_ends_as_its_first_process() {
        let mut second = image(2, 1, 1100, 5000);
        second.end.status = Some(7);
        let mut became = image(1, 9, 1200, 50);
        became.end.status = Some(3);
        let report = report_of(vec![became, second, image(1, 9, 1000, 200)]);
        assert_eq!((report.started_unix_ns, report.duration_ns), (1000, 5100));
        assert_eq!(report.end.status, Some(3));
        assert_eq!(report.functions["read"].calls, 6);
        assert!(!report.missed.notes.iter().any(|note| note == SEVERAL_RUNS));
    }

    #[test]
    fn several_runs_are_reported() {
        let child_of_none_of_them = image(3, 8, 2000, 10);
        let report = report_of(vec![image(1, 9, 1000, 200), child_of_none_of_them]);
        assert!(report.missed.notes.iter().any(|note| note == SEVERAL_RUNS));
        // A child outlives its parent, and starts another; a daemon's parent is gone, but it began in time.
        let of_one = vec![
            image(1, 9, 1000, 200),
            image(2, 1, 1100, 5000),
            image(3, 2, 3000, 10),
            image(4, 1, 1150, 5000),
        ];
        let report = report_of(of_one);
        assert!(!report.missed.notes.iter().any(|note| note == SEVERAL_RUNS));
    }

    #[test]
    fn what_a_process_became_and_no_report_has_is_reported() {
        let mut became = image(2, 1, 1100, 10);
        became.end.how = EndKind::Exec;
        let report = report_of(vec![image(1, 9, 1000, 200), became.clone()]);
        let notes = report.missed.notes.join("\n");
        assert!(
            notes.contains("1 process replaced itself by exec"),
            "{notes}"
        );
        let report = report_of(vec![image(1, 9, 1000, 200), became, image(2, 1, 1110, 10)]);
        let notes = report.missed.notes.join("\n");
        assert!(!notes.contains("replaced itself"), "{notes}");
    }

    #[test]
    fn very_many_images_are_folded() {
        let all = 3 * MOST as u32;
        let mut images = Images::default();
        for pid in (1..=all).rev() {
            images.add(vec![image(pid, 1, u64::from(pid), 1)]);
        }
        let report = images.finish();
        assert_eq!(report.folded_processes, u64::from(all) - MOST as u64);
        assert_eq!(report.functions["read"].calls, u64::from(all) * 2);
        assert_eq!(report.processes[0].pid, 1);
    }
}
