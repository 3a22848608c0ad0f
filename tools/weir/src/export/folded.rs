//! Folded stacks: a line for each stack, its functions with semicolons between them, and a number.

use std::io::{self, Write};

use super::Profile;
use crate::sites::{Choice, What};
use crate::text;

pub fn write(profile: &Profile, choice: Choice, out: &mut dyn Write) -> io::Result<()> {
    let tree = profile.tree(choice);
    let mut stack = Vec::new();
    for node in &tree.nodes {
        let What::Called(_) = node.what else { continue };
        stack.clear();
        stack.push(node.what);
        let mut parent = node.parent;
        while let Some(index) = parent {
            let caller = &tree.nodes[index as usize];
            stack.push(caller.what);
            parent = caller.parent;
        }
        for (place, what) in stack.iter().rev().enumerate() {
            if place > 0 {
                out.write_all(b";")?;
            }
            // Where a stack ends, and where the number begins, must be known. The tools take the last space for it.
            let name = text::printable(profile.name(*what)).replace(';', ":");
            out.write_all(name.as_bytes())?;
        }
        writeln!(out, " {}", node.sum)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Group, Metric};
    use crate::export::tests::profile;

    fn folded(profile: &Profile, group: Group, metric: Metric) -> String {
        let mut out = Vec::new();
        write(profile, Choice { group, metric }, &mut out).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn each_stack_is_a_line() {
        insta::assert_snapshot!(folded(&profile(), Group::Allocation, Metric::Bytes));
    }

    #[test]
    fn what_separates_functions_is_in_no_name() {
        let mut profile = profile();
        profile.sites.stacks.sites[0].function = "a;b\nc 1".to_owned();
        let folded = folded(&profile, Group::Io, Metric::Calls);
        assert!(folded.contains(";getline;a:b\\nc 1 1\n"), "{folded}");
    }
}
