//! Names of functions that fit.

use std::borrow::Cow;

use crate::text;

const LEFT_OUT: &str = "…";

/// The name in no more than so many columns: without the arguments of templates and generics first, then cut.
pub fn shortened(name: &str, columns: usize) -> String {
    if text::width(name) <= columns {
        return name.to_owned();
    }
    text::cut(&without_arguments(name), columns).into_owned()
}

/// `std::map<int, std::string>::find` becomes `std::map<…>::find`, and `run(int, char**)::{lambda(int)#1}`
/// `run(…)::{lambda(…)#1}`. What a Rust name begins with is no argument, so `<alloc::vec::Vec<u8> as core::clone::Clone>::clone`
/// becomes `<alloc::vec::Vec<…> as core::clone::Clone>::clone`; and `(anonymous namespace)` are no parameters.
fn without_arguments(name: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(name.len());
    // The brackets that are open: how they are closed, and whether what is in them is kept.
    let mut open: Vec<(&str, bool)> = Vec::new();
    let mut rest = name;
    while let Some(character) = rest.chars().next() {
        let is_kept = open.iter().all(|&(_, is_kept)| is_kept);
        let length = match operator(rest) {
            0 => character.len_utf8(),
            length => length,
        };
        let (piece, after) = rest.split_at(length);
        match piece {
            "<" | "(" => {
                let is_part_of_the_name = match piece {
                    "<" => out.chars().all(|before| before == '<'),
                    _ => !out.ends_with(|before: char| {
                        before.is_alphanumeric() || "_>…".contains(before)
                    }),
                };
                let close = if piece == "<" { ">" } else { ")" };
                open.push((close, is_part_of_the_name));
                if is_kept {
                    out.push_str(piece);
                    out.push_str(if is_part_of_the_name { "" } else { LEFT_OUT });
                }
            }
            ">" | ")" => {
                if open.pop().is_none_or(|(close, _)| close != piece) {
                    return Cow::Borrowed(name);
                }
                if open.iter().all(|&(_, is_kept)| is_kept) {
                    out.push_str(piece);
                }
            }
            _ if is_kept => out.push_str(piece),
            _ => {}
        }
        rest = after;
    }
    match open.is_empty() {
        true => Cow::Owned(out),
        false => Cow::Borrowed(name),
    }
}

/// How many bytes at the start of a text are an operator or an arrow, in which `<` and `>` are no brackets.
fn operator(text: &str) -> usize {
    const WORD: &str = "operator";
    const OPERATORS: [&str; 12] = [
        "()", "<<=", ">>=", "<=>", "->*", "<<", ">>", "<=", ">=", "->", "<", ">",
    ];
    if text.starts_with("->") {
        return 2;
    }
    let Some(after) = text.strip_prefix(WORD) else {
        return 0;
    };
    let operators = OPERATORS
        .iter()
        .filter(|operator| after.starts_with(**operator));
    operators
        .map(|operator| WORD.len() + operator.len())
        .next()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_left_out_and_operators_are_not() {
        for (name, short) in [
            ("main", "main"),
            (
                "std::map<int, std::vector<int> >::find",
                "std::map<…>::find",
            ),
            ("f<int>::g<char>", "f<…>::g<…>"),
            ("operator<", "operator<"),
            ("operator<< <char>", "operator<< <…>"),
            ("a::operator->", "a::operator->"),
            ("a<b>::operator<=>", "a<…>::operator<=>"),
            (
                "<alloc::vec::Vec<u8> as core::clone::Clone>::clone",
                "<alloc::vec::Vec<…> as core::clone::Clone>::clone",
            ),
            ("<<a as b<c>>::d as e>::f", "<<a as b<…>>::d as e>::f"),
            (
                "core::ops::function::FnOnce<fn(u8) -> u8>::call_once",
                "core::ops::function::FnOnce<…>::call_once",
            ),
            (
                "run(int, char**)::{lambda(int)#1}::operator()",
                "run(…)::{lambda(…)#1}::operator()",
            ),
            (
                "(anonymous namespace)::Shelf<int>::put",
                "(anonymous namespace)::Shelf<…>::put",
            ),
            ("f<(a)1>(b)", "f<…>(…)"),
            ("a<b)", "a<b)"),
            ("a<b", "a<b"),
            ("a>b", "a>b"),
        ] {
            assert_eq!(without_arguments(name), short, "{name}");
        }
    }

    #[test]
    fn a_name_is_shortened_only_where_it_must_be() {
        let name = "store::Shelf<std::string, 7>::put";
        assert_eq!(shortened(name, 40), name);
        assert_eq!(shortened(name, 25), "store::Shelf<…>::put");
        assert_eq!(shortened(name, 10), "store::Sh…");
        for columns in 0..40 {
            assert!(text::width(&shortened(name, columns)) <= columns);
        }
    }
}
