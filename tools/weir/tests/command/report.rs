use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use super::{fed, refusal, sample, text, weir};

fn sample_json() -> Vec<u8> {
    serde_json::to_vec_pretty(&sample::report()).expect("JSON")
}

fn sample_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), sample_json()).expect("written");
    file
}

#[test]
fn a_file_and_standard_input_give_the_same_page() {
    let file = sample_file();
    let from_file = weir(["report".as_ref(), file.path().as_os_str()])
        .output()
        .expect("ended");
    let from_stdin = fed(weir(["report", "-"]), &sample_json());
    assert_eq!(from_file.status.code(), Some(0));
    let page = text(&from_file.stdout);
    assert!(page.starts_with("bash  3 processes\n"), "{page}");
    assert_eq!(page, text(&from_stdin.stdout));
    assert_eq!(text(&from_file.stderr), "");
}

#[test]
fn a_pipe_has_80_columns_and_no_colour() {
    let page = text(&fed(weir(["report", "-"]), &sample_json()).stdout);
    assert!(!page.contains('\x1b'));
    assert!(page.lines().all(|line| line.chars().count() <= 80));
    assert!(page.lines().any(|line| line.chars().count() > 75));
}

#[test]
fn the_width_is_that_of_the_option_or_of_columns() {
    let widest = |page: &str| page.lines().map(|line| line.chars().count()).max();
    let mut told = weir(["report", "-"]);
    told.env("COLUMNS", "120");
    let told = text(&fed(told, &sample_json()).stdout);
    let asked = text(&fed(weir(["report", "-", "--width", "120"]), &sample_json()).stdout);
    assert_eq!(told, asked);
    assert!(widest(&asked) > Some(100) && widest(&asked) <= Some(120));
    let mut nonsense = weir(["report", "-"]);
    nonsense.env("COLUMNS", "wide");
    assert!(widest(&text(&fed(nonsense, &sample_json()).stdout)) <= Some(80));
}

#[test]
fn colour_can_be_had_in_a_pipe_even_where_no_color_is_set() {
    let mut command = weir(["report", "-", "--color", "always"]);
    command.env("NO_COLOR", "1");
    let page = text(&fed(command, &sample_json()).stdout);
    assert!(page.contains("\x1b[1mbash"), "{page}");
}

#[test]
fn one_process_can_be_had() {
    let page = text(&fed(weir(["report", "-", "--process", "4720"]), &sample_json()).stdout);
    assert!(page.contains("forked by process 4713"), "{page}");
    let output = fed(weir(["report", "-", "--process", "1"]), &sample_json());
    let (code, line) = refusal(&output);
    assert_eq!(
        (code, line.as_str()),
        (2, "the report has no process 1; it has 4711, 4713, 4720")
    );
}

