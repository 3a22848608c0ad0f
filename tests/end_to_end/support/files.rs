//! What a program leaves in its folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The files below a folder and their contents. Reports are left out, and files that differ from run to run: git's
/// index contains times, and SQLite's journal a random number.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .strip_prefix(root)
                .expect("below it")
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                add(root, &path, files);
            } else if !name.starts_with("weir.")
                && name != ".git/index"
                && !name.ends_with("-journal")
            {
                files.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    let mut all = BTreeMap::new();
    add(folder, folder, &mut all);
    all
}
