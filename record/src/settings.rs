//! The settings of the preloaded library: environment variables, in one table.

use std::fmt;

/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;

/// A row of the table of settings; `docs/settings.md` is made of these.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What it may be.
    pub values: &'static str,
    /// What holds where it is not set.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// Where the report goes.
pub const OUT: Setting = Setting {
    name: "WEIR_OUT",
    values: "a path, or a directory with a slash at its end; `%e` is the executable's name, `%p` the process id, `%%` a percent sign",
    default: "`weir.%e.%p.json` in the working directory at start",
    meaning: "Path of the report. With `%p`, an existing file is kept, and `.1`, `.2`, … is added to the new name. Without \
              `%p`, the report of the first process replaces an existing file of an earlier run; the processes that it starts, and \
              a program that replaces it, add `.<pid>` before the extension. In a directory, which is made if it is not there, reports have \
              their default names; the commands take the directory as one report. A relative path is of each program's own \
              working directory: for programs that start others elsewhere, give an absolute one.",
};

/// Which calls are timed.
pub const TIME: Setting = Setting {
    name: "WEIR_TIME",
    values: "`all`, `off`, or a number N from 1 to 1000000",
    default: "`128`",
    meaning: "Which calls are timed: all; none; or every I/O call and one allocation call in N, chosen at random.",
};

/// How often the report is written while the program runs.
pub const INTERVAL: Setting = Setting {
    name: "WEIR_INTERVAL",
    values: "seconds, from 0.01 to 1000000; decimals allowed",
    default: "unset: at the end only",
    meaning: "Interval at which the report is also written while the program runs. Each report replaces the previous \
              one. A program with one thread writes it between its own calls: it checks once in 4096 timed calls \
              whether one is due.",
};

/// Where the region is made.
pub const REGION_DIR: Setting = Setting {
    name: "WEIR_REGION_DIR",
    values: "a directory",
    default: "`/dev/shm`",
    meaning: "Directory of the region file `weir.<pid>.<number>.region`, which exists while the program runs. It is removed \
              after the report is written. A process that a signal ends leaves it, for `weir recover`.",
};

/// Where the regions of a recording are made.
pub const SESSION: Setting = Setting {
    name: "WEIR_SESSION",
    values: "a directory",
    default: "unset",
    meaning: "Set by `weir run`. Each process image makes its region here; `weir` reads it and writes the report.",
};

/// The socket in the directory of a session by which `weir` is handed the files of regions: a descriptor each, with one byte.
pub const INBOX: &str = "inbox";

/// Which programs are followed.
pub const FOLLOW: Setting = Setting {
    name: "WEIR_FOLLOW",
    values: "`cleared`",
    default: "unset: trace only programs that are started with `LD_PRELOAD`",
    meaning: "Also trace programs that are started with an environment without `LD_PRELOAD`: Weir adds itself and the \
              missing settings of this table to it. If unset, Weir leaves the environment as it is.",
};

/// Whether blocking calls are reported in two parts.
pub const COOP: Setting = Setting {
    name: "WEIR_COOP",
    values: "`on`",
    default: "unset",
    meaning: "Measure wait and transfer of calls that may block separately. Coroutines of a runtime that registers itself \
              do not need it.",
};

/// Whether call stacks are taken.
pub const STACKS: Setting = Setting {
    name: "WEIR_STACKS",
    values: "`off`, `all`, `sampled`, `sampled:BYTES` or `verify`",
    default: "`sampled` with `weir run`, else `off`",
    meaning: "Which calls have their call stack taken: none; every allocation and every I/O call; or every I/O call that ends in a \
              system call, and of the heap's blocks one in BYTES that are allocated, on average (`K`, `M` and `G` may follow the \
              number; 512K if it is not given). `verify` is `all`, and unwinds every stack a second time, in full, to count the \
              stacks that differ: it is slow, and for tests of Weir.",
};

/// Whether call stacks go by frame pointers where nothing else is known.
pub const FRAME_POINTERS: Setting = Setting {
    name: "WEIR_FRAME_POINTERS",
    values: "`on`",
    default: "unset: a call stack ends at code without unwind information",
    meaning: "Call stacks follow frame pointers through code without unwind information, such as code that a program makes while \
              it runs. Where such code keeps no frame pointer, functions are missing or wrong.",
};

