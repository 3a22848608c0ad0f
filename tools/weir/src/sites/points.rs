//! What frames are: functions, files, lines.

use std::collections::HashMap;

use weir_report::model::{Module, SiteFile, Stacks};

use crate::symbols::Place;
use crate::text;

/// The index of a point.
pub type PointId = u32;

/// A place in a program from which something is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Point {
    /// The function; where it is not known, the object and an address in it, such as `libx.so+0x1234`.
    pub function: String,
    /// The source file.
    pub file: Option<String>,
    /// The line of the file.
    pub line: Option<u32>,
    /// The object, as an index in the stacks' list; absent for code that is in none.
    pub module: Option<u32>,
    /// The object's path, empty for code that is in none.
    pub path: String,
    /// Whether the compiler put the function's code into that of its caller.
    pub is_inlined: bool,
    /// Whether the function's name is known.
    pub is_named: bool,
    /// Whether it is an interpreter's.
    pub is_interpreter: bool,
}

impl Point {
    /// `parse.c:123`: the file without its directories, and the line. Empty where they are not known.
    pub fn place(&self) -> String {
        self.at(self.file.as_deref().map(text::file_name))
    }

    /// The same with the file's whole path.
    pub fn whole_place(&self) -> String {
        self.at(self.file.as_deref())
    }

    fn at(&self, file: Option<&str>) -> String {
        match (file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.to_owned(),
            (None, _) => String::new(),
        }
    }

    /// Whether it belongs to a language or its libraries, or is a program's own name for an allocation function: whoever looks
    /// for the place in a program looks for its caller.
    pub fn is_plumbing(&self) -> bool {
        const FUNCTIONS: [&str; 20] = [
            "operator new",
            "operator delete",
            "std::",
            "__gnu_cxx::",
            "__gthread_",
            "__cxxabiv1::",
            "alloc::",
            "core::",
            "hashbrown::",
            "<alloc::",
            "<core::",
            "<std::",
            "<hashbrown::",
            "__rust_",
            "__rustc::",
            "__rdl_",
            "__libc_",
            "__GI_",
            "_IO_",
            "_dl_",
        ];
        self.is_interpreter
            || self.function == "_start"
            || FUNCTIONS
                .iter()
                .any(|start| self.function.starts_with(start))
            || is_library(&self.path)
            || is_allocation_wrapper(&self.function)
    }
}

/// Whether an object is a library of a language.
pub fn is_library(path: &str) -> bool {
    const OBJECTS: [&str; 6] = [
        "libc.so",
        "ld-linux",
        "libstdc++.so",
        "libc++.so",
        "libc++abi.so",
        "libgcc_s.so",
    ];
    let object = text::file_name(path);
    OBJECTS.iter().any(|start| object.starts_with(start))
}

/// Whether a function is by its name an allocation function of a program's own: `xmalloc`, `Perl_safesysmalloc`,
/// `_PyMem_RawMalloc`, `g_malloc0`, `xstrdup`.
fn is_allocation_wrapper(function: &str) -> bool {
    const ENDINGS: [&str; 8] = [
        "malloc",
        "calloc",
        "zalloc",
        "realloc",
        "reallocarray",
        "strdup",
        "strndup",
        "memdup",
    ];
    // Without arguments, namespaces, and what compilers add to copies of a function (`.constprop.0`).
    let name = function
        .split(['(', '.', '[', '<'])
        .next()
        .unwrap_or_default();
    let name = name.rsplit("::").next().unwrap_or_default();
    let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '_');
    ENDINGS.iter().any(|ending| {
        let start = name.len().checked_sub(ending.len());
        start
            .and_then(|start| name.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(ending))
    })
}

/// All points, each once, and those of each frame.
pub struct Points {
    points: Vec<Point>,
    known: HashMap<Point, PointId>,
    /// Those of each frame, the outermost function first.
    frames: Vec<Box<[PointId]>>,
}

impl Points {
    /// For so many frames.
    pub fn new(frames: usize) -> Points {
        Points {
            points: Vec::new(),
            known: HashMap::new(),
            frames: vec![Box::default(); frames],
        }
    }

    /// Those that are known.
    pub fn all(&self) -> impl Iterator<Item = &Point> {
        self.points.iter()
    }

    /// One of them.
    pub fn get(&self, id: PointId) -> &Point {
        &self.points[id as usize]
    }

    /// The points of a frame: the function first whose code it is, then those that are inlined there.
    pub fn of_frame(&self, frame: u32) -> &[PointId] {
        &self.frames[frame as usize]
    }

