use std::path::Path;

use weir_report::model::Report;

use super::{sample, text, weir};

/// A file of docs, and what it has.
type Sample = (&'static str, fn() -> Report);

const SAMPLES: [Sample; 2] = [
    ("sample.json", sample::report),
    ("sample-later.json", sample::later),
];

/// The reports that the tests share are docs/sample.json and docs/sample-later.json, so that a reader can try the examples. With
/// `WEIR_BLESS=1` the test writes the files instead of comparing them.
#[test]
fn the_samples_of_the_manual_are_those_of_the_tests() {
    for (name, report) in SAMPLES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs")
            .join(name);
        let mut json = serde_json::to_string(&report()).expect("JSON");
        json.push('\n');
        if std::env::var_os("WEIR_BLESS").is_some_and(|value| value == "1") {
            std::fs::write(&path, json).expect("written");
        } else {
            let found = std::fs::read_to_string(&path).expect("the sample can be read");
            assert!(
                found == json,
                "docs/{name} is out of date; WEIR_BLESS=1 cargo test manual renews it"
            );
        }
    }
}

/// What docs/commands.md shows is what the command prints: every `console` block there begins with
/// a command line, and goes on with its output in 80 columns.
#[test]
fn the_manual_shows_what_the_command_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let manual = std::fs::read_to_string(path).expect("docs/commands.md can be read");
    let directory = tempfile::tempdir().expect("a directory");
    for (name, report) in SAMPLES {
        let json = serde_json::to_vec(&report()).expect("JSON");
        std::fs::write(directory.path().join(name), json).expect("written");
    }
    let budget = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/budget.toml");
    std::fs::copy(budget, directory.path().join("budget.toml")).expect("copied");

    let mut blocks = 0;
    for block in manual.split("```console\n").skip(1) {
        let (block, _) = block.split_once("\n```").expect("the block ends");
        let (line, shown) = block.split_once('\n').expect("a command and its output");
        let arguments = line
            .strip_prefix("$ weir")
            .expect("a command line of weir's");
        let mut command = weir(arguments.split_whitespace());
        command.env("COLUMNS", "80").current_dir(directory.path());
        let output = command.output().expect("ended");
        let printed = text(&output.stdout) + &text(&output.stderr);
        // Editors take the spaces at the ends of lines away.
        let trimmed: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
        assert_eq!(shown, trimmed.join("\n"), "{line}");
        blocks += 1;
    }
    assert!(blocks >= 6, "{blocks} blocks were compared");
}
