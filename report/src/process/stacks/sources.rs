//! Source files of interpreted code: as objects of the report, with the names of their frames.

use std::collections::{BTreeMap, HashMap};

use weir_record::stacks::{InterpretedCode, Line};

use crate::model::{CodeName, CodePlace, Module};
use crate::process::text;

/// The source files whose code is in the stacks.
#[derive(Default)]
pub struct Sources {
    files: Vec<Source>,
    /// The place of each file in the list.
    known: HashMap<String, usize>,
    /// The file's place, and the frame's offset, of each line.
    lines: HashMap<(u16, u32), (usize, u64)>,
}

struct Source {
    path: String,
    names: BTreeMap<u64, CodeName>,
}

/// The largest number that every reader of JSON keeps, plus one.
const MOST_OFFSET: u64 = 1 << 53;

impl Sources {
    /// The place of the file among the sources, and the offset that stands for the line.
    pub fn name(&mut self, line: Line, codes: &[InterpretedCode]) -> (usize, u64) {
        if let Some(&known) = self.lines.get(&(line.code, line.line)) {
            return known;
        }
        let code = codes.get(usize::from(line.code));
        let path = code.map_or_else(String::new, |code| text(&code.file));
        let function = code.map(|code| text(&code.function));
        let source = *self.known.entry(path.clone()).or_insert_with(|| {
            self.files.push(Source {
                path: path.clone(),
                names: BTreeMap::new(),
            });
            self.files.len() - 1
        });
        // The same in every image that has the function.
        let first_line = code.map_or(0, InterpretedCode::first_line);
        let offset = offset(
            function.as_deref().unwrap_or_default(),
            first_line,
            line.line,
        );
        let place = CodePlace {
            function,
            file: Some(path).filter(|path| !path.is_empty()),
            line: Some(line.line).filter(|&line| line != 0),
        };
        let name = CodeName {
            offset,
            places: vec![place],
        };
        self.files[source].names.insert(offset, name);
        self.lines.insert((line.code, line.line), (source, offset));
        (source, offset)
    }

    /// All of them.
    pub fn modules(self) -> impl Iterator<Item = Module> {
        self.files.into_iter().map(|source| Module {
            path: source.path,
            language: Some(super::PYTHON.to_owned()),
            names: source.names.into_values().collect(),
            ..Module::default()
        })
    }
}

/// FNV-1a.
fn offset(function: &str, first_line: u32, line: u32) -> u64 {
    let numbers = first_line
        .to_le_bytes()
        .into_iter()
        .chain(line.to_le_bytes());
    let bytes = function.bytes().chain(numbers);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ hash >> 53) % MOST_OFFSET
}
