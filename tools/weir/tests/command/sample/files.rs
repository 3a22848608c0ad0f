//! The files and sockets of the sample, and what its calls were for.

use std::collections::BTreeMap;

use weir_record::functions::{Family, Function as Known, Role, Timing};
use weir_report::model::*;

use super::{CHILD, KIB, MIB, MS, PYTHON, SHELL};

const PROJECT: &str = "/srv/projects/überlange Verzeichnisnamen/構築/very/deep/directory/structure";

/// Those of the shell: its script's pipe, and what it looked at.
pub fn of_shell() -> Files {
    with_kinds(Files {
        listed: vec![
            FileUse {
                opens: 1,
                reads: 210,
                read_bytes: 9 * KIB - 99,
                read_ns: 6 * MS,
                ..used("pipe", "").slowest("read", 5 * MS, 12_100 * MS, SHELL, 128)
            },
            FileUse {
                writes: 3,
                written_bytes: 99,
                write_ns: 4_600,
                switches: 2,
                ..used("terminal", "/dev/pts/3").slowest("write", 4_100, 12_340 * MS, SHELL, 33)
            },
        ],
        others: others(),
        ..Files::default()
    })
}

/// Those of the Python: a database with a long name, sockets, a pipe that was full, modules.
pub fn of_python() -> Files {
    let module = |name: &str, read_bytes| FileUse {
        opens: 1,
        reads: 2,
        other_calls: 3,
        read_bytes,
        read_ns: 11_000 + read_bytes / 4,
        other_ns: 4_000,
        sequential: 2,
        ..used("file", &format!("{PROJECT}/src/{name}"))
    };
    let mut listed = vec![
        FileUse {
            other_calls: 310,
            other_ns: 5_780 * MS,
            ..used("epoll", "").slowest("epoll_wait", 3_020 * MS, 5_100 * MS, PYTHON, 0)
        },
        FileUse {
            opens: 1,
            writes: 1_965,
            errors: 813,
            written_bytes: 72 * MIB - 5,
            write_ns: 1_290 * MS,
            ..used("pipe", "standard output").slowest(
                "write",
                1_204 * MS,
                3_311 * MS,
                PYTHON,
                64 * KIB,
            )
        },
        FileUse {
            opens: 3,
            reads: 12_110,
            writes: 38_036,
            other_calls: 5_512,
            errors: 2,
            read_bytes: 95 * MIB,
            written_bytes: 9 * MIB,
            read_ns: 288 * MS,
            write_ns: 121 * MS,
            other_ns: 550 * MS,
            sequential: 10_200,
            random: 39_946,
            switches: 812,
            size_classes: vec![class(64, 511, 38_036), class(4096, 32_767, 12_110)],
            ..used("file", &format!("{PROJECT}/build/cache/objects.db")).slowest(
                "fsync",
                402 * MS,
                9_000 * MS,
                PYTHON,
                0,
            )
        },
        FileUse {
            opens: 2,
            reads: 1_204,
            writes: 637,
            other_calls: 6,
            read_bytes: 9 * MIB - 1_203,
            written_bytes: 61 * KIB,
            read_ns: 17 * MS,
            write_ns: 7 * MS,
            other_ns: 900_000,
            switches: 1_270,
            ..used("tcp", "to [2001:db8:85a3::8a2e:370:7334]:443").slowest(
                "recv",
                18 * MS,
                4_400 * MS,
                PYTHON,
                16 * KIB,
            )
        },
        FileUse {
            opens: 1,
            other_calls: 5,
            errors: 2,
            other_ns: 216 * MS,
            ..used("tcp", "at 0.0.0.0:8080").slowest("accept4", 190 * MS, 2_000 * MS, PYTHON, 0)
        },
        FileUse {
            opens: 3,
            reads: 3,
            writes: 3,
            other_calls: 3,
            read_bytes: 1_203,
            written_bytes: 712,
            read_ns: 80_000,
            write_ns: 60_000,
            other_ns: 9_000,
            switches: 3,
            ..used("tcp", "accepted from 10.1.2.3 at 0.0.0.0:8080")
        },
        FileUse {
            opens: 1,
            writes: 41,
            errors: 41,
            write_ns: 21_000,
            ..used("unix", "to /run/user/1000/bus")
        },
        FileUse {
            opens: 12,
            reads: 12,
            read_bytes: 384,
            read_ns: 9_900,
            other_calls: 12,
            other_ns: 4_700,
            ..used("device", "/dev/urandom")
        },
        module("für_elise.py", 12 * KIB),
        module("build.py\x1b[2J", 3 * KIB),
    ];
    listed.sort_by_key(|file| std::cmp::Reverse(file.total_ns()));
    with_kinds(Files {
        listed,
        others: FileUse {
            opens: 1_893,
            reads: 3_800,
            writes: 0,
            other_calls: 6_012,
            errors: 4_108,
            read_bytes: 900 * KIB,
            read_ns: 10 * MS,
            other_ns: 31 * MS,
            sequential: 3_800,
            ..others()
        },
        folded: 1_204,
        ..Files::default()
    })
}

