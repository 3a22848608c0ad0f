//! docs/find-it-in-five-minutes.md: each command prints the lines that the page shows.

use std::path::Path;
use std::process::Command;

use crate::support::{finish, scratch, weir};

/// A text of which the numbers that differ from run to run are gone: times, and what is a part of them.
fn steady(line: &str) -> Vec<String> {
    let is_time = |word: &str| matches!(word, "ns" | "µs" | "ms" | "s");
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_of_times = words.iter().any(|word| is_time(word));
    let kept = words.iter().enumerate().filter(|&(place, word)| {
        let is_number = word.starts_with(|first: char| first.is_ascii_digit() || first == '<');
        let next = words.get(place + 1).copied().unwrap_or("");
        // The time itself, and the share of a time.
        !(is_of_times && is_number && (is_time(next) || next == "%"))
    });
    kept.map(|(_, word)| (*word).to_owned()).collect()
}

/// The blocks of commands: lines that begin with `$`, each with the lines that it prints.
fn commands(page: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    let mut is_inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| is_inside) {
            commands.push((command.to_owned(), Vec::new()));
        } else if let Some((_, lines)) = commands.last_mut().filter(|_| is_inside) {
            lines.push(line.to_owned());
        }
    }
    commands
}

#[test]
fn the_page_shows_what_the_commands_print() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page =
        std::fs::read_to_string(root.join("docs/find-it-in-five-minutes.md")).expect("a page");
    let folder = scratch();
    let source = folder.path().join("shop.c");
    std::fs::copy(root.join("examples/shop/shop.c"), &source).expect("a copy");
    let commands = commands(&page);
    assert!(commands.len() >= 6);
    for (command, shown) in commands {
        let mut printed = printed(&command, folder.path());
        // Which call sites come first is a matter of time: on a disk that is slow at this moment, others do.
        for _ in 0..2 {
            if shown.iter().all(|line| is_among(&printed, line)) {
                break;
            }
            printed = self::printed(&command, folder.path());
        }
        for line in shown {
            let is_there = is_among(&printed, &line);
            assert!(is_there, "{command} does not print {line:?}:\n{printed:#?}");
        }
    }
}

/// What a command prints, line by line.
fn printed(command: &str, folder: &Path) -> Vec<Vec<String>> {
    let directory = folder.to_str().expect("UTF-8");
    let tools = weir::command().parent().expect("a folder").display();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", format!("{tools}:/usr/bin:/bin"))
        .env("COLUMNS", "200");
    let (status, stdout, stderr) = finish(&mut shell, b"");
    assert!(
        status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&stderr)
    );
    let printed = String::from_utf8_lossy(&[stdout, stderr].concat()).replace(directory, "/src");
    printed.lines().map(steady).collect()
}

fn is_among(printed: &[Vec<String>], line: &str) -> bool {
    let wanted = steady(line);
    let mut lines = printed.iter();
    lines.any(|line| line.windows(wanted.len().max(1)).any(|part| part == wanted))
}
