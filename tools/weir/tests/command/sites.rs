//! Call sites of a compiled program: what the command says of them, and what binutils does.

mod exports;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use weir_report::model::{Frame, Module, Report, Site, SiteBlocks, Stacks};

use super::{refusal, sample, success, text, weir};

const SOURCE: &str = r#"
#include <stdlib.h>
#include <unistd.h>
static inline __attribute__((always_inline)) char *make(size_t size) {
    char *block = malloc(size);
    block[0] = 'x';
    return block;
}
__attribute__((noinline)) char *inner(size_t size) {
    char *block = make(3 * size);
    write(1, block, 1);
    return block;
}
__attribute__((noinline)) char *outer(size_t size) {
    char *block = inner(size + 1);
    block[1] = 'y';
    return block;
}
int main(int count, char **arguments) {
    char *block = outer(count);
    return block[0] == arguments[0][0];
}
"#;

/// A program, and the return addresses of its calls, by caller and callee.
struct Built {
    directory: tempfile::TempDir,
    returns: BTreeMap<(String, String), u64>,
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

impl Built {
    fn new() -> Built {
        let mut built = Built {
            directory: tempfile::tempdir().expect("a directory"),
            returns: BTreeMap::new(),
        };
        let (source, program) = (built.path("source.c"), built.path("program"));
        std::fs::write(&source, SOURCE).expect("written");
        printed(
            "gcc",
            &["-g", "-O2", "-Wno-unused-result", "-o", &program, &source],
        );
        let listing = printed("objdump", &["-d", "-j", ".text", &program]);
        let mut function = String::new();
        let mut called: Option<String> = None;
        for line in listing.lines() {
            if let Some((_, name)) = line
                .strip_suffix(">:")
                .and_then(|line| line.split_once(" <"))
            {
                function = name.to_owned();
            }
            let Some((address, instruction)) = line.split_once(":\t") else {
                continue;
            };
            let address = u64::from_str_radix(address.trim(), 16).expect("an address");
            if let Some(called) = called.take() {
                built.returns.insert((function.clone(), called), address);
            }
            let is_call = instruction
                .split_whitespace()
                .any(|word| word == "call" || word == "bl");
            let target = instruction
                .split_once('<')
                .map(|(_, target)| target.trim_end_matches('>'));
            called = target
                .filter(|_| is_call)
                .map(|target| target.trim_end_matches("@plt").to_owned());
        }
        built
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.directory.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    fn returns(&self, caller: &str, callee: &str) -> u64 {
        let key = (caller.to_owned(), callee.to_owned());
        *self
            .returns
            .get(&key)
            .unwrap_or_else(|| panic!("{caller} calls {callee}: {:?}", self.returns))
    }

    fn build_id(&self) -> String {
        let notes = printed("readelf", &["-n", &self.path("program")]);
        let (_, id) = notes.split_once("Build ID: ").expect("a build id");
        id.lines().next().expect("a line").trim().to_owned()
    }

    /// A report of which the first process has main → outer → inner → malloc and write.
    fn report(&self) -> Report {
        let frame = |parent, offset| Frame {
            parent,
            module: Some(0),
            offset,
        };
        let site = |frame, function: &str| Site {
            frame: Some(frame),
            function: function.to_owned(),
            ..Site::default()
        };
        let mut report = sample::report();
        report.processes[0].stacks = Some(Stacks {
            modules: vec![Module {
                path: self.path("program"),
                build_id: Some(self.build_id()),
                ..Module::default()
            }],
            frames: vec![
                frame(None, self.returns("main", "outer")),
                frame(Some(0), self.returns("outer", "inner")),
                frame(Some(1), self.returns("inner", "malloc")),
                frame(Some(1), self.returns("inner", "write")),
            ],
            sites: vec![
                Site {
                    calls: 4,
                    requested_bytes: 96,
                    ..site(2, "malloc")
                },
                Site {
                    calls: 4,
                    moved_bytes: 4,
                    time_ns: 7000,
                    ..site(3, "write")
                },
            ],
            ..Stacks::default()
        });
        report
    }

    fn write_report(&self) -> String {
        let json = serde_json::to_vec(&self.report()).expect("JSON");
        std::fs::write(self.path("report.json"), json).expect("written");
        self.path("report.json")
    }

    /// What `weir` prints about the report.
    fn shown(&self, arguments: &[&str]) -> String {
        let report = self.write_report();
        let output = weir([arguments, &[&report]].concat())
            .output()
            .expect("ended");
        success(&output)
    }

    /// Where binutils' addr2line says that a call is: functions and lines, the innermost first.
    fn witness(&self, returns: u64) -> Vec<(String, String)> {
        let address = format!("{:x}", returns - 1);
        let said = printed(
            "addr2line",
            &["-C", "-f", "-i", "-e", &self.path("program"), &address],
        );
        let lines: Vec<&str> = said.lines().collect();
        let place = |place: &str| {
            let place = place.split(" (").next().expect("a part");
            place.rsplit('/').next().expect("a part").to_owned()
        };
        lines
            .chunks(2)
            .map(|pair| (pair[0].to_owned(), place(pair[1])))
            .collect()
    }
}

#[test]
fn call_sites_have_the_functions_and_lines_that_addr2line_says() {
    let built = Built::new();
    let page = built.shown(&["report", "--by", "site", "--width", "160"]);
    let calls = [
        ("main", "outer"),
        ("outer", "inner"),
        ("inner", "malloc"),
        ("inner", "write"),
    ];
    let mut inlined = 0;
    for (caller, callee) in calls {
        let witness = built.witness(built.returns(caller, callee));
        assert_eq!(
            witness.last().map(|(function, _)| function.as_str()),
            Some(caller)
        );
        inlined += witness.len() - 1;
        for (function, place) in witness {
            assert!(
                page.contains(&format!("  {function}  {place}")),
                "{function} {place}: {page}"
            );
        }
    }
    assert_eq!(inlined, 1, "make is in inner");
    // The list has the innermost one.
    let make = &built.witness(built.returns("inner", "malloc"))[0].1;
    let row = page
        .lines()
        .find(|line| line.contains("malloc  make"))
        .expect("a row");
    assert!(
        row.trim_start()
            .starts_with("100 %   96 B      4  malloc  make"),
        "{row}"
    );
    assert!(row.ends_with(&format!("/{make}")), "{row}");
    assert!(!page.contains("Names that are missing"), "{page}");
}

#[test]
fn without_symbols_sites_are_object_and_address_and_debug_files_help() {
    let built = Built::new();
    let whole = built.shown(&["report", "--by", "site"]);
    let id = built.build_id();
    let (first, rest) = id.split_at(2);
    let folder = built.path(&format!("debug/.build-id/{first}"));
    std::fs::create_dir_all(&folder).expect("made");
    let debug = format!("{folder}/{rest}.debug");
    printed(
        "objcopy",
        &["--only-keep-debug", &built.path("program"), &debug],
    );
    printed("strip", &[&built.path("program")]);

    let page = built.shown(&["report", "--by", "site", "--width", "160"]);
    let address = format!("program+{:#x}", built.returns("inner", "malloc"));
    assert!(page.contains(&address), "{page}");
    assert!(
        page.contains(&format!("program has no symbols (build id {id})")),
        "{page}"
    );
    assert!(
        page.contains("debuginfod-find debuginfo BUILD-ID"),
        "{page}"
    );

    let directory = built.path("debug");
    let found = built.shown(&["report", "--by", "site", "--debug-dir", &directory]);
    assert_eq!(found, whole);
    // Where the program is not.
    std::fs::remove_file(built.path("program")).expect("removed");
    let found = built.directory.path().join("report.json");
    let found = weir(["report", "--by", "site", "--debug-dir", &directory])
        .arg(found)
        .output();
    assert_eq!(text(&found.expect("ended").stdout), whole);
}

/// A report with names shows them where neither the program nor its debug files are.
#[test]
fn a_report_keeps_the_names_that_symbolize_wrote() {
    let built = Built::new();
    let whole = built.shown(&["report", "--by", "site"]);
    let report = built.write_report();
    let symbolize = |arguments: &[&str]| {
        let output = weir([&["symbolize"], arguments].concat()).output();
        let output = output.expect("ended");
        success(&output)
    };
    let named = built.path("named.json");
    let said = "4 places: 4 have the name of a function, 4 a line\n";
    assert_eq!(symbolize(&["-o", &named, &report]), said);
    // Beside them nothing has changed.
    let read = |path: &str| -> Report {
        serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("a report")
    };
    let mut without = read(&named);
    for stacks in without
        .processes
        .iter_mut()
        .filter_map(|of| of.stacks.as_mut())
    {
        for module in &mut stacks.modules {
            assert!(!module.names.is_empty());
            module.names.clear();
        }
    }
    assert_eq!(without, read(&report));

    std::fs::remove_file(built.path("program")).expect("removed");
    let page = |report: &str| {
        let output = weir(["report", "--by", "site", report]).output();
        text(&output.expect("ended").stdout)
    };
    assert_eq!(page(&named), whole);
    assert!(page(&report).contains("is not on this machine"));
    // In place, and what is known stays where there are no files.
    let gone = format!(
        "is not on this machine (build id {})\n",
        read(&report).processes[0]
            .stacks
            .as_ref()
            .expect("stacks")
            .modules[0]
            .build_id
            .as_ref()
            .expect("an id")
    );
    let again = symbolize(&[&named]);
    assert!(again.starts_with(said) && again.ends_with(&gone), "{again}");
    assert_eq!(page(&named), whole);
    assert!(
        symbolize(&[&report]).starts_with("4 places: 0 have the name of a function, 0 a line\n")
    );
}

#[test]
fn symbolize_refuses_what_it_cannot_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("report.json");
    let report = path.to_str().expect("UTF-8");
    std::fs::write(&path, serde_json::to_vec(&sample::report()).expect("JSON")).expect("written");
    let before = std::fs::read(&path).expect("a file");
    let refused = |arguments: [&str; 2]| {
        let (code, line) = refusal(&weir(arguments).output().expect("ended"));
        assert_eq!(code, 125);
        line
    };
    assert_eq!(
        refused(["symbolize", report]),
        "the report has no call stacks: they were off, or no call of the program was a sample; weir run --stacks all records them"
    );
    assert_eq!(std::fs::read(&path).expect("a file"), before);
    assert_eq!(
        refused(["symbolize", "-"]),
        "cannot write back to standard input; -o FILE says where the report with names goes"
    );
}

#[test]
fn a_leak_that_is_known_is_left_out() {
    let built = Built::new();
    let mut report = built.report();
    let stacks = report.processes[0].stacks.as_mut().expect("stacks");
    stacks.sites[0].blocks = Some(SiteBlocks {
        live: 2,
        live_bytes: 48,
        ..SiteBlocks::default()
    });
    let file = built.path("leaks.json");
    std::fs::write(&file, serde_json::to_vec(&report).expect("JSON")).expect("written");
    let page = |suppressions: &str| {
        let list = built.path("list");
        std::fs::write(&list, suppressions).expect("written");
        let arguments = [
            "report",
            "--by",
            "site",
            "--metric",
            "live",
            "--suppressions",
        ];
        let output = weir(arguments)
            .args([&list, &file])
            .output()
            .expect("ended");
        let said = text(&output.stderr).replace(&list, "LIST");
        (output.status.code(), text(&output.stdout), said)
    };
    let (status, out, _) = page("leak:other\n");
    assert_eq!(status, Some(0));
    assert!(
        out.contains("live bytes at the end; 48 B in 2 blocks"),
        "{out}"
    );
    let (status, out, _) = page("# known\nleak:other\nleak:^outer$\n");
    assert_eq!(status, Some(0));
    assert!(
        out.contains("suppressed  48 B still live in 2 blocks, by 1 of 2 patterns"),
        "{out}"
    );
    assert!(!out.contains("Allocations still live"), "{out}");
    let (status, out, said) = page("leak:x\nrace:y\n");
    assert_eq!((status, out), (Some(125), String::new()));
    let line = "weir: LIST: line 2 is no suppression of a leak; write leak:PATTERN, as for LeakSanitizer\n";
    assert_eq!(said, line);
}

/// From the calls of a program that runs to the lines of its source.
#[test]
fn the_summary_says_where_a_program_called() {
    let built = Built::new();
    let report = built.path("run.json");
    let run = |options: &[&str]| {
        let line = ["run", "--out", &report]
            .into_iter()
            .chain(options.iter().copied());
        let mut command = weir(line.chain(["--", &built.path("program")]));
        let output = command.output().expect("ended");
        text(&output.stderr)
    };
    let summary = run(&["--stacks", "all"]);
    let row = |called: &str| {
        let mut lines = summary.lines().filter(|line| line.contains(" (source.c:"));
        let line = lines.find(|line| line.split_whitespace().any(|word| word == called));
        line.unwrap_or_else(|| panic!("no {called} in {summary}"))
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<String>>()
    };
    assert_eq!(row("malloc")[1..5], ["make", "(source.c:5)", "malloc", "1"]);
    assert_eq!(row("write")[1..5], ["inner", "(source.c:11)", "write", "1"]);
    let page = printed(
        env!("CARGO_BIN_EXE_weir"),
        &["report", "--by", "site", &report],
    );
    for function in ["main", "outer", "make", "inner"] {
        assert!(page.contains(function), "{page}");
    }
    assert!(!run(&["--stacks", "off"]).contains("call site"));
}
