use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::object::Object;
use super::*;

const C: &str = r#"
#include <stdio.h>
#include <stdlib.h>
static inline __attribute__((always_inline)) char *innermost(size_t size) {
    char *block = malloc(size);
    block[0] = 'x';
    return block;
}
static inline __attribute__((always_inline)) char *middle(size_t size) {
    return innermost(size + 1);
}
static __attribute__((noinline)) char *outer(size_t size) {
    char *block = middle(2 * size);
    puts(block);
    return block;
}
int main(int count, char **arguments) {
    char *block = outer(count);
    free(block);
    return innermost(3) == arguments[0];
}
"#;

const CPP: &str = r#"
#include <map>
#include <string>
#include <vector>
namespace {
template <class T, int N> struct Shelf {
    std::map<int, std::vector<T>> rows;
    void put(int row, const T &thing) { rows[row].push_back(thing); }
    int operator()(int row) const { auto at = rows.find(row); return at == rows.end() ? N : at->second.size(); }
};
}
namespace store {
class Keeper {
    Shelf<std::string, 7> shelf;
public:
    explicit Keeper(const char *name) { shelf.put(1, name); }
    ~Keeper();
    __attribute__((noinline)) int count(int row) { auto of = [this](int at) { return shelf(at); }; return of(row) + of(row + 1); }
};
Keeper::~Keeper() {}
}
int main(int count, char **arguments) {
    store::Keeper keeper(arguments[0]);
    return keeper.count(count);
}
"#;

