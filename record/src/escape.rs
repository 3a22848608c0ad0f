//! Makes text of other programs harmless for a terminal. All text that Weir shows and that is not its own is escaped
//! here, in the command and in the preloaded library.

/// Shows text piece by piece to `put`: as it is, but for what would command a terminal (control characters, of
/// either set), what reorders or hides what is beside it (Unicode's format characters) and what ends a line, which
/// are escaped; and bytes that are no UTF-8, as `\xff`.
pub fn escape(text: &[u8], mut put: impl FnMut(&str)) {
    for chunk in text.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some((at, character)) = rest.char_indices().find(|&(_, c)| is_escaped(c)) {
            let (before, from) = rest.split_at(at);
            put(before);
            for escaped in character.escape_default() {
                put(escaped.encode_utf8(&mut [0; 4]));
            }
            rest = &from[character.len_utf8()..];
        }
        put(rest);
        for byte in chunk.invalid() {
            let digit = |number: u8| char::from_digit(number.into(), 16).unwrap_or('?');
            put("\\x");
            put(digit(byte >> 4).encode_utf8(&mut [0; 4]));
            put(digit(byte & 0xf).encode_utf8(&mut [0; 4]));
        }
    }
}

/// Whether [`escape`] does not show a character as it is: those of the categories Cc, Cf, Zl and Zp (Unicode 16).
pub fn is_escaped(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &[u8]) -> String {
        let mut out = String::new();
        escape(text, |piece| out.push_str(piece));
        out
    }

    #[test]
    fn what_commands_a_terminal_is_escaped_and_all_else_is_not() {
        for plain in ["", "plain", "ünïcode 漢字", "a\u{301} \u{fe0f}👩"] {
            assert_eq!(escaped(plain.as_bytes()), plain);
        }
        for (text, expected) in [
            (&b"a\x1b]0;x\x07\tb\n"[..], r"a\u{1b}]0;x\u{7}\tb\n"),
            ("\u{9b}31m".as_bytes(), r"\u{9b}31m"),
            (
                "x\u{202e}fdp\u{61c}\u{200d}".as_bytes(),
                r"x\u{202e}fdp\u{61c}\u{200d}",
            ),
            (
                "\u{feff}\u{e0041}\u{2028}".as_bytes(),
                r"\u{feff}\u{e0041}\u{2028}",
            ),
            (b"\xff\xfea\xc3", r"\xff\xfea\xc3"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
