//! Call sites of a compiled program: what the command says of them, and what others do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use weir_report::model::{Frame, Lifetimes, Module, Report, Site, SiteBlocks, Stacks};

use super::{refusal, sample, text, weir};

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
        assert_eq!(text(&output.stderr), "");
        text(&output.stdout)
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
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(0), String::new())
        );
        text(&output.stdout)
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
fn folded_stacks_are_a_line_each() {
    let built = Built::new();
    let shown =
        |arguments: &[&str]| built.shown(&[&["export", "--format", "folded"], arguments].concat());
    assert_eq!(shown(&[]), "main;outer;inner;make;malloc 96\n");
    assert_eq!(shown(&["--of", "io"]), "main;outer;inner;write 7000\n");
    assert_eq!(shown(&["--metric", "moved"]), "main;outer;inner;write 4\n");
    assert_eq!(
        shown(&["--metric", "calls", "--ignore", "make"]),
        "main;outer;inner;write 4\n"
    );
    assert_eq!(
        shown(&["--metric", "calls", "--focus", "make"]),
        "main;outer;inner;make;malloc 4\n"
    );
}

/// The innermost frame of each stack first, its address that of the call, inlined functions in one location.
#[test]
fn pprof_reads_what_is_exported_for_it() {
    let built = Built::new();
    let report = built.write_report();
    let profile = built.path("profile.pb.gz");
    let output = weir(["export", "--format", "pprof", "-o", &profile, &report])
        .output()
        .expect("ended");
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
    let raw = printed("go", &["tool", "pprof", "-raw", &profile]);
    let line = |caller, callee| {
        let (_, place) = &built.witness(built.returns(caller, callee))[0];
        place.rsplit(':').next().expect("a line").to_owned()
    };
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let has = |expected: &str| {
        let expected = words(expected);
        raw.lines().any(|line| words(line) == expected)
    };
    assert!(
        has(
            "alloc_bytes/bytes[dflt] alloc_calls/count io_time/nanoseconds io_bytes/bytes io_calls/count"
        ),
        "{raw}"
    );
    assert!(has("96 4 0 0 0: 1 2 3 4"), "{raw}");
    assert!(has("1: 0x0 malloc :0 s=0"), "{raw}");
    let address = built.returns("inner", "malloc") - 1;
    let source = built.path("source.c");
    let (make, inner) = (line("inner", "malloc"), &built.witness(address + 1)[1].1);
    let inner = inner.rsplit(':').next().expect("a line");
    assert!(
        raw.contains(&format!("{address:#x} M=1 make {source}:{make}")),
        "{raw}"
    );
    assert!(raw.contains(&format!("inner {source}:{inner}")), "{raw}");
    assert!(
        raw.contains(&format!("{} {}", built.path("program"), built.build_id())),
        "{raw}"
    );
    let top = printed(
        "go",
        &["tool", "pprof", "-top", "-sample_index=io_time", &profile],
    );
    assert!(top.contains("write") && top.contains("7us"), "{top}");
}

/// What Valgrind's viewer shows in a browser. It reads a file that a user chooses; here the page brings it along.
fn shown_by_the_viewer_of_dhat(profile: &str) -> String {
    const VIEWER: &str = "/usr/libexec/valgrind/dh_view.js";
    let viewer = std::fs::read_to_string(VIEWER).expect("valgrind is installed");
    let page = format!(
        r#"<!DOCTYPE html><meta charset="UTF-8"><script>{viewer}</script>
        <script id="profile" type="application/json">{}</script>
        <body onload="onLoad(); tryFunc(() => {{
            gFilename = 'profile';
            gData = JSON.parse(document.getElementById('profile').textContent);
            buildTree();
            displayTree(0, 0, 0);
            document.querySelectorAll('script').forEach((script) => script.remove());
        }})"></body>"#,
        profile.replace('<', "\\u003c")
    );
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("page.html");
    std::fs::write(&path, page).expect("written");
    let (home, page) = (directory.path().display(), path.display());
    let dom = printed(
        "timeout",
        &[
            "-s",
            "KILL",
            "120",
            "chromium",
            "--headless",
            "--no-sandbox",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            &format!("--user-data-dir={home}/profile"),
            "--dump-dom",
            &format!("file://{page}"),
        ],
    );
    // The text alone.
    let mut text = String::new();
    let mut is_tag = false;
    for letter in dom.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => is_tag = false,
            _ if !is_tag => text.push(letter),
            _ => {}
        }
    }
    text
}

