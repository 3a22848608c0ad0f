//! A report as a build of three processes makes it: a shell built with its own malloc, a Python with
//! threads, and a child that it forked and that was killed. Names and paths are as awkward as those
//! of the world.

#[path = "sample/files.rs"]
mod files;
#[path = "sample/functions.rs"]
mod functions;
#[path = "sample/looks.rs"]
mod looks;

use std::collections::BTreeMap;

use weir_record::functions::Function as Known;
use weir_report::calendar::Utc;
use weir_report::model::*;

use functions::{add, called, entry};

const MS: u64 = 1_000_000;
const S: u64 = 1000 * MS;
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

const SHELL: u32 = 4711;
const PYTHON: u32 = 4713;
const CHILD: u32 = 4720;

const LIBC: &str = "/usr/lib/x86_64-linux-gnu/libc.so.6";
const STARTED: u64 = 1_790_000_000 * S;

/// The report.
pub fn report() -> Report {
    let processes = Vec::from([shell(), python(), child()].map(looks::looked_at));
    let mut functions: BTreeMap<String, Function> = BTreeMap::new();
    let mut heap = Heap::default();
    let mut slowest = Vec::new();
    let mut longest_waits = Vec::new();
    for process in &processes {
        for (name, function) in &process.functions {
            let sum = functions.entry(name.clone()).or_default();
            sum.family.clone_from(&function.family);
            add(sum, function);
        }
        heap.live_bytes += process.heap.live_bytes;
        heap.live_blocks += process.heap.live_blocks;
        heap.peak_bytes += process.heap.peak_bytes;
        heap.peak_error_bytes += process.heap.peak_error_bytes;
        heap.inherited_bytes += process.heap.inherited_bytes;
        heap.inherited_blocks += process.heap.inherited_blocks;
        slowest.extend(process.slowest.iter().cloned());
        longest_waits.extend(process.longest_waits.iter().cloned());
    }
    for calls in [&mut slowest, &mut longest_waits] {
        calls.sort_by_key(|call: &SlowCall| std::cmp::Reverse(call.took_ns));
    }
    Report {
        runs: 1,
        parts: Vec::new(),
        folded_processes: 0,
        tree_peak: None,
        schema: SCHEMA.to_owned(),
        weir_version: "0.1.0".to_owned(),
        command: strings(&[
            "bash",
            "-c",
            "python3 build.py --töne 'für Élise' | gzip > out.gz",
        ]),
        started_unix_ns: STARTED,
        started_at: Some(Utc::of_unix_ns(STARTED).to_string()),
        duration_ns: 12_345 * MS,
        end: End {
            how: EndKind::Exited,
            status: Some(0),
            signal: None,
        },
        timed_one_in: 128,
        heap,
        activities: files::activities(&functions),
        files: files::together(&processes),
        coroutines: None,
        functions,
        longest_waits,
        slowest,
        missed: Missed {
            dropped_samples: 1234,
            reentrant_calls: 17,
            untimed_calls: 2_380_000,
            uncounted_calls: 3,
            unlisted_errnos: 0,
            threads_without_slot: 0,
            not_interposed: strings(&["calloc", "free", "malloc", "realloc"]),
            untraced: vec![Untraced {
                pid: 4712,
                program: "/usr/local/bin/gzip-static".to_owned(),
                reason: "is statically linked".to_owned(),
            }],
            unlisted_starts: 0,
            io_uring: None,
            notes: Vec::new(),
        },
        tool: Tool {
            region_bytes: 3 * MIB,
            writer_bytes: 0,
            samples: 48_512,
            writer_polls: 1234,
            writer_cpu_ns: 41 * MS,
        },
        processes,
    }
}

