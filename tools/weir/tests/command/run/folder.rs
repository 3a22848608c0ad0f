//! A report of every process image, in a directory.

use std::fs;
use std::path::Path;

use weir_report::model::{EndKind, Report};
use weir_report::read;

use super::{Place, refusal, silent, weir};

fn reports(directory: &Path) -> Vec<(String, Report)> {
    let entries = fs::read_dir(directory).expect("the directory");
    let mut reports: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("read").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, read::load(&path).expect("a report"))
        })
        .collect();
    reports.sort_by(|(one, _), (other, _)| one.cmp(other));
    reports
}

/// The shell becomes another program, so its process has two images.
const SCRIPT: &str = "cat /dev/null; exec cat /dev/null";

#[test]
fn every_image_has_a_report_of_its_own_beside_that_of_the_tree() {
    let place = Place::new();
    let options = ["--out-dir", "a/b"];
    let mut command = place.run(&options, &["sh", "-c", SCRIPT]);
    assert_eq!(silent(&command.output().expect("ended")), "");
    let tree = place.report();
    let all = reports(&place.file("a/b"));
    assert_eq!(all.len(), tree.processes.len());
    for (name, report) in &all {
        let [process] = &report.processes[..] else {
            panic!("{name}: {} processes", report.processes.len());
        };
        assert!(tree.processes.contains(process), "{name}");
        let number =
            usize::from(process.pid == tree.processes[0].pid && process.end.how != EndKind::Exec);
        let executable = Path::new(&process.executable).file_name().expect("a name");
        let head = format!("{}.{}.", executable.to_string_lossy(), process.pid);
        let rest = name.strip_prefix(&head).expect("executable and process id");
        if process.pid == tree.processes[0].pid {
            assert_eq!(rest, format!("{}.json", number + 1));
        }
        assert_eq!(report.end, process.end);
        assert_eq!(report.missed.notes, process.missed.notes);
    }
}

#[test]
fn out_may_be_a_directory_and_has_the_report_of_the_tree_then() {
    for out in ["made/", "there"] {
        let place = Place::new();
        fs::create_dir(place.file("there")).expect("made");
        let line = ["run", "--quiet", "-o", out, "--", "sh", "-c", SCRIPT];
        let output = place.settle(weir(line)).output().expect("ended");
        assert_eq!(silent(&output), "");
        let all = reports(&place.file(out));
        let trees = all.iter().filter(|(name, _)| name.starts_with("weir.sh."));
        let trees: Vec<_> = trees.collect();
        assert_eq!(trees.len(), 1, "{out}");
        assert_eq!(trees[0].1.processes.len(), all.len() - 1);
    }
}

#[test]
fn a_directory_that_cannot_be_is_refused_in_a_line() {
    let place = Place::new();
    fs::write(place.file("file"), "").expect("written");
    for directory in ["file", "file/below", "/proc/below"] {
        let mut command = place.run(&["--out-dir", directory], &["touch", "ran"]);
        let (code, line) = refusal(&command.output().expect("ended"));
        assert_eq!(code, 125);
        assert!(
            line.starts_with(&format!("cannot write to {directory}: ")),
            "{line}"
        );
        assert!(!place.file("ran").exists());
    }
}
