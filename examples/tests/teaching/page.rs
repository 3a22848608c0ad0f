//! `docs/how-interposition-works.md` quotes code and output: both must be what they are.
//!
//! A comment before a code block says where it is from, a source file or a run:
//! `<!-- from examples/01-count-malloc/lib.rs -->`, `<!-- output of examples/run 1 -->`. In a quote
//! a line `…` leaves lines out, and `…` in a line of output stands for what differs by machine.

use crate::support::{example, examples};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

const PAGE: &str = "docs/how-interposition-works.md";

struct Block {
    /// The comment before it, or nothing.
    origin: String,
    language: String,
    lines: Vec<String>,
}

fn root() -> &'static Path {
    examples().parent().expect("examples/ is in the project")
}

fn page() -> String {
    fs::read_to_string(root().join(PAGE)).expect("the page is there")
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut origin = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            blocks.push(Block {
                origin: origin.to_owned(),
                language: language.to_owned(),
                lines: lines
                    .by_ref()
                    .take_while(|line| *line != "```")
                    .map(str::to_owned)
                    .collect(),
            });
        }
        origin = line
            .strip_prefix("<!-- ")
            .and_then(|line| line.strip_suffix(" -->"))
            .unwrap_or("");
    }
    blocks
}

/// Whether a line is the quoted one, where `…` stands for anything.
fn line_matches(quoted: &str, line: &str) -> bool {
    let mut parts = quoted.split('…');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last == Some("")
}

/// Whether the quoted lines follow each other so in `text`; a line that is only `…` (behind a
/// comment sign too) leaves some out.
fn quoted_from(quoted: &[String], text: &str) -> bool {
    let text: Vec<&str> = text.lines().map(str::trim).collect();
    let mut from = 0;
    quoted
        .split(|line| matches!(line.trim(), "…" | "// …" | "/* … */"))
        .filter(|chunk| !chunk.is_empty())
        .all(|chunk| {
            let found = text[from..].windows(chunk.len()).position(|window| {
                chunk
                    .iter()
                    .zip(window)
                    .all(|(quoted, line)| line_matches(quoted.trim(), line))
            });
            from += found.map_or(0, |at| at + chunk.len());
            found.is_some()
        })
}

#[test]
fn quoted_code_is_in_the_examples() {
    let page = page();
    let mut files = Vec::new();
    for block in blocks(&page) {
        if matches!(block.language.as_str(), "rust" | "c") {
            let file = block
                .origin
                .strip_prefix("from ")
                .unwrap_or_else(|| panic!("from where is this?\n{}", block.lines.join("\n")));
            let text = fs::read_to_string(root().join(file)).expect(file);
            assert!(
                quoted_from(&block.lines, &text),
                "not in {file}:\n{}",
                block.lines.join("\n")
            );
            files.push(file.to_owned());
        }
    }
    for step in ["01-", "02-", "03-", "04-", "05-", "06-"] {
        let step = format!("examples/{step}");
        assert!(
            files.iter().any(|file| file.starts_with(&step)),
            "{step} is not quoted"
        );
    }
}

#[test]
fn quoted_output_is_what_is_printed() {
    let page = page();
    let mut outputs = HashMap::new();
    for block in blocks(&page) {
        if block.language == "console" {
            let command = block
                .origin
                .strip_prefix("output of examples/run ")
                .unwrap_or_else(|| panic!("from which run?\n{}", block.lines.join("\n")));
            let output = outputs
                .entry(command.to_owned())
                .or_insert_with(|| example(&command.split(' ').collect::<Vec<_>>()));
            assert!(
                quoted_from(&block.lines, &output.output),
                "quoted:\n{}\nprinted:\n{}",
                block.lines.join("\n"),
                output.output
            );
        }
    }
    assert_eq!(outputs.len(), 6, "every step shows its output");
}

#[test]
fn links_lead_somewhere() {
    for (page, folder) in [(PAGE, "docs"), ("examples/README.md", "examples")] {
        let text = fs::read_to_string(root().join(page)).expect(page);
        let targets: Vec<&str> = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .collect();
        assert!(!targets.is_empty(), "{page} has links");
        for target in targets.iter().filter(|target| !target.contains("://")) {
            let file = target.split('#').next().unwrap_or(target);
            assert!(root().join(folder).join(file).exists(), "{page}: {target}");
        }
    }
}

#[test]
fn a_changed_quote_is_noticed() {
    let text = "one\n    two 2 times\nthree\nfour\n";
    let quoted = |lines: &[&str]| {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        quoted_from(&lines, text)
    };
    assert!(quoted(&["two … times", "three"]));
    assert!(quoted(&["one", "…", "four"]));
    assert!(
        !quoted(&["one", "four"]),
        "lines are left out, but not marked"
    );
    assert!(!quoted(&["four", "…", "one"]), "the order is another");
    assert!(!quoted(&["two"]), "half a line");
    assert!(!quoted(&["two … time"]), "half a line after an ellipsis");
}