/// The same build after a change: it parses more, and looks for a file again and again.
pub fn later() -> Report {
    let mut report = report();
    let images = report.processes.iter_mut();
    let starts = images.map(|image| (&mut image.started_unix_ns, &mut image.started_at));
    let first = (&mut report.started_unix_ns, &mut report.started_at);
    for (unix_ns, text) in starts.chain([first]) {
        *unix_ns += 86_400 * S;
        *text = Some(Utc::of_unix_ns(*unix_ns).to_string());
    }
    report.duration_ns += 2 * S + 600 * MS;
    let change = |functions: &mut BTreeMap<String, Function>| {
        let mut more = |name: &str, calls, bytes, missing| {
            let function = functions.get_mut(name).expect("a function of the sample");
            function.calls += calls;
            function.requested_bytes += bytes;
            function.errors += missing;
            if missing > 0 {
                *function
                    .errors_by_errno
                    .entry("ENOENT".to_owned())
                    .or_default() += missing;
            }
        };
        more("malloc", 120_000, 96 * MIB, 0);
        more("free", 120_000, 0, 0);
        more("openat", 1200, 0, 1200);
    };
    change(&mut report.functions);
    change(&mut report.processes[1].functions);
    for heap in [&mut report.heap, &mut report.processes[1].heap] {
        heap.peak_bytes += 21 * MIB;
    }
    for files in [&mut report.files, &mut report.processes[1].files] {
        let file = files.listed.iter_mut().max_by_key(|file| file.read_bytes);
        let file = file.expect("a file");
        file.reads += 50;
        file.read_bytes += 12 * MIB;
    }
    report
}

fn shell() -> Process {
    let functions = BTreeMap::from([
        entry(
            called("read", 212, 128 * 212)
                .with_moved(9 * KIB)
                .with_latency(212, 850, 5 * MS),
        ),
        entry(
            called("write", 3, 99)
                .with_moved(99)
                .with_latency(3, 1200, 4100),
        ),
        entry(
            called("open", 9, 0)
                .with_error("ENOENT", 4)
                .with_latency(9, 4200, 21_000),
        ),
        entry(
            called("close", 31, 0)
                .with_error("EBADF", 2)
                .with_latency(31, 410, 2300),
        ),
    ]);
    let own_malloc = ["calloc", "free", "malloc", "realloc"];
    let mut provenance = provenance();
    for group in &mut provenance {
        group
            .functions
            .retain(|name| !own_malloc.contains(&&**name));
    }
    provenance.push(ProvenanceGroup {
        leads: Provenance {
            next: Some(LIBC.to_owned()),
            bound: Some("/usr/bin/bash".to_owned()),
            interposed: false,
        },
        functions: own_malloc.map(Into::into).to_vec(),
    });
    Process {
        folded: None,
        title: None,
        pid: SHELL,
        parent_pid: 4000,
        executable: "/usr/bin/bash".to_owned(),
        command: strings(&[
            "bash",
            "-c",
            "python3 build.py --töne 'für Élise' | gzip > out.gz",
        ]),
        forked: false,
        started_unix_ns: STARTED,
        started_at: Some(Utc::of_unix_ns(STARTED).to_string()),
        duration_ns: 12_345 * MS,
        end: End {
            how: EndKind::Exited,
            status: Some(0),
            signal: None,
        },
        timed_one_in: 128,
        threads: vec![thread(SHELL, "bash", 1, &functions, 1)],
        heap: Heap::default(),
        timeline: Timeline::default(),
        latency_over_time: files::over_time(&functions, 80 * MS, 154),
        activities: files::activities(&functions),
        functions,
        files: files::of_shell(),
        coroutines: None,
        stacks: None,
        in_flight: Vec::new(),
        longest_waits: Vec::new(),
        slowest: vec![slow(
            SHELL,
            SHELL,
            "read",
            5 * MS,
            12_100 * MS,
            Some(128),
            Some(3),
        )],
        provenance,
        missed: Missed {
            not_interposed: strings(&own_malloc),
            ..Missed::default()
        },
        tool: Tool {
            region_bytes: MIB,
            ..Tool::default()
        },
    }
}