    /// Adds frames of an object, for each of which there are places, the innermost one first.
    pub fn add(
        &mut self,
        index: u32,
        module: &Module,
        stacks: &Stacks,
        frames: &[u32],
        places: Vec<Vec<Place>>,
    ) {
        for (&frame, places) in frames.iter().zip(places) {
            let offset = stacks.frames[frame as usize].offset;
            let last = places.len().saturating_sub(1);
            let mut ids = Vec::with_capacity(places.len().max(1));
            for (at, place) in places.into_iter().enumerate() {
                ids.push(
                    self.id(Point {
                        is_named: place.function.is_some(),
                        function: place
                            .function
                            .unwrap_or_else(|| nameless(&module.path, offset)),
                        file: place.file,
                        line: place.line,
                        module: Some(index),
                        path: module.path.clone(),
                        is_inlined: at < last,
                        is_interpreter: module.interprets.is_some(),
                    }),
                );
            }
            if ids.is_empty() {
                ids.push(self.id(Point {
                    function: nameless(&module.path, offset),
                    module: Some(index),
                    path: module.path.clone(),
                    is_interpreter: module.interprets.is_some(),
                    ..Point::default()
                }));
            }
            ids.reverse();
            self.frames[frame as usize] = ids.into();
        }
    }

    /// Adds frames that are in no object.
    pub fn add_nameless(&mut self, stacks: &Stacks, frames: &[u32]) {
        for &frame in frames {
            let offset = stacks.frames[frame as usize].offset;
            let id = self.id(Point {
                function: format!("{offset:#x}"),
                ..Point::default()
            });
            self.frames[frame as usize] = [id].into();
        }
    }

    /// Adds a frame that stands for a file, behind all others.
    pub fn add_file(&mut self, frame: u32, file: &SiteFile) {
        let id = self.id(Point {
            function: match file.name.as_str() {
                "" => file.kind.clone(),
                name => name.to_owned(),
            },
            is_named: true,
            ..Point::default()
        });
        debug_assert_eq!(self.frames.len(), frame as usize);
        self.frames.push([id].into());
    }

    /// Adds a frame with the points of another, behind all others.
    pub fn add_copy(&mut self, frame: u32, other: u32) {
        debug_assert_eq!(self.frames.len(), frame as usize);
        self.frames.push(self.frames[other as usize].clone());
    }

    /// Gives a frame its points.
    #[cfg(test)]
    pub fn set(&mut self, frame: u32, points: Vec<Point>) {
        let ids = points.into_iter().map(|point| self.id(point));
        self.frames[frame as usize] = ids.collect();
    }

    fn id(&mut self, point: Point) -> PointId {
        if let Some(&id) = self.known.get(&point) {
            return id;
        }
        // There are fewer than bytes of a report.
        let id = self.points.len() as PointId;
        self.points.push(point.clone());
        self.known.insert(point, id);
        id
    }
}

/// What a frame without a name is called.
fn nameless(path: &str, offset: u64) -> String {
    format!("{}+{offset:#x}", text::file_name(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plumbing_is_not_where_a_programmer_looks() {
        let is_plumbing = |function: &str, path: &str| {
            let point = Point {
                function: function.to_owned(),
                path: path.to_owned(),
                ..Point::default()
            };
            point.is_plumbing()
        };
        for function in [
            "operator new",
            "std::vector<int>::push_back",
            "<alloc::vec::Vec<T> as X>::y",
        ] {
            assert!(is_plumbing(function, "/bin/a"), "{function}");
        }
        for function in [
            "xmalloc",
            "do_xmalloc.constprop.0",
            "_PyMem_RawMalloc",
            "Perl_safesysrealloc",
            "g_malloc0",
            "app::util::xcalloc(unsigned long, unsigned long)",
            "xstrdup",
        ] {
            assert!(is_plumbing(function, "/bin/a"), "{function}");
        }
        for function in [
            "main",
            "store::put",
            "my::std::x",
            "operator_new",
            "measure_malloc_and_free",
            "allocate",
            "malloc_all::run",
            "é",
        ] {
            assert!(!is_plumbing(function, "/bin/a"), "{function}");
        }
        assert!(is_plumbing("fopen", "/lib/x86_64-linux-gnu/libc.so.6"));
        assert!(!is_plumbing("deflate", "/lib/libz.so.1"));
    }

    #[test]
    fn a_place_is_as_exact_as_it_is_known() {
        let point = |file: Option<&str>, line| Point {
            file: file.map(str::to_owned),
            line,
            ..Point::default()
        };
        assert_eq!(point(Some("/src/a/parse.c"), Some(7)).place(), "parse.c:7");
        assert_eq!(
            point(Some("/src/a/parse.c"), Some(7)).whole_place(),
            "/src/a/parse.c:7"
        );
        assert_eq!(point(Some("/src/a/parse.c"), None).place(), "parse.c");
        assert_eq!(point(None, Some(7)).place(), "");
    }
}
