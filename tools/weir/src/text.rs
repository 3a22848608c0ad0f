//! Text for a terminal: made harmless, measured in columns, cut and wrapped.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;
use weir_record::escape;

/// Stands for what was cut out.
const ELLIPSIS: &str = "…";

/// The text made harmless: a report is made of other programs' strings, and must not command the reader's terminal.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(escape::is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    escape::escape(text.as_bytes(), |piece| out.push_str(piece));
    Cow::Owned(out)
}

/// How many columns a terminal gives the text.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of the text, in no more than `columns`.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    Cow::Owned(format!("{}{ELLIPSIS}", prefix(text, room)))
}

/// Stands between parts of a line.
pub const SEPARATOR: &str = " · ";

/// The first parts of a line, as many as there is room for. A part is there as a whole or not at all: half a number is a wrong one. Only
/// the first is cut where it has no room.
pub fn join_within(parts: &[String], columns: usize) -> String {
    let all = parts.join(SEPARATOR);
    if width(&all) <= columns {
        return all;
    }
    let fitting = (1..parts.len()).rev().find_map(|count| {
        let line = format!("{}{SEPARATOR}{ELLIPSIS}", parts[..count].join(SEPARATOR));
        (width(&line) <= columns).then_some(line)
    });
    fitting.unwrap_or_else(|| cut(parts.first().map_or("", String::as_str), columns).into_owned())
}

/// The end of the text, in no more than `columns`: of a path, the file's name and the folders next to it.
pub fn cut_front(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    // What was cut once already has its mark.
    let text = text.strip_prefix(ELLIPSIS).unwrap_or(text);
    Cow::Owned(format!("{ELLIPSIS}{}", suffix(text, room)))
}

fn suffix(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (start, grapheme) in text.grapheme_indices(true).rev() {
        used += width(grapheme);
        if used > columns {
            return &text[start + grapheme.len()..];
        }
    }
    text
}

fn prefix(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (start, grapheme) in text.grapheme_indices(true) {
        used += width(grapheme);
        if used > columns {
            return &text[..start];
        }
    }
    text
}

/// The text in lines of at most `columns`, broken at spaces where there are any.
///
/// In time that is linear in the text: what is left of a long word is never measured as a whole.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut rest = word;
        loop {
            let gap = usize::from(!line.is_empty());
            let room = columns.saturating_sub(used + gap);
            let fits = prefix(rest, room).len();
            if fits == rest.len() {
                line.extend([" "].iter().take(gap).copied());
                line.push_str(rest);
                used += gap + width(rest);
                break;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0;
                continue;
            }
            // A grapheme wider than the line goes on a line of its own all the same.
            let first = rest.graphemes(true).next().map_or(rest.len(), str::len);
            let (head, tail) = rest.split_at(fits.max(first));
            lines.push(head.to_owned());
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A command line as one would type it.
pub fn command_line(arguments: &[String]) -> String {
    let words: Vec<Cow<'_, str>> = arguments.iter().map(|argument| quoted(argument)).collect();
    printable(&words.join(" ")).into_owned()
}

fn quoted(argument: &str) -> Cow<'_, str> {
    let plain =
        |character: char| character.is_alphanumeric() || "-_=+/.,:@%^~\u{fffd}".contains(character);
    if !argument.is_empty() && argument.chars().all(plain) {
        return Cow::Borrowed(argument);
    }
    // Within double quotes these are the shell's; without any of them they read better.
    if argument.contains('\'') && !argument.contains(['"', '$', '`', '\\', '!']) {
        return Cow::Owned(format!("\"{argument}\""));
    }
    Cow::Owned(format!("'{}'", argument.replace('\'', r"'\''")))
}

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or(path)
}

/// `one thing`, `2 things`: the count with its noun.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{} {many}", crate::units::count(count)),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [head @ .., last] => {
            let head: Vec<&str> = head.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", head.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_line_are_whole() {
        let parts = ["heap 4.88 MiB", "allocates 349 MiB/s", "reads 1 B/s"].map(str::to_owned);
        let joined = |columns| join_within(&parts, columns);
        let all = "heap 4.88 MiB · allocates 349 MiB/s · reads 1 B/s";
        assert_eq!(
            (joined(200), joined(width(all))),
            (all.to_owned(), all.to_owned())
        );
        let two = "heap 4.88 MiB · allocates 349 MiB/s · …";
        assert_eq!((&*joined(48), &*joined(39)), (two, two));
        assert_eq!(
            (&*joined(38), &*joined(17)),
            ("heap 4.88 MiB · …", "heap 4.88 MiB · …")
        );
        assert_eq!((&*joined(13), &*joined(9)), ("heap 4.88 MiB", "heap 4.8…"));
        assert_eq!(join_within(&[], 5), "");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(printable("plain ünïcode 漢字"), "plain ünïcode 漢字");
        assert_eq!(
            printable("a\x1b]0;x\x07\tb\u{9b}"),
            "a\\u{1b}]0;x\\u{7}\\tb\\u{9b}"
        );
        assert_eq!(printable("x\u{202e}fdp.exe"), "x\\u{202e}fdp.exe");
    }

    #[test]
    fn what_is_cut_fits_and_keeps_graphemes_whole() {
        let samples = [
            "",
            "short",
            "/usr/lib/x86_64-linux-gnu/libc.so.6",
            "漢字漢字漢字",
            "e\u{301}e\u{301}e\u{301}",
            "👩‍👩‍👧👩‍👩‍👧",
        ];
        for text in samples {
            for columns in 0..40 {
                for short in [cut(text, columns), cut_front(text, columns)] {
                    assert!(width(&short) <= columns, "{short:?} in {columns}");
                    assert_eq!(
                        short == text,
                        width(text) <= columns,
                        "{short:?} in {columns}"
                    );
                }
            }
        }
        assert_eq!(cut("漢字漢字", 4), "漢…");
        assert_eq!(cut_front("漢字漢字", 4), "…字");
        assert_eq!(cut_front("/usr/lib/libc.so.6", 11), "…/libc.so.6");
        assert_eq!(cut_front("…/a/libc.so.6", 12), "…a/libc.so.6");
    }

    #[test]
    fn wrapped_lines_fit_and_lose_nothing() {
        let text = "a sentence with averyveryveryverylongword and 漢字漢字漢字漢字 in it";
        for columns in 2..30 {
            let lines = wrap(text, columns);
            assert!(lines.iter().all(|line| width(line) <= columns), "{lines:?}");
            assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
        assert_eq!(
            wrap("漢", 1),
            ["漢"],
            "what cannot fit is not dropped, and does not hang"
        );
        assert_eq!(wrap("", 10), Vec::<String>::new());
    }

    #[test]
    fn commands_are_quoted_as_a_shell_needs_it() {
        let arguments = ["sh", "-c", "echo 'hi' | wc", "it's $HOME", "", "a\nb"].map(String::from);
        assert_eq!(
            command_line(&arguments),
            r#"sh -c "echo 'hi' | wc" 'it'\''s $HOME' '' 'a\nb'"#
        );
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