fn python() -> Process {
    let functions = functions::of_python();
    let rise = |at: u64| {
        if at < 70 {
            at * at * 10
        } else {
            49_000 - (at - 70) * 1_100
        }
    };
    let points = (0..100).map(|at| TimelinePoint {
        at_ns: at * 120 * MS,
        live_bytes: (rise(at) * KIB) as i64,
        alloc_calls: at * 26_000,
        alloc_bytes: at * 4 * MIB,
        io_calls: at * 700,
        read_bytes: at * MIB,
        written_bytes: at * 800 * KIB,
        copied_bytes: 0,
        threads: None,
        // Nobody reads them at the start, and nobody can at the end.
        usage: (1..99).contains(&at).then(|| Usage {
            resident_bytes: (rise(at) + 9_216) * KIB,
            minor_faults: 1_300 + at * 140,
            major_faults: 12,
            user_ns: at * 10 / 12 * 100 * MS,
            system_ns: at / 7 * 10 * MS,
        }),
    });
    let long = "/srv/projects/überlange Verzeichnisnamen/構築/very/deep/directory/structure/venv-3.11/bin/python3.11";
    Process {
        folded: None,
        title: None,
        pid: PYTHON,
        parent_pid: SHELL,
        executable: long.to_owned(),
        command: strings(&[long, "build.py", "--töne", "für Élise", "--tab=\there"]),
        forked: false,
        started_unix_ns: STARTED + 11 * MS,
        started_at: Some(Utc::of_unix_ns(STARTED + 11 * MS).to_string()),
        duration_ns: 12_020 * MS,
        end: End {
            how: EndKind::Exited,
            status: Some(0),
            signal: None,
        },
        timed_one_in: 128,
        threads: vec![
            thread(PYTHON, "python3", 1, &functions, 3),
            thread(4714, "pool-0 → 漢字", 1, &functions, 6),
            thread(4719, "worker", 412, &functions, 7),
            thread(0, "", 3, &functions, 900),
        ],
        heap: Heap {
            live_bytes: 16 * MIB as i64 + 12,
            live_blocks: 40_112,
            peak_bytes: 49 * MIB,
            peak_error_bytes: 48 * KIB,
            inherited_bytes: 0,
            inherited_blocks: 0,
            not_known: None,
        },
        timeline: Timeline {
            interval_ns: 120 * MS,
            points: points.collect(),
        },
        latency_over_time: files::over_time(&functions, 80 * MS, 150),
        activities: files::activities(&functions),
        functions,
        files: files::of_python(),
        coroutines: None,
        stacks: None,
        in_flight: Vec::new(),
        longest_waits: vec![
            slow(
                PYTHON,
                PYTHON,
                "epoll_wait",
                3_020 * MS,
                5_100 * MS,
                None,
                Some(5),
            ),
            slow(PYTHON, 4714, "accept4", 190 * MS, 2_000 * MS, None, Some(6)),
            slow(
                PYTHON,
                4719,
                "clock_nanosleep",
                100 * MS,
                700 * MS,
                None,
                None,
            ),
        ],
        slowest: vec![
            slow(
                PYTHON,
                PYTHON,
                "write",
                1_204 * MS,
                3_311 * MS,
                Some(64 * KIB),
                Some(1),
            ),
            slow(PYTHON, 4714, "fsync", 402 * MS, 9_000 * MS, None, Some(7)),
            slow(
                PYTHON,
                4714,
                "read",
                230 * MS,
                4_400 * MS,
                Some(128 * KIB),
                Some(9),
            ),
            slow(PYTHON, 4719, "openat", 9 * MS, 140 * MS, None, Some(-100)),
            slow(
                PYTHON,
                PYTHON,
                "realloc",
                1_450_000,
                10_950 * MS,
                Some(12 * MIB),
                None,
            ),
        ],
        provenance: provenance(),
        missed: Missed {
            dropped_samples: 1234,
            reentrant_calls: 17,
            ..Missed::default()
        },
        tool: Tool {
            region_bytes: MIB,
            samples: 48_000,
            ..Tool::default()
        },
    }
}