/// Whether all blocks have lifetimes.
pub const LIFETIMES: Setting = Setting {
    name: "WEIR_LIFETIMES",
    values: "`on`",
    default: "unset: with `WEIR_STACKS=sampled` only",
    meaning: "With `WEIR_STACKS=all`, also how long blocks of the heap lived, and since when those live that are still there. \
              Each call then reads the clock. Samples have it always.",
};

/// All of them.
pub const ALL: [Setting; 10] = [
    OUT,
    TIME,
    INTERVAL,
    REGION_DIR,
    SESSION,
    FOLLOW,
    COOP,
    STACKS,
    LIFETIMES,
    FRAME_POINTERS,
];

/// Of so many allocated bytes one is a sample, by default: what jemalloc and tcmalloc take.
pub const DEFAULT_SAMPLED_BYTES: u64 = 512 * 1024;

/// Which calls have their call stack taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stacks {
    /// None.
    #[default]
    Off,
    /// Every allocation and every I/O call.
    All,
    /// Every call that ends in a system call, and blocks of the heap at random: one sample in so many bytes, on average (never 0).
    Sampled(u64),
    /// As `All`, and each stack is checked by a second way.
    Verify,
}

impl Stacks {
    /// Under `weir run`, unless something else is asked for: it costs next to nothing, and the command makes the report.
    pub const OF_RUN: Stacks = Stacks::Sampled(DEFAULT_SAMPLED_BYTES);

    /// The most bytes from sample to sample.
    const MOST_BYTES: u64 = 1 << 40;

    /// Reads `off`, `all`, `sampled`, `sampled:BYTES` or `verify`.
    pub fn parse(value: &[u8]) -> Option<Stacks> {
        match value {
            b"off" => Some(Stacks::Off),
            b"all" => Some(Stacks::All),
            b"sampled" => Some(Stacks::Sampled(DEFAULT_SAMPLED_BYTES)),
            b"verify" => Some(Stacks::Verify),
            other => {
                let bytes = parse_bytes(other.strip_prefix(b"sampled:")?)?;
                (1..=Self::MOST_BYTES)
                    .contains(&bytes)
                    .then_some(Stacks::Sampled(bytes))
            }
        }
    }

    /// Whether any are taken.
    pub const fn are_taken(self) -> bool {
        !matches!(self, Stacks::Off)
    }

    /// Bytes from sample to sample, on average; 0 where blocks are not sampled.
    pub const fn sampled_bytes(self) -> u64 {
        match self {
            Stacks::Sampled(bytes) => bytes,
            _ => 0,
        }
    }
}

/// What [`Stacks::parse`] reads.
impl fmt::Display for Stacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stacks::Off => f.write_str("off"),
            Stacks::All => f.write_str("all"),
            Stacks::Sampled(bytes) => write!(f, "sampled:{bytes}"),
            Stacks::Verify => f.write_str("verify"),
        }
    }
}

/// Reads a number of bytes: digits, and `K`, `M` or `G` for powers of 1024.
fn parse_bytes(value: &[u8]) -> Option<u64> {
    let (digits, shift) = match value.split_last()? {
        (b'K', digits) => (digits, 10),
        (b'M', digits) => (digits, 20),
        (b'G', digits) => (digits, 30),
        _ => (value, 0),
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |number, &digit| {
        number
            .checked_mul(10)?
            .checked_add(u64::from(decimal(digit)?))
    })?;
    number.checked_mul(1 << shift)
}

/// One allocation call in so many is timed by default: at 12 ns for reading the clock twice, a tenth
/// of a nanosecond a call.
pub const DEFAULT_ONE_IN: u32 = 128;

/// Which calls are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// None.
    Off,
    /// Every I/O call, and one allocation call in so many (never 0).
    OneIn(u32),
}

impl Default for Timing {
    fn default() -> Timing {
        Timing::OneIn(DEFAULT_ONE_IN)
    }
}

