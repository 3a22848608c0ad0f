//! The functions of the sample's Python, and how functions are put together.

use std::collections::BTreeMap;

use weir_record::functions::Function as Known;
use weir_report::model::*;

use super::{KIB, MIB, MS};

/// What the Python called.
pub fn of_python() -> BTreeMap<String, Function> {
    BTreeMap::from([
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
        entry(called("fstat", 3_104, 0).with_latency(3_104, 280, 14_000)),
        entry(called("mmap", 214, 96 * MIB).with_latency(214, 2_100, 81_000)),
        entry(called("munmap", 190, 61 * MIB).with_latency(190, 3_900, 402_000)),
        entry(
            called("recv", 1_204, 1_204 * 64 * KIB)
                .with_moved(9 * MIB)
                .with_latency(1_204, 4_700, 18 * MS),
        ),
        entry(
            called("send", 640, 61 * KIB)
                .with_moved(61 * KIB)
                .with_latency(640, 6_100, 1_100_000),
        ),
        entry(
            called("connect", 2, 0)
                .with_error("ECONNREFUSED", 1)
                .with_latency(2, 210_000, 38 * MS),
        ),
        entry(
            called("accept4", 5, 0)
                .with_error("EAGAIN", 2)
                .with_latency(5, 31 * MS, 190 * MS),
        ),
        entry(called("epoll_wait", 310, 0).with_latency(310, 9 * MS, 3_020 * MS)),
        entry(called("clock_nanosleep", 12, 0).with_latency(12, 100 * MS, 100 * MS)),
        entry(
            called("fwrite", 12_410, 3 * MIB)
                .with_moved(3 * MIB)
                .with_latency(97, 61, 310_000),
        ),
        entry(
            called("fgets", 5_211, 5_211 * KIB)
                .with_moved(148 * KIB)
                .with_latency(41, 74, 19_000),
        ),
        entry(
            called("_IO_file_write", 768, 3 * MIB)
                .with_moved(3 * MIB)
                .with_latency(768, 2_900, 310_000),
        ),
        entry(
            called("_IO_file_read", 39, 39 * 4 * KIB)
                .with_moved(148 * KIB)
                .with_latency(39, 1_700, 21_000),
        ),
    ])
}

/// A function under its name, as it is put together.
pub struct Named {
    name: &'static str,
    pub function: Function,
}

pub fn called(name: &'static str, calls: u64, requested_bytes: u64) -> Named {
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

pub fn entry(named: Named) -> (String, Function) {
    (named.name.to_owned(), named.function)
}

impl Named {
    pub fn with_moved(mut self, bytes: u64) -> Named {
        self.function.moved_bytes = bytes;
        self
    }

    /// With failed calls; allocation functions have no errno.
    pub fn with_error(mut self, errno: &str, calls: u64) -> Named {
        self.function.errors += calls;
        if !errno.is_empty() {
            self.function
                .errors_by_errno
                .insert(errno.to_owned(), calls);
        }
        self
    }

    pub fn with_sizes(mut self, classes: &[(u64, u64, u64)]) -> Named {
        let class = |&(from_bytes, to_bytes, calls)| SizeClass {
            from_bytes,
            to_bytes,
            calls,
        };
        self.function.size_classes = classes.iter().map(class).collect();
        self
    }

    pub fn with_latency(mut self, timed: u64, p50_ns: u64, max_ns: u64) -> Named {
        // A tail that grows by the same factor from the median to the maximum.
        let step = (max_ns as f64 / p50_ns as f64).powf(0.25);
        let tail = |steps: i32| (p50_ns as f64 * step.powi(steps)) as u64;
        let mean_ns = p50_ns + tail(1) / 4;
        self.function.latency = Some(Box::new(Latency {
            timed,
            dropped: timed / 100,
            total_ns: mean_ns * timed,
            min_ns: p50_ns / 2,
            mean_ns,
            deviation_ns: (timed >= 30).then_some(mean_ns * 2),
            p50_ns,
            p90_ns: tail(1),
            p99_ns: tail(2),
            p99_9_ns: tail(3),
            max_ns,
            histogram: "HISTFAAAACB4nJNpmSzMwMDAxQABzFCaEUozMYCBzX8GBgAmxgKD".to_owned(),
        }));
        self
    }
}

pub fn add(sum: &mut Function, function: &Function) {
    sum.calls += function.calls;
    sum.errors += function.errors;
    sum.requested_bytes += function.requested_bytes;
    sum.moved_bytes += function.moved_bytes;
    sum.looks = Looks::together([sum.looks, function.looks].into_iter().flatten());
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
    sum.latency = Some(Box::new(Latency {
        timed,
        total_ns,
        mean_ns: total_ns / timed,
        ..*larger
    }));
}
