//! What a real run says of files and of waiting.

use std::fs;

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
