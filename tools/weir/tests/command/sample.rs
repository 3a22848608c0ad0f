//! A report as a build of three processes makes it: a shell built with its own malloc, a Python with
//! threads, and a child that it forked and that was killed. Names and paths are as awkward as those
//! of the world.

use std::collections::BTreeMap;

use weir_record::functions::Function as Known;
use weir_report::model::*;

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
    let processes = vec![shell(), python(), child()];
    let mut functions: BTreeMap<String, Function> = Known::ALL
        .iter()
        .map(|known| (known.name().to_owned(), called(known.name(), 0, 0).function))
        .collect();
    let mut heap = Heap::default();
    let mut slowest = Vec::new();
    for process in &processes {
        for (name, function) in &process.functions {
            add(functions.entry(name.clone()).or_default(), function);
        }
        heap.live_bytes += process.heap.live_bytes;
        heap.live_blocks += process.heap.live_blocks;
        heap.peak_bytes += process.heap.peak_bytes;
        heap.peak_error_bytes += process.heap.peak_error_bytes;
        heap.inherited_bytes += process.heap.inherited_bytes;
        heap.inherited_blocks += process.heap.inherited_blocks;
        slowest.extend(process.slowest.iter().cloned());
    }
    slowest.sort_by_key(|call: &SlowCall| std::cmp::Reverse(call.took_ns));
    Report {
        schema: SCHEMA.to_owned(),
        weir_version: "0.1.0".to_owned(),
        command: strings(&[
            "bash",
            "-c",
            "python3 build.py --töne 'für Élise' | gzip > out.gz",
        ]),
        started_unix_ns: STARTED,
        duration_ns: 12_345 * MS,
        end: End {
            how: EndKind::Exited,
            status: Some(0),
            signal: None,
        },
        timing: "1/128".to_owned(),
        functions,
        heap,
        activities: BTreeMap::new(),
        files: Files::default(),
        longest_waits: Vec::new(),
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
    for name in own_malloc {
        if let Some(entry) = provenance.get_mut(name) {
            *entry = Provenance {
                next: Some(LIBC.to_owned()),
                bound: Some("/usr/bin/bash".to_owned()),
                interposed: false,
            };
        }
    }
    Process {
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
        duration_ns: 12_345 * MS,
        end: End {
            how: EndKind::Exited,
            status: Some(0),
            signal: None,
        },
        timing: "1/128".to_owned(),
        threads: vec![thread(SHELL, "bash", 1, &functions, 1)],
        functions,
        heap: Heap::default(),
        timeline: Timeline::default(),
        activities: BTreeMap::new(),
        files: Files::default(),
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
    let functions = BTreeMap::from([
        entry(
            called("malloc", 1_234_567, 412 * MIB)
                .with_sizes(&[
                    (0, 0, 12),
                    (1, 7, 42_111),
                    (8, 15, 98_001),
                    (16, 31, 310_442),
                    (32, 63, 402_777),
                    (64, 127, 201_003),
                    (128, 255, 99_120),
                    (256, 511, 61_874),
                    (512, 1023, 14_002),
                    (KIB, 2 * KIB - 1, 4_100),
                    (2 * KIB, 4 * KIB - 1, 811),
                    (4 * KIB, 8 * KIB - 1, 240),
                    (64 * KIB, 128 * KIB - 1, 60),
                    (512 * KIB, MIB - 1, 14),
                ])
                .with_latency(9645, 21, 48_000),
        ),
        entry(
            called("calloc", 41_000, 9 * MIB)
                .with_sizes(&[(64, 127, 38_000), (4 * KIB, 8 * KIB - 1, 3_000)])
                .with_latency(320, 44, 9_100),
        ),
        entry(
            called("realloc", 88_412, 61 * MIB)
                .with_sizes(&[(32, 63, 40_000), (KIB, 2 * KIB - 1, 48_412)])
                .with_error("", 1)
                .with_latency(691, 58, 1_450_000),
        ),
        entry(called("free", 1_240_000, 0).with_latency(9_687, 15, 33_000)),
        entry(called("posix_memalign", 0, 0)),
        entry(
            called("read", 18_204, 2 * MIB * 64)
                .with_moved(96 * MIB)
                .with_latency(18_204, 1_900, 230 * MS),
        ),
        entry(
            called("write", 40_001, 81 * MIB)
                .with_moved(81 * MIB - 5)
                .with_error("EAGAIN", 812)
                .with_error("EPIPE", 1)
                .with_latency(40_001, 2_300, 1_204 * MS),
        ),
        entry(
            called("openat", 6_021, 0)
                .with_error("ENOENT", 4_108)
                .with_latency(6_021, 3_100, 9 * MS),
        ),
        entry(called("close", 1_900, 0).with_latency(1_900, 390, 12_000)),
        entry(
            called("lseek64", 5_500, 0)
                .with_error("ESPIPE", 2)
                .with_latency(5_500, 210, 8_000),
        ),
        entry(called("fsync", 12, 0).with_latency(12, 31 * MS, 402 * MS)),
        entry(called("execve", 1, 0).with_error("EACCES", 1)),
    ]);
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
    });
    let long = "/srv/projects/überlange Verzeichnisnamen/構築/very/deep/directory/structure/venv-3.11/bin/python3.11";
    Process {
        pid: PYTHON,
        parent_pid: SHELL,
        executable: long.to_owned(),
        command: strings(&[long, "build.py", "--töne", "für Élise", "--tab=\there"]),
        forked: false,
        started_unix_ns: STARTED + 11 * MS,
        duration_ns: 12_020 * MS,
        end: End {
            how: EndKind::Exited,
            status: Some(0),
            signal: None,
        },
        timing: "1/128".to_owned(),
        threads: vec![
            thread(PYTHON, "python3", 1, &functions, 3),
            thread(4714, "pool-0 → 漢字", 1, &functions, 6),
            thread(4719, "worker", 412, &functions, 7),
            thread(0, "", 3, &functions, 900),
        ],
        functions,
        heap: Heap {
            live_bytes: 16 * MIB as i64 + 12,
            live_blocks: 40_112,
            peak_bytes: 49 * MIB,
            peak_error_bytes: 48 * KIB,
            inherited_bytes: 0,
            inherited_blocks: 0,
        },
        timeline: Timeline {
            interval_ns: 120 * MS,
            points: points.collect(),
        },
        activities: BTreeMap::new(),
        files: Files::default(),
        longest_waits: Vec::new(),
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
        ..TimelinePoint::default()
    });
    Process {
        pid: CHILD,
        parent_pid: PYTHON,
        executable: python().executable,
        command: python().command,
        forked: true,
        started_unix_ns: STARTED + 8_400 * MS,
        duration_ns: 1_000 * MS,
        end: End {
            how: EndKind::Signaled,
            status: None,
            signal: Some(9),
        },
        timing: "1/128".to_owned(),
        threads: vec![thread(CHILD, "python3", 1, &functions, 1)],
        functions,
        heap: Heap {
            live_bytes: 18 * MIB as i64,
            live_blocks: 40_522,
            peak_bytes: 18 * MIB,
            peak_error_bytes: 0,
            inherited_bytes: 16 * MIB as i64,
            inherited_blocks: 40_112,
        },
        timeline: Timeline {
            interval_ns: 490 * MS,
            points: points.to_vec(),
        },
        activities: BTreeMap::new(),
        files: Files::default(),
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

fn provenance() -> BTreeMap<String, Provenance> {
    let names = Known::ALL.iter().map(|known| known.name());
    let of = |name: &str| match name {
        "cfree" | "free_sized" | "free_aligned_sized" => Provenance {
            next: None,
            bound: Some("libweir.so".to_owned()),
            interposed: true,
        },
        _ => Provenance {
            next: Some(LIBC.to_owned()),
            bound: Some("libweir.so".to_owned()),
            interposed: true,
        },
    };
    names.map(|name| (name.to_owned(), of(name))).collect()
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
            .collect(),
    }
}

