//! The sections of the page, their commands, and the files that it shows.

use std::path::Path;

use super::examples;
use crate::support::files::walk;

/// A block of the page.
struct Block {
    section: String,
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes.md");
    let page = std::fs::read_to_string(path).expect("a page");
    let mut blocks: Vec<Block> = Vec::new();
    let (mut section, mut is_inside) = (String::new(), false);
    for line in page.lines() {
        if let Some(language) = line.strip_prefix("```") {
            is_inside = !is_inside;
            if is_inside {
                blocks.push(Block {
                    section: section.clone(),
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
        } else if is_inside {
            let block = blocks.last_mut().expect("a block has begun");
            block.text += line;
            block.text.push('\n');
        } else if let Some(title) = line.strip_prefix("## ") {
            section = title.to_owned();
        }
    }
    blocks
}

/// The commands of a section, all together.
pub fn commands(section: &str) -> String {
    let commands: String = blocks()
        .into_iter()
        .filter(|block| block.section == section && block.language == "sh")
        .map(|block| block.text)
        .collect();
    assert!(!commands.is_empty(), "{section}");
    commands
}

#[test]
fn what_the_page_shows_is_in_the_files() {
    let mut texts = Vec::new();
    walk(&examples(), &mut |path| {
        if path.is_dir() {
            return true;
        }
        texts.push(std::fs::read_to_string(path).expect("text"));
        false
    });
    let shown: Vec<Block> = blocks()
        .into_iter()
        .filter(|block| block.language != "sh")
        .collect();
    assert!(shown.len() >= 6, "{}", shown.len());
    for block in shown {
        assert!(
            texts.iter().any(|text| text.contains(&block.text)),
            "{}: no file has this:\n{}",
            block.section,
            block.text
        );
    }
}