#[test]
fn the_viewer_of_dhat_shows_what_is_exported_for_it() {
    let built = Built::new();
    let mut report = built.report();
    let stacks = report.processes[0].stacks.as_mut().expect("stacks");
    let site = &mut stacks.sites[0];
    site.blocks = Some(SiteBlocks {
        live: 1,
        live_bytes: 40,
        live_bytes_at_peak: 120,
        temporary: 0,
    });
    site.lifetimes = Some(Lifetimes {
        freed: [3, 0, 0, 0, 0, 0, 0, 0],
        freed_total_ns: 8_000_000,
        ..Lifetimes::default()
    });
    let path = built.path("report.json");
    std::fs::write(&path, serde_json::to_vec(&report).expect("JSON")).expect("written");
    let export = |path: &str| {
        let command = weir(["export", "--format", "dhat", path]).output();
        command.expect("ended")
    };
    let output = export(&path);
    assert_eq!(text(&output.stderr), "");
    let shown = shown_by_the_viewer_of_dhat(&text(&output.stdout));
    for expected in [
        "Total:     96 bytes (100%",
        "in 4 blocks (100%",
        "avg size 24 bytes, avg lifetime 2,000 µs",
        "At t-gmax: 120 bytes (100%) in 3 blocks (100%), avg size 40 bytes",
        "At t-end:  40 bytes (100%) in 1 blocks (100%), avg size 40 bytes",
        ": malloc (in libweir.so)",
        &format!(": make ({}:", built.path("source.c")),
        ": main (",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }

    // Blocks that nobody followed.
    let path = built.write_report();
    let (code, line) = refusal(&export(&path));
    assert_eq!(
        (code, line.as_str()),
        (
            125,
            "no call site has anything of what is asked for; weir report --by site shows what there is"
        )
    );
}

/// Also where standard output is a file, and never in a file of this name.
#[test]
fn what_is_written_to_a_dash_goes_to_standard_output() {
    let built = Built::new();
    let report = built.write_report();
    for arguments in [
        &["export", "--format", "folded"][..],
        &["flame"],
        &["symbolize"],
    ] {
        let to = |out: &[&str]| {
            let mut command = weir([arguments, &[report.as_str()], out].concat());
            command.current_dir(built.directory.path());
            command
        };
        let piped = to(&["-o", "-"]).output().expect("ended");
        assert_eq!(piped.status.code(), Some(0), "{arguments:?}");
        let file = std::fs::File::create(built.path("file")).expect("made");
        let status = to(&["-o", "-"]).stdout(file).status().expect("ended");
        assert_eq!(status.code(), Some(0), "{arguments:?}");
        assert!(to(&["-o", "named"]).status().expect("ended").success());
        let read = |name: &str| std::fs::read(built.path(name)).expect("a file");
        assert!(!piped.stdout.is_empty());
        assert_eq!(piped.stdout, read("named"), "{arguments:?}");
        assert_eq!(read("file"), read("named"), "{arguments:?}");
        assert!(!std::path::Path::new(&built.path("-")).exists());
    }
}

