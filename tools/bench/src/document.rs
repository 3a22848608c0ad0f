//! The page that the results are written into: text written by hand, with a mark for each result.

use anyhow::{Result, bail};

/// The page's text; `{{name}}` marks where a result goes.
pub const TEMPLATE: &str = include_str!("../template.md");

/// `template` with every `{{name}}` replaced by what `value` gives for that name.
pub fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            bail!("the page's template has a {{{{ without its }}}}");
        };
        let Some(text) = value(name) else {
            bail!("the page's template names {name}, which was not measured");
        };
        page.push_str(before);
        page.push_str(text.trim_end());
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::subjects::Subject;

    fn names(name: &str) -> Option<String> {
        (name != "unknown").then(|| format!("<{name}>\n"))
    }

    #[test]
    fn marks_are_replaced() {
        assert_eq!(fill("a {{b}}\n\n{{c}}\n", names).unwrap(), "a <b>\n\n<c>\n");
        assert_eq!(fill("nothing", names).unwrap(), "nothing");
    }

    #[test]
    fn unknown_and_open_marks_are_errors() {
        assert!(
            fill("{{unknown}}", names)
                .unwrap_err()
                .to_string()
                .contains("unknown")
        );
        assert!(fill("{{b", names).is_err());
    }

    #[test]
    fn the_page_has_every_subject() {
        for subject in Subject::value_variants() {
            let mark = format!("{{{{{}}}}}", subject.name());
            assert_eq!(TEMPLATE.matches(&mark).count(), 1, "{mark}");
        }
    }
}
