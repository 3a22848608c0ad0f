//! What a real run says of files and of waiting.

use std::fs;
use std::process::Command;

use super::{Place, text, weir};

/// The line of a text that has this word, as words.
fn line<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect());
    lines
        .find(|line: &Vec<&str>| line.contains(&word))
        .unwrap_or_else(|| panic!("no {word} in {text}"))
}

#[test]
fn the_summary_and_the_page_name_the_files_that_were_used() {
    let place = Place::new();
    fs::write(place.file("data"), vec![b'x'; 300_000]).expect("written");
    let program = ["sh", "-c", "cat data > copy; sleep 0.05"];
    let head = ["run", "--out", "report.json", "--"];
    let mut run = place.settle(weir(head.iter().chain(&program)));
    let output = run.output().expect("ended");
    assert_eq!(output.status.code(), Some(0));

    let summary = text(&output.stderr);
    // Names of one directory, which is not long where temporary files go.
    let (data, copy) = (place.file("data"), place.file("copy"));
    let (data, copy) = (data.to_string_lossy(), copy.to_string_lossy());
    assert_eq!(line(&summary, &data)[2..5], ["file", "293", "KiB"]);
    assert_eq!(line(&summary, &copy)[2..6], ["file", "–", "293", "KiB"]);
    let time = line(&summary, "time").join(" ");
    assert!(
        time.contains(" in transfer, ") && time.contains(" ms waiting"),
        "{summary}"
    );

    let page = weir(["report", "report.json", "--width", "200"])
        .current_dir(place.path())
        .output()
        .expect("ended");
    let page = text(&page.stdout);
    let (_, files) = page.split_once("\nFiles and sockets").expect("the section");
    assert_eq!(line(files, &data)[1], "file");
    assert_eq!(line(files, &copy)[1], "file");
    let (_, waits) = page.split_once("\nLongest waits").expect("the section");
    assert!(waits.contains("nanosleep"), "{page}");
}

#[test]
fn a_report_to_a_descriptor_leaves_the_file_that_it_is_open_on() {
    for (out, redirection) in [
        ("-", ">> file"),
        ("/dev/stdout", ">> file"),
        ("/dev/fd/1", ">> file"),
        ("/proc/self/fd/1", ">> file"),
        ("/dev/stderr", "2>> file >&2"),
        ("/dev/fd/7", ">> file 7>&1"),
    ] {
        let place = Place::new();
        fs::write(place.file("file"), "older\n").expect("written");
        let weir = env!("CARGO_BIN_EXE_weir");
        let script = format!("exec '{weir}' run -q -o {out} -- echo said {redirection}");
        let mut shell = place.settle(Command::new("sh"));
        let output = shell.args(["-c", &script]).output().expect("ended");
        assert_eq!(output.status.code(), Some(0), "{out}");
        let file = fs::read_to_string(place.file("file")).expect("read");
        let report = file.strip_prefix("older\nsaid\n");
        let report = report.unwrap_or_else(|| panic!("{out}: {file:.200}"));
        fs::write(place.file("report.json"), report).expect("written");
        assert_eq!(place.report().command, ["echo", "said"], "{out}");
    }
}