fn child() -> Process {
    let functions = BTreeMap::from([
        entry(called("malloc", 410, 64 * KIB).with_sizes(&[(128, 255, 410)])),
        entry(
            called("write", 2, 4 * KIB)
                .with_moved(4 * KIB)
                .with_latency(2, 1_000, 1_800),
        ),
    ]);
    let points = [(0, 16), (500, 17), (990, 18)].map(|(at, mib)| TimelinePoint {
        at_ns: at * MS,
        live_bytes: mib * MIB as i64,
        usage: (at == 500).then_some(Usage {
            resident_bytes: 21 * MIB,
            minor_faults: 517,
            major_faults: 0,
            user_ns: 30 * MS,
            system_ns: 10 * MS,
        }),
        ..TimelinePoint::default()
    });
    Process {
        folded: None,
        title: None,
        pid: CHILD,
        parent_pid: PYTHON,
        executable: python().executable,
        command: python().command,
        forked: true,
        started_unix_ns: STARTED + 8_400 * MS,
        started_at: Some(Utc::of_unix_ns(STARTED + 8_400 * MS).to_string()),
        duration_ns: 1_000 * MS,
        end: End {
            how: EndKind::Signaled,
            status: None,
            signal: Some(9),
        },
        timed_one_in: 128,
        threads: vec![thread(CHILD, "python3", 1, &functions, 1)],
        heap: Heap {
            live_bytes: 18 * MIB as i64,
            live_blocks: 40_522,
            peak_bytes: 18 * MIB,
            peak_error_bytes: 0,
            inherited_bytes: 16 * MIB as i64,
            inherited_blocks: 40_112,
            not_known: None,
        },
        timeline: Timeline {
            interval_ns: 490 * MS,
            points: points.to_vec(),
        },
        latency_over_time: files::over_time(&functions, 5 * MS, 199),
        activities: files::activities(&functions),
        functions,
        files: files::of_child(),
        coroutines: None,
        stacks: None,
        in_flight: Vec::new(),
        longest_waits: Vec::new(),
        slowest: vec![slow(
            CHILD,
            CHILD,
            "write",
            1_800,
            12 * MS,
            Some(2 * KIB),
            Some(1),
        )],
        provenance: provenance(),
        missed: Missed {
            uncounted_calls: 3,
            ..Missed::default()
        },
        tool: Tool {
            region_bytes: MIB,
            samples: 2,
            ..Tool::default()
        },
    }
}

fn provenance() -> Vec<ProvenanceGroup> {
    let absent = ["cfree", "free_aligned_sized", "free_sized"];
    let group = |next: Option<&str>, of_absent: bool| ProvenanceGroup {
        leads: Provenance {
            next: next.map(str::to_owned),
            bound: Some("libweir.so".to_owned()),
            interposed: true,
        },
        functions: Known::by_name()
            .iter()
            .filter(|known| known.is_in_library())
            .map(|known| known.name())
            .filter(|name| absent.contains(name) == of_absent)
            .map(Into::into)
            .collect(),
    };
    vec![group(None, true), group(Some(LIBC), false)]
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn slow(
    pid: u32,
    tid: u32,
    function: &str,
    took_ns: u64,
    at_ns: u64,
    size_bytes: Option<u64>,
    fd: Option<i32>,
) -> SlowCall {
    SlowCall {
        function: function.to_owned(),
        took_ns,
        at_ns,
        pid,
        tid,
        size_bytes,
        fd,
        looks: None,
    }
}

/// A thread that made one in so many of the process's calls.
fn thread(
    tid: u32,
    name: &str,
    threads: u64,
    all: &BTreeMap<String, Function>,
    part: u64,
) -> Thread {
    let share = |function: &Function| ThreadFunction {
        calls: function.calls / part,
        errors: function.errors / part,
        requested_bytes: function.requested_bytes / part,
        moved_bytes: function.moved_bytes / part,
        timed: function
            .latency
            .as_ref()
            .map_or(0, |latency| latency.timed / part),
        total_ns: function
            .latency
            .as_ref()
            .map_or(0, |latency| latency.total_ns / part),
    };
    Thread {
        tid,
        name: name.to_owned(),
        threads,
        started_ns: 40_000,
        running: false,
        live_bytes: (9 * MIB / part) as i64 - 2 * MIB as i64,
        functions: all
            .iter()
            .map(|(name, function)| (name.clone(), share(function)))
            .filter(|(_, of)| of.calls > 0)
            .collect(),
    }
}
