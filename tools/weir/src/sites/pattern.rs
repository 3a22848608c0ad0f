//! Which stacks are wanted.

use wildmatch::WildMatch;

use super::points::Point;
use crate::cli::{Group, SiteArgs};
use crate::text;

/// The call sites that a user asks for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only those of these functions; all where it is absent.
    pub group: Option<Group>,
    /// Only stacks with one of these; all where there are none.
    pub focus: Patterns,
    /// And none with one of these.
    pub ignore: Patterns,
}

impl Wanted {
    /// Those of a command line.
    pub fn of(args: &SiteArgs) -> Wanted {
        Wanted {
            group: args.of,
            focus: Patterns::of(&args.focus),
            ignore: Patterns::of(&args.ignore),
        }
    }
}

/// Parts of names, or with `*` and `?` whole ones; `OBJECT!FUNCTION` is a function of an object.
#[derive(Debug, Default)]
pub struct Patterns(Vec<Pattern>);

#[derive(Debug)]
enum Pattern {
    Part(String),
    Whole(WildMatch),
    Both {
        object: WildMatch,
        function: WildMatch,
    },
}

impl Patterns {
    /// Those that a user wrote.
    pub fn of(texts: &[String]) -> Patterns {
        let patterns = texts.iter().map(|text| match text.split_once('!') {
            Some((object, function)) => Pattern::Both {
                object: WildMatch::new(object),
                function: WildMatch::new(function),
            },
            None if text.contains(['*', '?']) => Pattern::Whole(WildMatch::new(text)),
            None => Pattern::Part(text.clone()),
        });
        Patterns(patterns.collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is the function, the source file or the object of a point. Of files, the name will do.
    pub fn matches(&self, point: &Point) -> bool {
        let file = point.file.as_deref().unwrap_or_default();
        let names = [&point.function, file, &point.path];
        self.0.iter().any(|pattern| match pattern {
            Pattern::Part(part) => names.iter().any(|name| name.contains(part)),
            Pattern::Whole(whole) => {
                let short = [file, &point.path].map(text::file_name);
                names
                    .iter()
                    .chain(&short)
                    .any(|name| !name.is_empty() && whole.matches(name))
            }
            Pattern::Both { object, function } => {
                let path = &point.path;
                let is_object = object.matches(path) || object.matches(text::file_name(path));
                is_object && function.matches(&point.function)
            }
        })
    }

    /// Whether one of them is the function that was called.
    pub fn matches_called(&self, function: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::Part(part) => function.contains(part),
            Pattern::Whole(whole) => whole.matches(function),
            // It is not known which object the function that was called is in.
            Pattern::Both { .. } => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_part_or_with_stars_the_whole() {
        let point = Point {
            function: "store::Keeper::count".to_owned(),
            file: Some("/src/store/keeper.cc".to_owned()),
            path: "/opt/lib/libstore.so.2".to_owned(),
            ..Point::default()
        };
        for (pattern, matches) in [
            ("Keeper", true),
            ("keeper.cc", true),
            ("libstore", true),
            ("keeper", true),
            ("other", false),
            ("store::*", true),
            ("*::count", true),
            ("Keeper*", false),
            ("*.cc", true),
            ("keeper.??", true),
            ("keeper.?", false),
            ("libstore.so*", true),
            ("/src/*", true),
            ("libstore.so*!*", true),
            ("/opt/lib/*!store::*", true),
            ("libstore.so*!other", false),
            ("libother.so!*", false),
            ("*", true),
        ] {
            let patterns = Patterns::of(&[pattern.to_owned()]);
            assert_eq!(patterns.matches(&point), matches, "{pattern}");
        }
        assert!(!Patterns::default().matches(&point));
        let called = Patterns::of(&["mall".to_owned(), "f?ead".to_owned()]);
        for (function, matches) in [("malloc", true), ("fread", true), ("read", false)] {
            assert_eq!(called.matches_called(function), matches, "{function}");
        }
    }
}
