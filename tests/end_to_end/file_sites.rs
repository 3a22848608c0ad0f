//! Which files the calls of a site are about.

use std::collections::BTreeMap;
use std::process::Command;

use weir_report::model::Stacks;

use crate::support::{Mode, Program, scratch, succeed, victim, weir};

/// Calls, errors and moved bytes by function and file; the file by the last part of its name, or by its kind.
fn by_file(stacks: &Stacks) -> BTreeMap<(&str, &str), [u64; 3]> {
    let mut sums = BTreeMap::new();
    for site in &stacks.sites {
        let mut of_parts = [0; 3];
        for part in &site.by_file {
            let file = &stacks.files[part.file as usize];
            let name = match file.kind.as_str() {
                "file" => file.name.rsplit('/').next().unwrap_or_default(),
                kind => kind,
            };
            let sum: &mut [u64; 3] = sums.entry((site.function.as_str(), name)).or_default();
            for (index, by) in [part.calls, part.errors, part.moved_bytes]
                .into_iter()
                .enumerate()
            {
                sum[index] += by;
                of_parts[index] += by;
            }
        }
        let of_site = [site.calls, site.errors, site.moved_bytes];
        assert!(of_parts <= of_site, "{site:?}");
    }
    sums
}

#[test]
fn a_site_says_which_files_its_calls_were_about() {
    let expected: BTreeMap<(&str, &str), [u64; 3]> = [
        (("write", "one"), [3, 1, 2000]),
        (("write", "two"), [3, 0, 3000]),
        (("lseek", "one"), [1, 0, 0]),
        (("lseek", "two"), [1, 0, 0]),
        (("read", "one"), [6, 0, 510]),
        (("read", "two"), [8, 0, 720]),
        (("close", "one"), [2, 0, 0]),
        (("close", "two"), [2, 0, 0]),
        (("send", "socketpair"), [1, 0, 30]),
        (("recv", "socketpair"), [1, 0, 30]),
    ]
    .into();
    for mode in Mode::MEASURED {
        let folder = scratch();
        let program = Program::new(victim("file_sites")).in_folder(folder.path());
        let outcome = program.env("WEIR_STACKS", "all").run(mode).expect_status(0);
        let stacks = outcome.process().stacks.as_ref().expect("stacks");
        assert_eq!(by_file(stacks), expected, "{mode:?}");
        // The same lines read both files, and others read one of them.
        let both = |function: &str| {
            let of = stacks.sites.iter().filter(|site| site.function == function);
            of.filter(|site| site.by_file.len() == 2).count()
        };
        assert_eq!((both("read"), both("write"), both("lseek")), (1, 1, 1));
        let reads = stacks.sites.iter().filter(|site| site.function == "read");
        assert_eq!(reads.count(), 4);
    }
}

/// Who reads a file, and what a line reads.
#[test]
fn a_file_stands_between_its_callers_and_what_they_called() {
    let folder = scratch();
    let report = folder.path().join("report.json");
    let mut run = Command::new(weir::command());
    run.args(["run", "--quiet", "--stacks", "all", "--out"])
        .arg(&report)
        .arg("--")
        .arg(victim("file_sites"));
    succeed(run.current_dir(folder.path()), b"");
    let shown = |arguments: &[&str]| {
        let mut command = Command::new(weir::command());
        succeed(command.args(arguments).arg(&report), b"")
    };
    let name = folder.path().join("two");
    let name = name.to_str().expect("a name");
    let folded = shown(&[
        "export", "--format", "folded", "--metric", "calls", "--of", "io", "--files", "--focus",
        name,
    ]);
    let lines: Vec<&str> = folded.lines().collect();
    assert_eq!(lines.len(), 6, "{folded}");
    let read = format!(";read_file;{name};read 7");
    assert!(lines.iter().any(|line| line.ends_with(&read)), "{folded}");
    let around = shown(&[
        "report", "--by", "site", "--metric", "calls", "--files", "--around", name,
    ]);
    assert!(
        around.contains("read_file") && around.contains("write_file"),
        "{around}"
    );
    // Nobody asked for files.
    assert!(!shown(&["report", "--by", "site", "--metric", "calls"]).contains(name));
}
