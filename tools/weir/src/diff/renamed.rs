//! Files that have another name in each run, such as temporary ones.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::compare::Change;
use super::numbers::Section;

/// What a file of one side and a file of the other have in common: directory and kind, how long the name is, and all numbers.
type Signature = (String, String, usize, BTreeMap<String, i64>);

/// Leaves out the files of each side that are the same as one of the other in all but their name.
pub fn leave_out(changes: &mut Vec<Change>) {
    let mut files: HashMap<(String, String), Vec<&Change>> = HashMap::new();
    for change in changes
        .iter()
        .filter(|change| change.key.section == Section::Files)
    {
        let file = (change.key.name.clone(), change.key.aside.clone());
        files.entry(file).or_default().push(change);
    }
    let mut gone: HashMap<Signature, Vec<(String, String)>> = HashMap::new();
    let mut new: HashMap<Signature, Vec<(String, String)>> = HashMap::new();
    for (file, changes) in files {
        let is_gone = changes.iter().all(|change| change.after.value == 0);
        let is_new = changes.iter().all(|change| change.before.value == 0);
        let numbers = |of: fn(&Change) -> i64| {
            let numbers = changes
                .iter()
                .map(|change| (change.key.metric.clone(), of(change)));
            numbers.collect()
        };
        let (side, numbers) = match (is_gone, is_new) {
            (true, false) => (&mut gone, numbers(|change| change.before.value)),
            (false, true) => (&mut new, numbers(|change| change.after.value)),
            _ => continue,
        };
        let Some((directory, name)) = file.0.rsplit_once('/') else {
            continue;
        };
        let signature = (directory.to_owned(), file.1.clone(), name.len(), numbers);
        side.entry(signature).or_default().push(file);
    }
    let mut same: HashSet<(String, String)> = HashSet::new();
    for (signature, gone) in gone {
        if let Some(new) = new.remove(&signature) {
            for (gone, new) in gone.into_iter().zip(new) {
                same.extend([gone, new]);
            }
        }
    }
    changes.retain(|change| {
        let key = &change.key;
        key.section != Section::Files || !same.contains(&(key.name.clone(), key.aside.clone()))
    });
}