/// Those of the child, which writes to its parent's pipe.
pub fn of_child() -> Files {
    with_kinds(Files {
        listed: vec![FileUse {
            opens: 0,
            writes: 2,
            written_bytes: 4 * KIB,
            write_ns: 2_580,
            ..used("pipe", "standard output").slowest("write", 1_800, 12 * MS, CHILD, 2 * KIB)
        }],
        others: others(),
        ..Files::default()
    })
}

/// The same with the sums of the kinds.
fn with_kinds(mut files: Files) -> Files {
    for file in files.listed.iter().chain([&files.others]) {
        if file.calls() != 0 {
            files
                .kinds
                .entry(file.kind.clone())
                .or_default()
                .add_file(file);
        }
    }
    files
}

/// Those of all processes, one of the same name once.
pub fn together(processes: &[Process]) -> Files {
    let mut sum = Files {
        others: others(),
        ..Files::default()
    };
    for files in processes.iter().map(|process| &process.files) {
        for file in &files.listed {
            let same =
                |known: &&mut FileUse| (&known.kind, &known.name) == (&file.kind, &file.name);
            match sum.listed.iter_mut().find(same) {
                Some(known) => known.add(file),
                None => sum.listed.push(file.clone()),
            }
        }
        sum.others.add(&files.others);
        sum.folded += files.folded;
        for (kind, of_image) in &files.kinds {
            sum.kinds.entry(kind.clone()).or_default().add(of_image);
        }
    }
    sum.listed
        .sort_by_key(|file| std::cmp::Reverse(file.total_ns()));
    sum
}

/// What the calls of these functions were for.
pub fn activities(functions: &BTreeMap<String, Function>) -> BTreeMap<String, Activity> {
    let mut activities: BTreeMap<String, Activity> = BTreeMap::new();
    for known in Known::ALL {
        let row = known.row();
        let Some(function) = functions.get(known.name()) else {
            continue;
        };
        if row.family.timing() != Timing::Always || function.calls == 0 {
            continue;
        }
        let activity = activities.entry(activity_of(known).to_owned());
        let activity = activity.or_default();
        activity.calls += function.calls;
        activity.total_ns += function.latency.as_ref().map_or(0, |it| it.total_ns);
    }
    activities
}

/// The activity of a function that is always timed.
fn activity_of(known: Known) -> &'static str {
    let row = known.row();
    match (row.family, row.role) {
        (Family::Lock, _) => "lock",
        _ if weir_report::waits(known) => "wait",
        (Family::Map, _) => "memory_map",
        (_, Role::Read | Role::Write | Role::Move | Role::Sync) => "transfer",
        _ => "other",
    }
}

/// When these calls were made: the calls of each function that took about as long are in so many columns, one after the other.
pub fn over_time(
    functions: &BTreeMap<String, Function>,
    interval_ns: u64,
    columns: u64,
) -> Option<Box<LatencyOverTime>> {
    let mut activities: BTreeMap<String, BTreeMap<(u64, u32), u64>> = BTreeMap::new();
    for known in Known::ALL {
        let function = functions.get(known.name());
        let Some(latency) = function.and_then(|of| of.latency.as_ref()) else {
            continue;
        };
        if known.row().family.timing() != Timing::Always {
            continue;
        }
        let cells = activities.entry(activity_of(known).to_owned()).or_default();
        let mut left = latency.timed - latency.dropped;
        for (part, ns) in [
            (2, latency.p50_ns),
            (10, latency.p90_ns),
            (100, latency.p99_ns),
            (1000, latency.p99_9_ns),
            (u64::MAX, latency.max_ns),
        ] {
            let row = (u128::from(ns) * u128::from(ns)).ilog2();
            let samples = left.saturating_sub(latency.timed / part);
            left -= samples;
            let used = samples.min(columns / 3);
            let first = (known.index() as u64 * 7 + u64::from(row)) % (columns - used);
            for place in 0..used {
                let share = samples * (place + 1) / used - samples * place / used;
                *cells.entry((first + place, row)).or_default() += share;
            }
        }
    }
    let list = |cells: BTreeMap<(u64, u32), u64>| {
        let cells = cells.into_iter();
        cells
            .map(|((column, row), samples)| LatencyCell(column as u32, row, samples))
            .collect()
    };
    Some(Box::new(LatencyOverTime {
        interval_ns,
        activities: activities
            .into_iter()
            .map(|(name, cells)| (name, list(cells)))
            .collect(),
    }))
}

fn used(kind: &str, name: &str) -> FileUse {
    FileUse {
        kind: kind.to_owned(),
        name: name.to_owned(),
        ..FileUse::default()
    }
}

fn others() -> FileUse {
    used("other", "")
}

fn class(from_bytes: u64, to_bytes: u64, calls: u64) -> SizeClass {
    SizeClass {
        from_bytes,
        to_bytes,
        calls,
    }
}

/// How a file is put together.
trait Slowest {
    fn slowest(self, function: &str, took_ns: u64, at_ns: u64, pid: u32, moved_bytes: u64) -> Self;
}

impl Slowest for FileUse {
    fn slowest(self, function: &str, took_ns: u64, at_ns: u64, pid: u32, moved_bytes: u64) -> Self {
        FileUse {
            slowest: Some(SlowestUse {
                function: function.to_owned(),
                took_ns,
                at_ns,
                pid,
                moved_bytes,
            }),
            ..self
        }
    }
}
