//! What a program leaves in its folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Visits what is in a folder, and what is in those folders below it for which `visit` says so.
pub fn walk(folder: &Path, visit: &mut impl FnMut(&Path) -> bool) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if visit(&path) {
            walk(&path, visit);
        }
    }
}

/// The files below a folder and their contents. Reports are left out, and files that differ from run to run: git's
/// index contains times, and SQLite's journal a random number.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    walk(folder, &mut |path| {
        if path.is_dir() {
            return true;
        }
        let name = path.strip_prefix(folder).expect("below it");
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with("weir.") && name != ".git/index" && !name.ends_with("-journal") {
            files.insert(name, fs::read(path).expect("a file"));
        }
        false
    });
    files
}
