//! The page: headings, pairs, lists, and tables that fit its width.

mod bars;
mod table;

use std::fmt::Write;

use anstyle::Style;

pub use table::{Cell, Column, Table};

use crate::text;

/// What everything below a heading is indented by.
const INDENT: &str = "  ";

/// Text under way, of a width.
pub struct Page {
    width: usize,
    coloured: bool,
    text: String,
}

impl Page {
    /// An empty page.
    pub fn new(width: usize, coloured: bool) -> Page {
        Page {
            width,
            coloured,
            text: String::new(),
        }
    }

    /// All that was written.
    pub fn into_text(self) -> String {
        self.text
    }

    /// The columns that a section's content has.
    pub fn room(&self) -> usize {
        self.width - INDENT.len()
    }

    /// Whether it has colours.
    pub fn is_coloured(&self) -> bool {
        self.coloured
    }

    /// Begins a section: its name, and a remark on it.
    pub fn heading(&mut self, name: &str, aside: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let heading = self.styled(name, Style::new().bold());
        self.text.push_str(&heading);
        if !aside.is_empty() {
            let room = self.width.saturating_sub(text::width(name) + 2);
            let aside = self.dim(&text::cut(aside, room));
            let _ = write!(self.text, "  {aside}");
        }
        self.text.push('\n');
    }

    /// One line, cut to the width.
    pub fn line(&mut self, line: &str) {
        let line = text::cut(line, self.room());
        let _ = writeln!(self.text, "{INDENT}{line}");
    }

    /// One line that is already styled, and known to fit.
    pub fn styled_line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{INDENT}{line}");
    }

    /// A remark, wrapped.
    pub fn remark(&mut self, remark: &str) {
        for line in text::wrap(remark, self.room()) {
            let line = self.dim(&line);
            self.styled_line(&line);
        }
    }

    /// Names and values, the values in one column and wrapped there.
    pub fn pairs(&mut self, pairs: &[(&str, String)]) {
        let names = pairs
            .iter()
            .map(|(name, _)| text::width(name))
            .max()
            .unwrap_or(0);
        for (name, value) in pairs {
            let lines = text::wrap(value, self.room().saturating_sub(names + 2));
            for (index, line) in lines.iter().enumerate() {
                let name = if index == 0 { name } else { "" };
                let name = self.dim(&format!("{name:<names$}"));
                self.styled_line(&format!("{name}  {line}"));
            }
        }
    }

    /// Sentences, each wrapped under its dash.
    pub fn sentences<S: AsRef<str>>(&mut self, sentences: &[S]) {
        for sentence in sentences {
            let printable = text::printable(sentence.as_ref());
            for (index, line) in text::wrap(&printable, self.room() - 2).iter().enumerate() {
                let dash = if index == 0 { "-" } else { " " };
                self.styled_line(&format!("{dash} {line}"));
            }
        }
    }

    /// A table without the columns that there is no room for, and a remark that names those.
    pub fn table(&mut self, table: Table) {
        let fitted = table.fitted(self.room());
        for line in fitted.lines(self.coloured) {
            self.styled_line(&line);
        }
        if !fitted.left_out.is_empty() {
            self.remark(&format!(
                "left out at this width: {}",
                text::list(&fitted.left_out)
            ));
        }
    }

    /// The text in the background.
    pub fn dim(&self, text: &str) -> String {
        self.styled(text, Style::new().dimmed())
    }

    fn styled(&self, text: &str, style: Style) -> String {
        painted(text, style, self.coloured)
    }
}

/// The text in a style, where there are colours.
pub fn painted(text: &str, style: Style, coloured: bool) -> String {
    match coloured && !text.is_empty() {
        true => format!("{style}{text}{style:#}"),
        false => text.to_owned(),
    }
}
