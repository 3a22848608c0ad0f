//! The result as GitHub Actions takes it: an annotation for each limit that is not kept, at its line of the budget, and a table
//! in the summary of the step. The forms are those of GitHub's pages "Workflow commands for GitHub Actions" and "Adding a job
//! summary".

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::verdict::Verdict;
use super::{Judged, Row, outcome};
use crate::failure::Failure;
use crate::{output, text};

/// Prints the annotations, and adds the table to the file that `GITHUB_STEP_SUMMARY` names.
pub fn print(budget: &Path, judged: &[Judged<'_>]) -> Result<(), Failure> {
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
        let path = Path::new(&path);
        let file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path);
        let written = file.and_then(|mut file| file.write_all(summary(budget, judged).as_bytes()));
        written.map_err(|error| Failure::of_file("write", path, error))?;
    }
    output::print(&annotations(budget, judged))
}

fn annotations(budget: &Path, judged: &[Judged<'_>]) -> String {
    let mut text = String::new();
    let file = property(&budget.display().to_string());
    for one in judged {
        for row in &one.rows {
            if row.verdict == Verdict::Kept {
                continue;
            }
            let mut message = text::printable(&sentence(one, row)).into_owned();
            for (by, place) in &one.culprits {
                let _ = write!(message, "\n{by}: {}", text::printable(place));
            }
            let line = one.limit.line;
            let message = data(&message);
            let _ = writeln!(
                text,
                "::error file={file},line={line},title=Weir budget::{message}"
            );
        }
    }
    let _ = writeln!(text, "{}: {}", budget.display(), outcome(judged));
    text
}

/// What is to be said of a limit that is not kept.
pub fn sentence(judged: &Judged<'_>, row: &Row) -> String {
    let of = match row.of.as_str() {
        "" => String::new(),
        of => format!(" of {of}"),
    };
    let metric = &judged.limit.metric;
    match &row.verdict {
        Verdict::CannotTell(reason) => format!("{metric}{of}: cannot tell; {reason}"),
        _ => format!("{metric}{of} is {}, at most {}", row.value, row.most),
    }
}

fn summary(budget: &Path, judged: &[Judged<'_>]) -> String {
    let mut text = format!(
        "### Weir: {}\n\n| | metric | is | at most |\n| --- | --- | ---: | ---: |\n",
        cell(&format!("{}: {}", budget.display(), outcome(judged)))
    );
    for one in judged {
        for row in &one.rows {
            let verdict = match row.verdict {
                Verdict::Kept => "kept",
                Verdict::Broken => "**broken**",
                Verdict::CannotTell(_) => "**cannot tell**",
            };
            let about = match row.of.as_str() {
                "" => one.limit.metric.clone(),
                of => format!("{} of {of}", one.limit.metric),
            };
            let _ = writeln!(
                text,
                "| {verdict} | {} | {} | {} |",
                cell(&about),
                cell(&row.value),
                cell(&row.most)
            );
        }
    }
    text
}

/// Text in a table of Markdown, where nothing of it has a meaning.
fn cell(text: &str) -> String {
    let mut out = String::new();
    let line = text.replace(['\n', '\r'], " ");
    for character in text::printable(&line).chars() {
        match character {
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '&' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_command() {
        assert_eq!(data("100%\n::error::x"), "100%25%0A::error::x");
        assert_eq!(property("a,b:c"), "a%2Cb%3Ac");
        assert_eq!(cell("a|b\n*c*"), "a\\|b \\*c\\*");
        assert_eq!(cell("a\u{1b}"), "a\\\\u{1b}");
    }
}
