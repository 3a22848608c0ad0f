//! Leaks that are known and wanted, in LeakSanitizer's format.
//!
//! A line is `leak:` and a pattern: a part of the name of a function, a source file or an object that is in the stack of the
//! allocation. `*` stands for any text, `^` and `$` for the beginning and the end. Empty lines, and those that begin with `#`, say
//! nothing. (clang.llvm.org/docs/AddressSanitizer.html, "Suppressing memory leaks".)

use std::fs;
use std::path::Path;

use weir_report::model::Stacks;
use wildmatch::WildMatchPattern;

use super::points::{Point, Points};
use crate::failure::Failure;
use crate::text;

/// The larger a file, the likelier it is something else.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// A pattern in which only `*` is special.
type Pattern = WildMatchPattern<'*', '\0'>;

/// What a file names.
#[derive(Debug)]
pub struct Suppressions(Vec<Pattern>);

/// The leaks that were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// Blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of the patterns matched.
    pub used: usize,
    /// How many patterns there are.
    pub patterns: usize,
}

impl Suppressions {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, or a line is not in the format.
    pub fn read(file: &Path) -> Result<Suppressions, Failure> {
        let length = fs::metadata(file).map_err(|error| Failure::of_file("read", file, error))?;
        if length.is_file() && length.len() > MOST_BYTES {
            let large = std::io::ErrorKind::FileTooLarge.into();
            return Err(Failure::of_file("read", file, large));
        }
        let bytes = fs::read(file).map_err(|error| Failure::of_file("read", file, error))?;
        Suppressions::parse(&String::from_utf8_lossy(&bytes)).map_err(|line| {
            let file = text::printable(&file.to_string_lossy()).into_owned();
            Failure::of_weir(format!("{file}: line {line} is no suppression of a leak"))
                .with_remedy("write leak:PATTERN, as for LeakSanitizer")
        })
    }

    /// The suppressions of a text, or the number of the first line that is none.
    fn parse(text: &str) -> Result<Suppressions, usize> {
        let mut patterns = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let pattern = line.strip_prefix("leak:").ok_or(number)?;
            if pattern.is_empty() {
                return Err(number);
            }
            let (pattern, before) = match pattern.strip_prefix('^') {
                Some(rest) => (rest, ""),
                None => (pattern, "*"),
            };
            let (pattern, after) = match pattern.strip_suffix('$') {
                Some(rest) => (rest, ""),
                None => (pattern, "*"),
            };
            patterns.push(Pattern::new(&format!("{before}{pattern}{after}")));
        }
        Ok(Suppressions(patterns))
    }

    /// Takes what is suppressed from what is live at the sites.
    pub fn apply(&self, stacks: &mut Stacks, points: &Points) -> Suppressed {
        let matching = |names: &[&str]| {
            let matches = |pattern: &&Pattern| names.iter().any(|name| pattern.matches(name));
            self.0.iter().position(|pattern| matches(&pattern))
        };
        let of_point = |point: &Point| {
            let file = point.file.as_deref().unwrap_or_default();
            matching(&[&point.function, file, &point.path])
        };
        let of_points: Vec<Option<usize>> = points.all().map(of_point).collect();
        // The first frame that matches decides, from the innermost on; callers come before what they call.
        let mut of_frames: Vec<Option<usize>> = Vec::with_capacity(stacks.frames.len());
        for (index, frame) in (0..).zip(&stacks.frames) {
            let own = points.of_frame(index).iter().rev();
            let own = own.filter_map(|&point| of_points[point as usize]).next();
            let caller = || of_frames[frame.parent? as usize];
            of_frames.push(own.or_else(caller));
        }
        let mut suppressed = Suppressed {
            patterns: self.0.len(),
            ..Suppressed::default()
        };
        let mut used = vec![false; self.0.len()];
        for site in &mut stacks.sites {
            let Some(blocks) = site.blocks.as_mut().filter(|blocks| blocks.live > 0) else {
                continue;
            };
            let called = matching(&[&site.function]);
            let of_stack = site.frame.and_then(|frame| of_frames[frame as usize]);
            let Some(pattern) = called.or(of_stack) else {
                continue;
            };
            used[pattern] = true;
            suppressed.blocks = suppressed.blocks.saturating_add(blocks.live);
            suppressed.bytes = suppressed.bytes.saturating_add(blocks.live_bytes);
            (blocks.live, blocks.live_bytes) = (0, 0);
        }
        suppressed.used = used.into_iter().filter(|&used| used).count();
        suppressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sites::sample;

    /// How many bytes are left live, and what was suppressed.
    fn left(text: &str) -> (u64, Suppressed) {
        let mut sites = sample::sites();
        let suppressions = Suppressions::parse(text).expect("suppressions");
        let suppressed = suppressions.apply(&mut sites.stacks, &sites.points);
        let blocks = sites.stacks.sites.iter().filter_map(|site| site.blocks);
        (blocks.map(|blocks| blocks.live_bytes).sum(), suppressed)
    }

    #[test]
    fn a_pattern_is_in_a_function_a_file_or_an_object_of_the_stack() {
        // The sample has 524,304 bytes in one block below shelf::parse, and 3,936 in 120 below shelf::text_of.
        let all = 524_304 + 3_936;
        for (text, bytes, blocks) in [
            ("", 0, 0),
            ("# nothing\n\n  \n", 0, 0),
            ("leak:other", 0, 0),
            ("leak:text_of", 3_936, 120),
            ("leak:^shelf::text_of$", 3_936, 120),
            ("leak:^text_of", 0, 0),
            ("leak:shelf::text$", 0, 0),
            ("leak:shelf::*_of", 3_936, 120),
            ("  leak:shelf::par*::push_back", 0, 0),
            ("leak:push_back", 524_304, 1),
            ("leak:?arse", 0, 0),
            // Both are below it.
            ("leak:shelf::load", all, 121),
            ("leak:load.cc", all, 121),
            ("leak:realloc", all, 121),
            ("leak:^realloc$", 3_936, 120),
            ("leak:text_of\nleak:push_back", all, 121),
        ] {
            let (left, suppressed) = left(text);
            assert_eq!(
                (suppressed.bytes, suppressed.blocks),
                (bytes, blocks),
                "{text}"
            );
            assert_eq!(left, all - bytes, "{text}");
        }
        let (_, suppressed) = left("leak:text_of\nleak:nothing\nleak:push_back");
        assert_eq!((suppressed.used, suppressed.patterns), (2, 3));
    }

    #[test]
    fn what_is_no_suppression_is_refused_by_its_line() {
        for (text, line) in [
            ("race:x", 1),
            ("leak:x\n\nleak:", 3),
            ("leak:x\nx", 2),
            ("{", 1),
        ] {
            assert_eq!(Suppressions::parse(text).err(), Some(line), "{text}");
        }
    }
}