/// What a command prints.
fn printed(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "cannot start {program} ({error}): install the packages gcc, g++, binutils and dwz"
            )
        });
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("ended");
    // A program that does not read has ended without it.
    let _ = writer.join().expect("ended");
    assert!(output.status.success(), "{program} {arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A directory with a program in it.
struct Built {
    directory: tempfile::TempDir,
}

impl Built {
    fn new(compiler: &str, source: &str, flags: &[&str]) -> Built {
        let directory = tempfile::tempdir().expect("a directory");
        let name = if compiler == "g++" {
            "source.cc"
        } else {
            "source.c"
        };
        let built = Built { directory };
        fs::write(built.path(name), source).expect("written");
        let (name, program) = (built.path(name), built.path("program"));
        printed(compiler, &[flags, &["-o", &program, &name]].concat(), "");
        built
    }

    fn path(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    fn tool(&self, program: &str, arguments: &[&str]) {
        let status = Command::new(program)
            .args(arguments)
            .current_dir(self.directory.path())
            .stderr(Stdio::null())
            .status();
        let status = status.unwrap_or_else(|error| {
            panic!("cannot start {program} ({error}): install the packages binutils and dwz")
        });
        assert!(status.success(), "{program} {arguments:?}");
    }

    fn build_id(&self) -> Option<String> {
        let object = Object::open(Path::new(&self.path("program"))).expect("ELF");
        object.build_id()
    }

    /// Puts the debug information into `debug/.build-id/ab/cdef.debug`.
    fn split(&self) {
        let id = self.build_id().expect("a build id");
        let (first, rest) = id.split_at(2);
        let folder = self.path(&format!("debug/.build-id/{first}"));
        fs::create_dir_all(&folder).expect("made");
        let separate = format!("{folder}/{rest}.debug");
        self.tool("objcopy", &["--only-keep-debug", "program", &separate]);
        self.tool("strip", &["program"]);
    }

    /// The addresses of the program's own calls: a stack has no others.
    fn calls(&self) -> Vec<u64> {
        self.instructions(|word| matches!(word, "call" | "bl" | "blr"))
    }

    /// The addresses of the program's own instructions with such a word.
    fn instructions(&self, has: impl Fn(&str) -> bool) -> Vec<u64> {
        let listing = printed("objdump", &["-d", "-j", ".text", &self.path("program")], "");
        let lines = listing.lines().filter_map(|line| {
            let (address, instruction) = line.strip_prefix(' ')?.split_once(":\t")?;
            let is_wanted = instruction.split_whitespace().any(&has);
            u64::from_str_radix(address.trim(), 16)
                .ok()
                .filter(|_| is_wanted)
        });
        let addresses: Vec<u64> = lines.collect();
        assert!(addresses.len() > 4, "{listing}");
        addresses
    }

    fn found(&self, build_id: Option<&str>, addresses: &[u64]) -> Found {
        let asked = Asked {
            path: &self.path("program"),
            build_id,
            addresses,
            most_debug_bytes: u64::MAX,
        };
        look_up(&asked, &[self.directory.path().join("debug")])
    }
}

/// What addr2line of binutils says of a file: the functions as c++filt has them without their parameters, files and lines.
fn witness(file: &str, addresses: &[u64]) -> BTreeMap<u64, Vec<Place>> {
    let input: String = addresses
        .iter()
        .map(|address| format!("{address:x}\n"))
        .collect();
    let said = printed("addr2line", &["-a", "-f", "-i", "-e", file], &input);
    let mut names = String::new();
    let mut places: BTreeMap<u64, Vec<Place>> = BTreeMap::new();
    let (mut of, mut lines) = (0, said.lines());
    while let Some(line) = lines.next() {
        if let Some(address) = line.strip_prefix("0x") {
            of = u64::from_str_radix(address, 16).expect("an address");
            continue;
        }
        names += line;
        names.push('\n');
        let location = lines.next().expect("a location");
        let location = location.split(" (discriminator").next().expect("a part");
        let (file, number) = location.rsplit_once(':').expect("a line");
        places.entry(of).or_default().push(Place {
            function: Some(line.to_owned()),
            file: Some(normal(file)),
            line: number.parse().ok(),
        });
    }
    let names = printed("c++filt", &["-p"], &names);
    let mut names = names.lines();
    // In the order of the addresses, as they were asked.
    for &address in addresses {
        for place in places.get_mut(&address).into_iter().flatten() {
            place.function = names.next().map(str::to_owned);
        }
    }
    // What the witness does not know cannot be compared.
    places.retain(|_, places| places.iter().all(|place| place.line.is_some()));
    places
}

/// The path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.len() > 1 => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Compares what is found of a program with what a witness says of a file with the same debug information.
fn compare(built: &Built, of: &str, what: &str) {
    let addresses = built.calls();
    let witness = witness(&built.path(of), &addresses);
    let id = built.build_id();
    let found = built.found(id.as_deref(), &addresses);
    assert_eq!(found.lack, None, "{what}");
    let (mut compared, mut inlined) = (0, 0);
    for (address, mut places) in addresses.iter().zip(found.places) {
        let Some(said) = witness.get(address) else {
            continue;
        };
        for place in &mut places {
            place.file = place.file.as_deref().map(normal);
        }
        // Of some places of link-time optimisation binutils knows the line, and not the file.
        for (place, said) in places.iter_mut().zip(said) {
            let file = said.file.as_ref();
            if file.is_some_and(|file| file.ends_with("<artificial>")) {
                place.file = file.cloned();
            }
        }
        assert_eq!(&places, said, "{what}: {address:x}");
        compared += 1;
        inlined += usize::from(places.len() > 1);
    }
    assert!(compared > 4, "{what}: {compared} compared");
    assert!(inlined > 1, "{what}: {inlined} inlined");
}

#[test]
fn functions_of_c_are_those_that_addr2line_says() {
    for flags in [
        &["-g", "-O0"][..],
        &["-g", "-O2"],
        &["-g", "-O3", "-flto"],
        &["-g", "-O2", "-fomit-frame-pointer", "-no-pie"],
        &["-g", "-O2", "-gdwarf-4"],
        &["-g", "-O2", "-gz=zlib"],
    ] {
        let built = Built::new("gcc", C, flags);
        compare(&built, "program", &flags.join(" "));
    }
}

#[test]
fn functions_of_cpp_are_those_that_addr2line_says() {
    for flags in [&["-g", "-O2"][..], &["-g", "-O1", "-gdwarf-4"]] {
        let built = Built::new("g++", CPP, flags);
        compare(&built, "program", &flags.join(" "));
    }
}

#[test]
fn debug_information_in_a_file_of_its_own_is_found() {
    for flags in [&["-g", "-O2"][..], &["-g", "-O2", "-gz=zlib"]] {
        let built = Built::new("g++", CPP, flags);
        fs::copy(built.path("program"), built.path("whole")).expect("copied");
        built.split();
        compare(&built, "whole", "by build id");
    }
    // Without the program itself: the build id is in the report.
    let built = Built::new("gcc", C, &["-g", "-O2"]);
    let (id, addresses) = (built.build_id(), built.calls());
    let whole = built.found(id.as_deref(), &addresses).places;
    built.split();
    fs::remove_file(built.path("program")).expect("removed");
    let found = built.found(id.as_deref(), &addresses);
    assert_eq!((found.places, found.lack), (whole, None));
}

#[test]
fn debug_information_beside_the_program_is_found() {
    for (compiler, source, flags) in [
        ("gcc", C, &["-g", "-O2", "-gsplit-dwarf"][..]),
        ("g++", CPP, &["-g", "-O2", "-gsplit-dwarf"]),
        ("g++", CPP, &["-g", "-O1", "-gsplit-dwarf", "-gdwarf-4"]),
    ] {
        let what = flags.join(" ");
        let built = Built::new(compiler, source, flags);
        let name = built.path(if compiler == "g++" {
            "source.cc"
        } else {
            "source.c"
        });
        // The same code; what addr2line of binutils says of the other is not complete.
        let whole: Vec<&str> = { flags.iter().copied() }
            .filter(|&flag| flag != "-gsplit-dwarf")
            .chain(["-o", "whole", &name])
            .collect();
        built.tool(compiler, &whole);
        compare(&built, "whole", &what);

        let part = fs::read_dir(built.directory.path()).expect("a directory");
        let part = { part.map(|entry| entry.expect("an entry").path()) }
            .find(|path| path.extension().is_some_and(|end| end == "dwo"));
        let part = part.expect("a part");
        // dwp of binutils does not know the newer form.
        let has_package = flags.contains(&"-gdwarf-4");
        if has_package {
            built.tool("dwp", &["-e", "program", "-o", "program.dwp"]);
        }
        fs::remove_file(&part).expect("removed");
        if has_package {
            compare(&built, "whole", &format!("{what}, in a package"));
            fs::remove_file(built.path("program.dwp")).expect("removed");
        }
        let found = built.found(built.build_id().as_deref(), &built.calls());
        let Some(Lack::NoPart(path)) = &found.lack else {
            panic!("{what}: {:?}", found.lack);
        };
        assert_eq!(Path::new(path), part, "{what}");
        let of_main = found
            .places
            .iter()
            .flatten()
            .find(|place| place.line.is_some());
        assert!(of_main.is_some(), "{what}: lines are still known");
    }
}

#[test]
fn debug_information_is_found_by_the_name_that_the_program_has() {
    for (flags, place) in [
        (&["-g", "-O2"][..], "program.debug"),
        (&["-g", "-O2"], ".debug/program.debug"),
        // Known by its checksum.
        (&["-g", "-O2", "-Wl,--build-id=none"], "program.debug"),
    ] {
        let built = Built::new("gcc", C, flags);
        fs::copy(built.path("program"), built.path("whole")).expect("copied");
        built.tool(
            "objcopy",
            &["--only-keep-debug", "program", "program.debug"],
        );
        built.tool("strip", &["program"]);
        built.tool("objcopy", &["--add-gnu-debuglink=program.debug", "program"]);
        fs::create_dir_all(built.path(".debug")).expect("made");
        fs::rename(built.path("program.debug"), built.path(place)).expect("renamed");
        if built.build_id().is_some() {
            compare(&built, "whole", place);
            continue;
        }
        let addresses = built.calls();
        let main = |found: &Found| {
            let mut places = found.places.iter().flatten();
            places.any(|place| place.function.as_deref() == Some("main") && place.line.is_some())
        };
        let found = built.found(None, &addresses);
        assert!(main(&found));
        assert_eq!(found.lack, Some(Lack::Unverified));
        // Another file of that name.
        let mut debug = fs::OpenOptions::new()
            .append(true)
            .open(built.path(place))
            .expect("opened");
        debug.write_all(b"x").expect("written");
        assert!(!main(&built.found(None, &addresses)));
    }
}

/// As Debian has it: what several debug files have in common is in one more.
#[test]
fn what_debug_files_have_in_common_is_found() {
    let built = Built::new("g++", CPP, &["-g", "-O2"]);
    fs::copy(built.path("program"), built.path("whole")).expect("copied");
    fs::copy(built.path("program"), built.path("twin")).expect("copied");
    built.tool(
        "dwz",
        &[
            "-m",
            "common.debug",
            "-M",
            "common.debug",
            "program",
            "twin",
        ],
    );
    assert!(Path::new(&built.path("common.debug")).exists());
    compare(&built, "whole", "dwz");
}

#[test]
fn without_debug_information_the_table_of_symbols_has_the_functions() {
    let built = Built::new("gcc", C, &["-O2"]);
    let (id, addresses) = (built.build_id(), built.calls());
    let found = built.found(id.as_deref(), &addresses);
    assert_eq!(found.lack, Some(Lack::NoLines));
    let names: Vec<&str> = found
        .places
        .iter()
        .flatten()
        .filter_map(|place| place.function.as_deref())
        .collect();
    assert!(
        names.contains(&"main") && names.contains(&"outer"),
        "{names:?}"
    );
    assert!(!names.contains(&"innermost"), "{names:?}");
    assert!(
        found
            .places
            .iter()
            .flatten()
            .all(|place| place.line.is_none())
    );

    built.tool("strip", &["program"]);
    let found = built.found(id.as_deref(), &addresses);
    assert_eq!(found.lack, Some(Lack::NoSymbols));
    assert!(found.places.iter().all(Vec::is_empty), "{:?}", found.places);
}

/// Only the functions that it exports have names; what is between them has none, and not the name before.
#[test]
fn a_stripped_library_has_the_names_that_it_exports() {
    let source = r#"
        #include <stdlib.h>
        static __attribute__((noinline, noclone)) void *hidden(size_t size) { return malloc(size + 2); }
        void *shown(size_t size) { char *block = hidden(size * 3); block[0] = 1; return block; }
    "#;
    let built = Built::new("gcc", source, &["-O2", "-shared", "-fPIC"]);
    let (id, addresses) = (built.build_id(), built.instructions(|_| true));
    let names = || -> Vec<Option<String>> {
        let found = built.found(id.as_deref(), &addresses);
        found
            .places
            .into_iter()
            .map(|places| places.last()?.function.clone())
            .collect()
    };
    let whole = names();
    built.tool("strip", &["program"]);
    let stripped = names();
    for (whole, stripped) in whole.iter().zip(&stripped) {
        let expected = whole.as_deref().filter(|&name| name == "shown");
        assert_eq!(stripped.as_deref(), expected);
    }
    assert!(whole.contains(&Some("hidden".to_owned())));
    assert!(stripped.contains(&Some("shown".to_owned())));
}

#[test]
fn a_file_that_is_not_the_one_that_ran_is_not_believed() {
    let built = Built::new("gcc", C, &["-g", "-O2"]);
    let addresses = built.calls();
    let id = built.build_id().expect("a build id");
    let other = "0123456789abcdef0123456789abcdef01234567";
    for asked in [Some(other), None] {
        let found = built.found(asked, &addresses);
        assert_eq!(found.lack, Some(Lack::Changed));
        assert!(found.places.iter().all(Vec::is_empty));
    }
    // What is no build id is no part of a path.
    for hostile in ["", "a", "../../../../etc/passwd", "ab/../../x"] {
        assert_eq!(
            built.found(Some(hostile), &addresses).lack,
            Some(Lack::Changed)
        );
    }
    fs::remove_file(built.path("program")).expect("removed");
    assert_eq!(built.found(Some(&id), &addresses).lack, Some(Lack::Missing));
}

#[test]
fn what_is_no_file_is_neither_read_nor_waited_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let pipe = directory.path().join("pipe");
    let status = Command::new("mkfifo").arg(&pipe).status();
    assert!(status.expect("started").success());
    let text = directory.path().join("text");
    fs::write(&text, "no ELF").expect("written");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&pipe, &link).expect("made");
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let unreadable = |why: &str| Some(Lack::Unreadable(why.to_owned()));
    for (path, lack) in [
        (path(&pipe), unreadable("it is not a regular file")),
        (path(&link), unreadable("it is not a regular file")),
        (
            "/dev/zero".to_owned(),
            unreadable("it is not a regular file"),
        ),
        ("/".to_owned(), unreadable("it is not a regular file")),
        (path(&text), unreadable("it is not a 64-bit ELF file")),
        ("/nowhere/at/all".to_owned(), Some(Lack::Missing)),
        ("linux-vdso.so.1".to_owned(), Some(Lack::Missing)),
        (String::new(), Some(Lack::Missing)),
        (
            "/etc/passwd\0".to_owned(),
            unreadable("file name contained an unexpected NUL byte"),
        ),
    ] {
        let asked = Asked {
            path: &path,
            build_id: Some("abcd"),
            addresses: &[1, 2],
            most_debug_bytes: u64::MAX,
        };
        let found = look_up(&asked, &[]);
        assert_eq!((found.places.len(), found.lack), (2, lack), "{path}");
    }
}

#[test]
fn damaged_files_never_panic() {
    let built = Built::new("gcc", C, &["-g", "-O2"]);
    let (id, addresses) = (built.build_id(), built.calls());
    let whole = fs::read(built.path("program")).expect("read");
    let good = built.found(id.as_deref(), &addresses).places;
    let mut differ = 0;
    // Every 64th byte, and in the sections' headers, at the end, every one.
    let places = (0..whole.len()).filter(|at| at % 64 == 7 || at + 2048 > whole.len());
    for at in places {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        fs::write(built.path("program"), &damaged).expect("written");
        differ += usize::from(built.found(id.as_deref(), &addresses).places != good);
    }
    assert!(differ > 50, "{differ}");
    for end in (0..whole.len()).step_by(509) {
        fs::write(built.path("program"), &whole[..end]).expect("written");
        built.found(id.as_deref(), &addresses);
    }
}
