//! Names as the source has them.

use cpp_demangle::{BorrowedSymbol, DemangleOptions};

/// More than any name needs: the demangled form of a longer one may be much longer still.
const LONGEST: usize = 64 << 10;

/// The name that a compiler made of a function's, as the language has it: C++ without the parameters and the type of the
/// result, Rust without the hash. Any other name is left as it is.
pub fn demangled(name: &str) -> String {
    // What the linker adds, is not part of the name: `memcpy@@GLIBC_2.14`.
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    if name.len() > LONGEST {
        return name.to_owned();
    }
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return format!("{rust:#}");
    }
    if name.starts_with("_Z")
        // The name comes first. Of some parameters and results of templates this crate does not understand the type
        // (std::make_shared since C++17); they are left out anyway.
        && let Ok((symbol, _)) = BorrowedSymbol::with_tail(name.as_bytes())
    {
        let options = DemangleOptions::new().no_params().no_return_type();
        if let Ok(cpp) = symbol.demangle_with_options(&options)
            && cpp.len() <= LONGEST
        {
            let without = cpp.strip_suffix(" const").map(str::len);
            return cpp[..without.unwrap_or(cpp.len())].to_owned();
        }
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        for (mangled, name) in [
            ("main", "main"),
            ("memcpy@@GLIBC_2.14", "memcpy"),
            ("_Znwm", "operator new"),
            ("_ZN3foo3barEi", "foo::bar"),
            (
                "_ZNSt6vectorIiSaIiEE9push_backERKi",
                "std::vector<int, std::allocator<int> >::push_back",
            ),
            ("_Z3getILi3EEiv", "get<3>"),
            ("_ZNK3foo3bazEv", "foo::baz"),
            (
                "_ZSt11make_sharedI4ItemJS0_EESt10shared_ptrINSt9enable_ifIXntsrSt8is_arrayIT_E5valueES4_E4typeEEDpOT0_",
                "std::make_shared<Item, Item>",
            ),
            (
                "_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE",
                "core::fmt::Formatter::write_str",
            ),
            ("_RNvCs1234_4mine3foo", "mine::foo"),
            ("_Z", "_Z"),
            ("_ZN", "_ZN"),
            ("_Znonsense", "_Znonsense"),
        ] {
            assert_eq!(demangled(mangled), name, "{mangled}");
        }
    }

    #[test]
    fn a_name_that_grows_without_end_is_left_as_it_is() {
        let deep = format!("_Z1f{}", "P".repeat(100_000));
        assert_eq!(demangled(&deep), deep);
        // Each substitution names the pair before it twice.
        let pair = (0..60).map(|at| match at {
            0 => "S_".to_owned(),
            1..=10 => format!("S{}_", at - 1),
            _ => format!("S{}_", (b'A' + (at - 11) as u8) as char),
        });
        let growing: String = pair
            .take(36)
            .map(|of| format!("St4pairI{of}{of}E"))
            .collect();
        let name = format!("_Z1fi{growing}");
        assert!(demangled(&name).len() <= LONGEST);
    }
}
