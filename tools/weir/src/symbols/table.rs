//! Functions from the table of symbols.

use object::elf;
use object::read::{Object as _, ObjectSymbol as _, ObjectSymbolTable as _, SymbolIndex};

use super::object::{Elf, Object};

/// More names than any function has.
const MOST_ALIASES: usize = 16;

/// The functions of a file, by address.
pub struct Table<'d> {
    elf: Elf<'d>,
    functions: Vec<Function>,
}

/// One entry.
#[derive(Clone, Copy)]
struct Function {
    address: u64,
    size: u64,
    /// Among those of one address.
    rank: u8,
    index: SymbolIndex,
    is_dynamic: bool,
}

impl<'d> Table<'d> {
    /// Those of a file; none where there are none.
    pub fn of(object: &'d Object) -> Option<Table<'d>> {
        let elf = object.elf().ok()?;
        let mut functions = Vec::new();
        for (symbols, is_dynamic) in [(elf.symbols(), false), (elf.dynamic_symbols(), true)] {
            for symbol in symbols {
                let raw = symbol.elf_symbol();
                let is_function = matches!(raw.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC);
                if !is_function || symbol.is_undefined() {
                    continue;
                }
                functions.push(Function {
                    address: symbol.address(),
                    size: symbol.size(),
                    rank: match raw.st_bind() {
                        elf::STB_GLOBAL => 0,
                        elf::STB_WEAK => 1,
                        _ => 2,
                    },
                    index: symbol.index(),
                    is_dynamic,
                });
            }
        }
        functions.sort_by_key(|function| function.address);
        (!functions.is_empty()).then_some(Table { elf, functions })
    }

    /// The name of the function that an address is in.
    pub fn name(&self, address: u64) -> Option<String> {
        let end = self
            .functions
            .partition_point(|function| function.address <= address);
        let start = self.functions[..end].last()?.address;
        // Between functions that have names are those that have none. What has no size ends where the next one begins.
        let is_inside = |function: &Function| function.size == 0 || address - start < function.size;
        self.functions[..end]
            .iter()
            .rev()
            .take_while(|function| function.address == start)
            .take(MOST_ALIASES)
            .filter(|function| is_inside(function))
            .filter_map(|function| Some((function.rank, self.name_of(function)?)))
            .min_by_key(|(rank, name)| {
                let underscores = name.bytes().take_while(|&byte| byte == b'_').count();
                (*rank, underscores, name.len())
            })
            .map(|(_, name)| name)
    }

    fn name_of(&self, function: &Function) -> Option<String> {
        let symbol = match function.is_dynamic {
            false => self.elf.symbol_by_index(function.index),
            true => self
                .elf
                .dynamic_symbol_table()?
                .symbol_by_index(function.index),
        };
        let name = symbol.ok()?.name_bytes().ok()?.to_vec();
        let name = String::from_utf8_lossy(&name).into_owned();
        (!name.is_empty()).then_some(name)
    }
}