impl Timing {
    /// As a region's header has it: one in how many; 0 is none.
    pub fn one_in(self) -> u32 {
        match self {
            Timing::Off => 0,
            Timing::OneIn(calls) => calls,
        }
    }

    /// Reads `all`, `off` or a number.
    pub fn parse(value: &[u8]) -> Option<Timing> {
        match value {
            b"all" => Some(Timing::OneIn(1)),
            b"off" => Some(Timing::Off),
            digits => {
                let calls: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
                (1..=1_000_000)
                    .contains(&calls)
                    .then_some(Timing::OneIn(calls))
            }
        }
    }
}

/// Reads a number of seconds, decimals allowed, into nanoseconds.
pub fn parse_seconds(value: &[u8]) -> Option<u64> {
    let (whole, fraction) = match value.iter().position(|&byte| byte == b'.') {
        Some(point) => (&value[..point], &value[point + 1..]),
        None => (value, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut ns: u64 = 0;
    for &digit in whole {
        ns = ns
            .checked_mul(10)?
            .checked_add(u64::from(decimal(digit)?))?;
    }
    ns = ns.checked_mul(SECOND_NS)?;
    let mut unit = SECOND_NS;
    for &digit in fraction {
        unit /= 10;
        ns = ns.checked_add(u64::from(decimal(digit)?) * unit)?;
    }
    (SECOND_NS / 100..=1_000_000 * SECOND_NS)
        .contains(&ns)
        .then_some(ns)
}

fn decimal(digit: u8) -> Option<u8> {
    digit.is_ascii_digit().then(|| digit - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timing_is_all_off_or_a_number() {
        assert_eq!(Timing::parse(b"all"), Some(Timing::OneIn(1)));
        assert_eq!(Timing::parse(b"off"), Some(Timing::Off));
        assert_eq!(Timing::parse(b"1000"), Some(Timing::OneIn(1000)));
        for bad in [
            &b""[..],
            b"0",
            b"-1",
            b"1000001",
            b"ALL",
            b"1x",
            b"99999999999",
            b"\xff",
        ] {
            assert_eq!(Timing::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn stacks_are_off_all_sampled_or_verified() {
        for stacks in [
            Stacks::Off,
            Stacks::All,
            Stacks::Sampled(1),
            Stacks::Sampled(1 << 40),
            Stacks::Verify,
        ] {
            assert_eq!(Stacks::parse(stacks.to_string().as_bytes()), Some(stacks));
        }
        for (text, bytes) in [
            ("sampled", 524_288),
            ("sampled:64K", 65_536),
            ("sampled:3M", 3 << 20),
            ("sampled:1G", 1 << 30),
        ] {
            assert_eq!(Stacks::parse(text.as_bytes()), Some(Stacks::Sampled(bytes)));
        }
        for bad in [
            "ALL",
            "sampled:",
            "sampled:0",
            "sampled:K",
            "sampled:1k",
            "sampled:-1",
            "sampled:1025G",
            "sampled:1099511627777",
            "sampled:99999999999999999999",
            "sampled:17179869185G",
        ] {
            assert_eq!(Stacks::parse(bad.as_bytes()), None, "{bad}");
        }
        assert!(!Stacks::Off.are_taken() && Stacks::All.are_taken());
        assert_eq!(Stacks::Sampled(7).sampled_bytes(), 7);
        assert_eq!(Stacks::All.sampled_bytes(), 0);
    }

    #[test]
    fn seconds_may_have_decimals() {
        assert_eq!(parse_seconds(b"1"), Some(SECOND_NS));
        assert_eq!(parse_seconds(b"0.25"), Some(SECOND_NS / 4));
        assert_eq!(parse_seconds(b".01"), Some(SECOND_NS / 100));
        assert_eq!(parse_seconds(b"2."), Some(2 * SECOND_NS));
        for bad in [
            &b""[..],
            b".",
            b"0",
            b"0.001",
            b"-1",
            b"1e3",
            b"1000001",
            b"1.2.3",
            b"99999999999999999999",
        ] {
            assert_eq!(parse_seconds(bad), None, "{bad:?}");
        }
    }
}
