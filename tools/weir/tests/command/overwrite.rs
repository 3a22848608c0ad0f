//! No command writes over what it reads, or beyond a limit on the size of files.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;

use super::{refusal, weir};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

#[test]
fn what_is_read_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("run")).expect("made");
    for (of, name) in [
        ("sample.json", "r.json"),
        ("sample-later.json", "later.json"),
        ("sample.json", "run/one.json"),
        ("budget.toml", "weir.toml"),
    ] {
        fs::copy(Path::new(DOCS).join(of), at(name)).expect("copied");
    }
    symlink("r.json", at("link.json")).expect("made");
    let files = ["r.json", "later.json", "run/one.json", "weir.toml"];
    let all = || files.map(|name| fs::read(at(name)).expect("there"));
    let before = all();
    for arguments in [
        &[
            "export", "-f", "csv", "--table", "files", "r.json", "-o", "r.json",
        ][..],
        &["export", "-f", "folded", "r.json", "-o", "link.json"],
        &["export", "-f", "openmetrics", "run", "-o", "./run/one.json"],
        &["html", "r.json", "-o", "r.json"],
        &["flame", "r.json", "-o", "../T/r.json"],
        &[
            "flame",
            "r.json",
            "--diff",
            "later.json",
            "-o",
            "later.json",
        ],
        &["diff", "r.json", "later.json", "-o", "later.json"],
        &[
            "diff",
            "r.json",
            "--after",
            "later.json",
            "-f",
            "html",
            "-o",
            "r.json",
        ],
        &["check", "r.json", "--junit", "r.json"],
        &["check", "r.json", "--junit", "weir.toml"],
        &[
            "check",
            "r.json",
            "--baseline",
            "later.json",
            "--openmetrics",
            "later.json",
        ],
    ] {
        let name = folder.path().file_name().expect("a name");
        let arguments = arguments
            .iter()
            .map(|argument| argument.replace("T/", &format!("{}/", name.display())));
        let arguments: Vec<String> = arguments.collect();
        let mut command = weir(&arguments);
        let output = command.current_dir(folder.path()).output();
        let (code, line) = refusal(&output.expect("ended"));
        assert_eq!(code, 2, "{arguments:?}");
        assert!(
            line.contains("is read, and would be replaced"),
            "{arguments:?}: {line}"
        );
        assert!(all() == before, "{arguments:?}");
    }
    // A new file beside those of a run is none of them.
    let mut page = weir(["html", "run", "-o", "run/page.html"]);
    let output = page.current_dir(folder.path()).output().expect("ended");
    assert_eq!(output.status.code(), Some(0));
}

/// A file that may not grow is an error as any other: the signal that the kernel sends does not end the command.
#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = Path::new(DOCS).join("sample.json");
    for (name, arguments) in [
        ("page.html", &["html", "-o", "page.html"][..]),
        ("sum.json", &["merge", "-o", "sum.json"]),
    ] {
        let mut command = weir(arguments);
        command.arg(&sample).current_dir(folder.path());
        let limit = libc::rlimit {
            rlim_cur: 1024,
            rlim_max: 1024,
        };
        // SAFETY: between fork and exec it makes one system call, which reads the limit.
        unsafe {
            command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_FSIZE, &limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let (code, line) = refusal(&command.output().expect("ended"));
        assert_eq!(code, 125, "{line}");
        assert!(line.contains("File too large"), "{line}");
        assert!(!folder.path().join(name).exists(), "nothing of it is left");
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0);
    }
}
