//! What is exported of a compiled program's call sites, and drawn of them: read by other programs' own readers.

use weir_report::model::{Lifetimes, SiteBlocks};

use super::{Built, printed};
use crate::{refusal, success, text, weir};

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
    assert_eq!(success(&output), "");
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
    let shown = shown_by_the_viewer_of_dhat(&success(&output));
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
    assert_eq!(success(&output), "");
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
        success(&output)
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
