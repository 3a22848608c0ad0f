//! The dynamic symbols of the library are exactly the table of functions and the names in `include/weir.h`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use weir_record::functions::Function;

use crate::support::weir;

/// The names that `nm` lists, without versions.
fn symbols(options: &[&str]) -> BTreeSet<String> {
    let output = weir::binutils("nm")
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

/// The names that a coroutine runtime looks up.
const BY_LOOKUP: [&str; 3] = ["weir_coop_register", "weir_coop_enable", "weir_coop_ended"];

#[test]
fn exports_are_the_table() {
    let exported = symbols(&["--dynamic", "--defined-only"]);
    let symbols = Function::ALL.iter().filter(|function| function.is_symbol());
    let mut names: BTreeSet<String> = symbols.map(|f| f.name().to_owned()).collect();
    names.extend(BY_LOOKUP.map(str::to_owned));
    assert_eq!(exported, names);
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/weir.h");
    let header = std::fs::read_to_string(header).expect("the header");
    for name in BY_LOOKUP {
        assert!(
            header.contains(&format!("dlsym(RTLD_DEFAULT, \"{name}\")")),
            "{name}"
        );
    }
}

/// The public names of the C library, in all its versions.
fn names_of_the_c_library() -> BTreeSet<String> {
    let output = weir::binutils("nm")
        .args(["--dynamic", "--defined-only", "--with-symbol-versions"])
        .arg(weir::c_library())
        .output()
        .expect("nm runs");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .filter_map(|name| name.split_once('@'))
        // Names that only the C library's own parts may use.
        .filter(|(_, version)| !version.contains("GLIBC_PRIVATE"))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Names in the table that this C library may lack: later versions added them, for C23.
const OF_LATER_VERSIONS: [&str; 2] = ["free_sized", "free_aligned_sized"];

/// Names that look like those of interposed functions, but are something else.
const OTHERS: [&str; 2] = [
    // Reads up to a delimiter into a buffer, for stdio's own use.
    "_IO_getline",
    // Takes one more argument. Only programs built before 2001 use it, and dlsym does not find it.
    "_IO_vfscanf",
];

/// Every interposed name is a name of the C library. All other names of an interposed function are interposed, too:
/// programs that were built long ago, or fortified, or with 64-bit offsets, call those. The exception is
/// `__libc_malloc` and its kin: with them, an allocator that interposes malloc itself calls the C library's.
#[test]
fn every_name_of_an_interposed_function_is_interposed() {
    let theirs = names_of_the_c_library();
    let in_libraries = Function::ALL.into_iter().filter(|f| f.is_in_library());
    let table: BTreeSet<&str> = in_libraries.map(Function::name).collect();
    let unknown: Vec<&&str> = table
        .iter()
        .filter(|name| !theirs.contains(**name))
        .filter(|name| !OF_LATER_VERSIONS.contains(name) && !name.starts_with("__isoc23_"))
        .collect();
    assert!(unknown.is_empty(), "not in the C library: {unknown:?}");
    let mut missing = BTreeSet::new();
    for name in &table {
        let plain = name.trim_start_matches('_');
        for variant in [
            format!("__{plain}"),
            format!("{plain}64"),
            format!("__{plain}64"),
            format!("{plain}_time64"),
            format!("__{plain}_time64"),
            format!("__{plain}_chk"),
            format!("__{plain}64_chk"),
            format!("{plain}_unlocked"),
            format!("__{plain}_unlocked_chk"),
            format!("__{plain}_2"),
            format!("__{plain}64_2"),
            format!("__isoc99_{plain}"),
            format!("__isoc23_{plain}"),
            format!("_IO_{plain}"),
        ] {
            if theirs.contains(&variant)
                && !table.contains(&*variant)
                && !OTHERS.contains(&&*variant)
            {
                missing.insert(variant);
            }
        }
    }
    assert!(missing.is_empty(), "not interposed: {missing:?}");
}

/// The library needs only the C library: nothing else must be installed for a program to start under it.
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
    let c_library = BTreeSet::from([
        "ld-linux-aarch64.so.1",
        "ld-linux-x86-64.so.2",
        "libc.so.6",
        "libgcc_s.so.1",
    ]);
    assert!(needed.is_subset(&c_library), "{needed:?}");
}