#[test]
fn call_sites_are_asked_for() {
    let told = |arguments: &[&str]| {
        let line = [&["report", "-"], arguments].concat();
        refusal(&fed(weir(line), &sample_json()))
    };
    // The sample has none.
    assert_eq!(
        told(&["--by", "site"]),
        (
            125,
            "the report has no call stacks: they were off, or no call of the program was a sample; weir run --stacks all records them".to_owned()
        )
    );
    for option in ["--metric=calls", "--focus=x", "--ignore=x", "--debug-dir=x"] {
        let (name, _) = option.split_once('=').expect("a value");
        let line = format!("{name} needs --by site (see 'weir report --help')");
        assert_eq!(told(&[option]), (2, line));
    }
    for (arguments, part) in [
        (
            &["--by", "line"][..],
            "invalid value 'line' for '--by <WHAT>'",
        ),
        (&["--top", "3"], "not provided: --by <WHAT>"),
        (&["--by", "site", "--top", "0"], "0 is not in 1.."),
        (
            &["--by", "site", "--fold", "101"],
            "must be a number from 0 to 100",
        ),
        (
            &["--by", "site", "--fold", "NaN"],
            "must be a number from 0 to 100",
        ),
        (&["--by", "site", "--sort", "time"], "cannot be used with"),
    ] {
        let (code, line) = told(arguments);
        assert_eq!(code, 2, "{line}");
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let file = sample_file();
    let mut child = weir(["report".as_ref(), file.path().as_os_str()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    // Gone before the command writes, or soon after.
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure() {
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("opened");
    let output = weir(["schema"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("ended");
    assert_eq!(
        refusal(&output),
        (
            125,
            "cannot write to standard output: No space left on device".to_owned()
        )
    );
}

#[test]
fn a_closed_output_is_a_failure() {
    let file = sample_file();
    let file = file.path().to_str().expect("a name");
    let commands: [&[&str]; 5] = [
        &["schema"],
        &["--version"],
        &["report", file],
        &["completions", "bash"],
        &["doctor", "/bin/true"],
    ];
    for arguments in commands {
        let mut command = weir(arguments);
        // SAFETY: closes a descriptor in the child, which nothing there uses before exec.
        unsafe {
            command.pre_exec(|| {
                libc::close(libc::STDOUT_FILENO);
                Ok(())
            })
        };
        let output = command.stderr(Stdio::piped()).output().expect("ended");
        let said = "cannot write to standard output: Bad file descriptor".to_owned();
        assert_eq!(refusal(&output), (125, said), "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_in_one_line() {
    let json = sample_json();
    let cases: [(&[u8], &str); 7] = [
        (
            b"",
            "cannot read standard input: it is empty; was the program still running?",
        ),
        (
            &json[..1000],
            "cannot read standard input: it is cut off: the JSON is not complete after 1000 bytes",
        ),
        (
            b"{\"schema\": \"weir.report/9\"}",
            "cannot read standard input: it is in the format weir.report/9; this version of weir reads weir.report/1",
        ),
        (
            b"{}",
            "cannot read standard input: it is JSON, but not a report of Weir (no \"schema\": \"weir.report/1\")",
        ),
        (
            b"17",
            "cannot read standard input: it is JSON, but not a report of Weir (no \"schema\": \"weir.report/1\")",
        ),
        // It begins with a number, as /proc/self/maps does.
        (
            b"55d0-55d1 r--p 00000000\n",
            "cannot read standard input: it is not a report of Weir: not JSON: trailing characters at line 1 column 3",
        ),
        (
            b"{\"schema\": 1, ",
            "cannot read standard input: it is cut off: the JSON is not complete after 14 bytes",
        ),
    ];
    for (input, line) in cases {
        assert_eq!(
            refusal(&fed(weir(["report", "-"]), input)),
            (125, line.to_owned())
        );
    }
    let missing = weir(["report", "/nonexistent/report.json"])
        .output()
        .expect("ended");
    let line = "cannot read /nonexistent/report.json: No such file or directory";
    assert_eq!(refusal(&missing), (125, line.to_owned()));
    let directory = weir(["report", "/proc/self/fdinfo"])
        .output()
        .expect("ended");
    let line = "/proc/self/fdinfo has no file that ends with .json";
    assert_eq!(refusal(&directory), (125, line.to_owned()));
}

/// The histogram of a real run has all its calls, and the place that they come from.
#[test]
fn one_function_is_shown_in_detail() {
    let place = super::run::Place::new();
    let dd = [
        "dd",
        "if=/dev/zero",
        "of=out",
        "bs=1",
        "count=3000",
        "status=none",
    ];
    let output = place
        .run(&["--time", "all", "--stacks", "all"], &dd)
        .output()
        .expect("ended");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = weir(["report", "--function", "write", "report.json"]);
    let page = text(&place.settle(report).output().expect("ended").stdout);
    let section = |heading: &str| {
        let found = page
            .split("\n\n")
            .find(|section| section.starts_with(heading));
        found
            .unwrap_or_else(|| panic!("{heading}: {page}"))
            .lines()
            .skip(1)
            .map(str::to_owned)
    };
    let of_line = |line: &str| -> u64 {
        let (_, numbers) = line.rsplit_once("s  ").expect("a class of times");
        let count = numbers.split_whitespace().next().expect("a count");
        count.replace(',', "").parse().expect("a number")
    };
    let calls: u64 = section("How long they took")
        .map(|line| of_line(&line))
        .sum();
    assert_eq!(calls, 3000, "{page}");
    assert!(
        section("Sizes that they asked for").any(|line| line.contains("3,000")),
        "{page}"
    );
    assert!(
        section("Call sites").any(|line| line.contains("3,000")),
        "{page}"
    );
    let both = weir([
        "report",
        "--function",
        "write",
        "--by",
        "site",
        "report.json",
    ]);
    let output = place.settle(both).output().expect("ended");
    assert_eq!(super::refusal(&output).0, 2);
}

/// Time by function within a file: each write of the file is there, with the line that calls it.
#[test]
fn one_file_is_shown_in_detail() {
    let place = super::run::Place::new();
    let dd = [
        "dd",
        "if=/dev/zero",
        "of=out",
        "bs=1",
        "count=3000",
        "status=none",
        "conv=fsync",
    ];
    let output = place
        .run(&["--stacks", "all"], &dd)
        .output()
        .expect("ended");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = weir(["report", "--file", "out", "report.json"]);
    let page = text(&place.settle(report).output().expect("ended").stdout);
    let functions = page
        .split("\n\n")
        .find(|section| section.starts_with("Functions"));
    let functions = functions.unwrap_or_else(|| panic!("{page}"));
    let calls = |function: &str| {
        let line = functions
            .lines()
            .find(|line| line.trim_start().starts_with(function));
        let line = line.unwrap_or_else(|| panic!("{function}: {page}"));
        line.split_whitespace().nth(1).expect("a count").to_owned()
    };
    assert_eq!(
        (calls("write"), calls("fsync")),
        ("3,000".to_owned(), "1".to_owned())
    );
    assert!(page.contains("write by "), "{page}");
    let refused = weir(["report", "--file", "other", "report.json"]);
    let (code, line) = super::refusal(&place.settle(refused).output().expect("ended"));
    assert_eq!(code, 2);
    assert!(line.contains("no file or socket was used"), "{line}");
}
