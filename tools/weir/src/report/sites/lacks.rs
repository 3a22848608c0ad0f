//! What keeps names and lines from being found, and what to do.

use std::cmp::Reverse;

use super::super::page::Page;
use crate::sites::Sites;
use crate::symbols::Lack;
use crate::text;

/// How many objects are named.
const SHOWN: usize = 10;

pub fn show(page: &mut Page, sites: &Sites) {
    if sites.lacks.is_empty() {
        return;
    }
    page.heading("Names that are missing", "");
    page.sentences(&sentences(sites));
    for remedy in remedies(sites) {
        page.remark(remedy);
    }
}

/// The objects whose names could not all be found, those of most frames first, a sentence each.
pub fn sentences(sites: &Sites) -> Vec<String> {
    let mut frames = vec![0_u64; sites.stacks.modules.len()];
    for module in sites.stacks.frames.iter().filter_map(|frame| frame.module) {
        frames[module as usize] += 1;
    }
    let mut lacks: Vec<&(u32, Lack)> = sites.lacks.iter().collect();
    lacks.sort_by_key(|(module, _)| Reverse(frames[*module as usize]));

    let mut sentences: Vec<String> = lacks
        .iter()
        .take(SHOWN)
        .map(|(module, lack)| {
            let module = &sites.stacks.modules[*module as usize];
            let id = module.build_id.as_deref();
            let id = id.map_or(String::new(), |id| format!(" (build id {id})"));
            format!("{} {lack}{id}", module.path)
        })
        .collect();
    if lacks.len() > SHOWN {
        let more = text::counted((lacks.len() - SHOWN) as u64, "more object", "more objects");
        sentences.push(format!("and {more}"));
    }
    sentences
}

/// What to do about it.
pub fn remedies(sites: &Sites) -> Vec<&'static str> {
    let mut remedies = Vec::new();
    let has = |is: fn(&Lack) -> bool| sites.lacks.iter().any(|(_, lack)| is(lack));
    if has(|lack| matches!(lack, Lack::NoLines | Lack::NoSymbols | Lack::NoUse(_))) {
        remedies.push(
            "For a program of your own, compile with -g. For a package, install its debug symbols (Debian and Ubuntu: the package \
             with -dbgsym at the end of its name; Fedora: dnf debuginfo-install), or let debuginfod-find debuginfo BUILD-ID fetch them.",
        );
    }
    if has(|lack| matches!(lack, Lack::NoPart(_))) {
        remedies.push(
            "Keep the .dwo files that the compiler has made where they are, or beside the program; or put a package of them beside it, \
             with .dwp behind the program's whole name (dwp -e PROGRAM -o PROGRAM.dwp).",
        );
    }
    if has(|lack| matches!(lack, Lack::Missing | Lack::Changed | Lack::Unreadable(_))) {
        remedies.push(
            "Read the report where the program ran, before its files change. Elsewhere debug symbols will do: they are found by \
             build id.",
        );
    }
    remedies
}