/// A function under its name, as it is put together.
struct Named {
    name: &'static str,
    function: Function,
}

fn called(name: &'static str, calls: u64, requested_bytes: u64) -> Named {
    let known = Known::ALL
        .into_iter()
        .find(|known| known.name() == name)
        .expect("a known name");
    let family = known.row().family.name().to_owned();
    Named {
        name,
        function: Function {
            family,
            calls,
            requested_bytes,
            ..Function::default()
        },
    }
}

fn entry(named: Named) -> (String, Function) {
    (named.name.to_owned(), named.function)
}

impl Named {
    fn with_moved(mut self, bytes: u64) -> Named {
        self.function.moved_bytes = bytes;
        self
    }

    /// With failed calls; allocation functions have no errno.
    fn with_error(mut self, errno: &str, calls: u64) -> Named {
        self.function.errors += calls;
        if !errno.is_empty() {
            self.function
                .errors_by_errno
                .insert(errno.to_owned(), calls);
        }
        self
    }

    fn with_sizes(mut self, classes: &[(u64, u64, u64)]) -> Named {
        let class = |&(from_bytes, to_bytes, calls)| SizeClass {
            from_bytes,
            to_bytes,
            calls,
        };
        self.function.size_classes = classes.iter().map(class).collect();
        self
    }

    fn with_latency(mut self, timed: u64, p50_ns: u64, max_ns: u64) -> Named {
        // A tail that grows by the same factor from the median to the maximum.
        let step = (max_ns as f64 / p50_ns as f64).powf(0.25);
        let tail = |steps: i32| (p50_ns as f64 * step.powi(steps)) as u64;
        let mean_ns = p50_ns + tail(1) / 4;
        self.function.latency = Some(Latency {
            timed,
            dropped: timed / 100,
            total_ns: mean_ns * timed,
            min_ns: p50_ns / 2,
            mean_ns,
            p50_ns,
            p90_ns: tail(1),
            p99_ns: tail(2),
            p99_9_ns: tail(3),
            max_ns,
            histogram: "HISTFAAAACB4nJNpmSzMwMDAxQABzFCaEUozMYCBzX8GBgAmxgKD".to_owned(),
        });
        self
    }
}

fn add(sum: &mut Function, function: &Function) {
    sum.calls += function.calls;
    sum.errors += function.errors;
    sum.requested_bytes += function.requested_bytes;
    sum.moved_bytes += function.moved_bytes;
    for (errno, calls) in &function.errors_by_errno {
        *sum.errors_by_errno.entry(errno.clone()).or_default() += calls;
    }
    for class in &function.size_classes {
        match sum
            .size_classes
            .iter_mut()
            .find(|sum| sum.from_bytes == class.from_bytes)
        {
            Some(sum) => sum.calls += class.calls,
            None => sum.size_classes.push(class.clone()),
        }
    }
    // The percentiles of the one with the most calls stand for both.
    let Some(latency) = &function.latency else {
        return;
    };
    let timed = sum.latency.as_ref().map_or(0, |sum| sum.timed) + latency.timed;
    let total_ns = sum.latency.as_ref().map_or(0, |sum| sum.total_ns) + latency.total_ns;
    let larger = match sum.latency.take() {
        Some(sum) if sum.timed > latency.timed => sum,
        _ => latency.clone(),
    };
    sum.latency = Some(Latency {
        timed,
        total_ns,
        mean_ns: total_ns / timed,
        ..larger
    });
}