#[test]
fn a_profile_for_speedscope_has_each_sum() {
    let built = Built::new();
    let json = built.shown(&["export", "--format", "speedscope"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        json["$schema"],
        "https://www.speedscope.app/file-format-schema.json"
    );
    let frames = json["shared"]["frames"].as_array().expect("frames");
    let profiles = json["profiles"].as_array().expect("profiles");
    let named = |profile: &serde_json::Value| -> Vec<Vec<String>> {
        let samples = profile["samples"].as_array().expect("samples");
        let stack = |sample: &serde_json::Value| {
            let ids = sample.as_array().expect("a stack").iter();
            let names = ids.map(|id| &frames[id.as_u64().expect("an id") as usize]["name"]);
            names
                .map(|name| name.as_str().expect("a name").to_owned())
                .collect()
        };
        samples.iter().map(stack).collect()
    };
    let names: Vec<&str> = profiles
        .iter()
        .map(|of| of["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "Allocations by requested bytes",
            "Allocations by calls",
            "I/O by time",
            "I/O by moved bytes",
            "I/O by calls"
        ]
    );
    assert_eq!(
        named(&profiles[0]),
        [["main", "outer", "inner", "make", "malloc"]]
    );
    assert_eq!(named(&profiles[2]), [["main", "outer", "inner", "write"]]);
    assert_eq!(profiles[0]["unit"], "bytes");
    assert_eq!(
        (&profiles[2]["endValue"], &profiles[2]["weights"][0]),
        (&7000.into(), &7000.into())
    );
}

#[test]
fn a_flame_graph_is_a_picture() {
    let built = Built::new();
    let report = built.write_report();
    let picture = built.path("picture.svg");
    let output = weir(["flame", "-o", &picture, &report])
        .output()
        .expect("ended");
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
    let svg = std::fs::read_to_string(&picture).expect("read");
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
    for function in ["main", "outer", "inner", "make", "malloc"] {
        assert!(
            svg.contains(&format!(">{function}</text>")),
            "{function}: {svg}"
        );
    }
    assert!(!svg.contains(">write</text>"), "{svg}");
    assert_eq!(svg, built.shown(&["flame"]));
}

#[test]
fn a_picture_of_what_has_changed() {
    let built = Built::new();
    let before = built.write_report();
    let mut report = built.report();
    let stacks = report.processes[0].stacks.as_mut().expect("stacks");
    stacks.sites[0].requested_bytes = 1096;
    let after = built.path("after.json");
    std::fs::write(&after, serde_json::to_vec(&report).expect("JSON")).expect("written");
    let drawn = |files: &[&str]| {
        let output = weir(["flame", "--diff"])
            .args(files)
            .output()
            .expect("ended");
        assert_eq!(text(&output.stderr), "");
        text(&output.stdout)
    };
    let change = "96 B before, 1.07 KiB after: +1000 B";
    let svg = drawn(&[&before, &after]);
    assert!(
        svg.contains(&format!("Allocations by requested bytes: {change}. Red")),
        "{svg}"
    );
    assert!(
        svg.contains("<g class=\"grown much\" data-x=\"0.000000\""),
        "{svg}"
    );
    assert!(
        svg.contains(&format!("<title>malloc\n{change}</title>")),
        "{svg}"
    );
    let svg = drawn(&[&after, &before]);
    assert!(
        svg.contains("1.07 KiB before, 96 B after: -1000 B"),
        "{svg}"
    );
    assert!(
        svg.contains("class=\"shrunk much\"") && !svg.contains("class=\"grown"),
        "{svg}"
    );
    let svg = drawn(&[&after, &after]);
    assert!(
        svg.contains("class=\"same\"") && !svg.contains("much\""),
        "{svg}"
    );
    let output = weir(["flame", "--diff", "nosuchfile.json", &after])
        .output()
        .expect("ended");
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (
            Some(125),
            "weir: cannot read nosuchfile.json: No such file or directory\n".to_owned()
        )
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

#[test]
fn what_is_not_there_is_no_picture() {
    let built = Built::new();
    let report = built.write_report();
    let line =
        "no call site has anything of what is asked for; weir report --by site shows what there is";
    for arguments in [
        &["flame", "--of", "wait"][..],
        &["export", "--format", "folded", "--focus", "nowhere"],
    ] {
        let output = weir([arguments, &[&report]].concat())
            .output()
            .expect("ended");
        assert_eq!(refusal(&output), (125, line.to_owned()));
    }
    let output = weir(["flame", "-o", "/nowhere/x.svg", &report])
        .output()
        .expect("ended");
    let line = "cannot write /nowhere/x.svg: No such file or directory";
    assert_eq!(refusal(&output), (125, line.to_owned()));
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
