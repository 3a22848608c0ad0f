//! The dynamic symbols of the library are the table of functions, no more and no less.

use std::collections::BTreeSet;
use std::process::Command;

use weir_record::functions::Function;

use crate::support::weir;

/// The names that `nm` lists, without versions.
fn symbols(options: &[&str]) -> BTreeSet<String> {
    let output = Command::new("nm")
        .args(options)
        .arg(weir::library())
        .output()
        .expect("nm runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(|name| name.split('@').next().unwrap_or(name).to_owned())
        .collect()
}

#[test]
fn exports_are_the_table() {
    let exported = symbols(&["--dynamic", "--defined-only"]);
    let table: BTreeSet<String> = Function::ALL.iter().map(|f| f.name().to_owned()).collect();
    assert_eq!(exported, table);
}

/// What the library asks of others is in the C library: nothing else has to be there for a program to
/// start under it.
#[test]
fn needs_the_c_library_only() {
    let output = Command::new("readelf")
        .args(["--dynamic", "--wide"])
        .arg(weir::library())
        .output()
        .expect("readelf runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let needed: BTreeSet<&str> = text
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    let c_library = BTreeSet::from(["ld-linux-x86-64.so.2", "libc.so.6", "libgcc_s.so.1"]);
    assert!(needed.is_subset(&c_library), "{needed:?}");
}
