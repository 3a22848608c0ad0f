//! An image of Docker: there need be no Docker, so each line of the Dockerfile is done in a root directory with Debian's essential
//! packages, in which `weir` is the first process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use weir_report::model::Report;
use weir_report::read;

use super::examples;
use crate::package::{clean_root, entering, inside, package};
use crate::support::program::report_files;
use crate::support::{finish, scratch};

/// A line's arguments in the form of a list of JSON.
fn listed(arguments: &str) -> Vec<String> {
    serde_json::from_str(arguments).expect("a list of texts")
}

/// Does what the Dockerfile says, in a root directory. What the container executes, and with which arguments by default.
fn build(root: &Path) -> (Vec<String>, Vec<String>) {
    clean_root(root);
    let (mut entry, mut command) = (None, None);
    let text = std::fs::read_to_string(examples().join("docker/Dockerfile")).expect("a file");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (instruction, arguments) = line.split_once(' ').expect("an instruction");
        match instruction {
            "FROM" => assert!(arguments.starts_with("debian:"), "{arguments}"),
            "COPY" => {
                assert_eq!(arguments, "weir_*.deb /tmp/");
                let name = package().file_name().expect("a name");
                std::fs::copy(package(), root.join("tmp").join(name)).expect("copied");
            }
            "RUN" => _ = inside(root, arguments),
            "VOLUME" => assert!(root.join(arguments.trim_start_matches('/')).is_dir()),
            "ENTRYPOINT" => entry = Some(listed(arguments)),
            "CMD" => command = Some(listed(arguments)),
            other => panic!("{other} is not tested"),
        }
    }
    (entry.expect("ENTRYPOINT"), command.expect("CMD"))
}

/// The one report, which is removed.
fn take_report(root: &Path) -> Report {
    let files = report_files(&root.join("reports"));
    let [file] = &files[..] else {
        panic!("{files:?}")
    };
    let report = read::load(file).expect("a report");
    std::fs::remove_file(file).expect("removed");
    report
}

#[test]
fn the_image_measures_a_program_also_when_it_is_stopped() {
    let root = scratch();
    let root = root.path();
    let (entry, command) = build(root);

    let mut container = entering(root);
    let (status, stdout, stderr) = finish(container.args(&entry).args(&command), b"");
    assert_eq!(
        status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&stderr)
    );
    assert!(String::from_utf8_lossy(&stdout).contains(" bin\n"));
    assert!(take_report(root).functions["malloc"].calls > 0);

    // docker stop sends SIGTERM to the first process.
    let mut container = entering(root)
        .args(&entry)
        .args(["sh", "-c", "echo started; exec sleep 60"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut said = String::new();
    let mut stdout = BufReader::new(container.stdout.take().expect("a pipe"));
    stdout.read_line(&mut said).expect("text");
    assert_eq!(said, "started\n");
    let id = container.id();
    let children = format!("/proc/{id}/task/{id}/children");
    let first = std::fs::read_to_string(children).expect("children");
    let first = first.trim().parse().expect("one child");
    // SAFETY: sends a signal to a child of a process that nobody has waited for yet.
    unsafe { libc::kill(first, libc::SIGTERM) };
    let status = container.wait().expect("the child is ours");
    assert_eq!(status.code(), Some(128 + libc::SIGTERM));
    assert_eq!(take_report(root).end.signal, Some(libc::SIGTERM));
}
