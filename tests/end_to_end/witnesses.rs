//! Real programs: the report beside strace and heaptrack, of another run of the same command.

use tempfile::TempDir;
use weir_record::functions::{Function, Role};
use weir_report::model::Process;

use crate::support::heaptrack::{self, Allocations};
use crate::support::real::Real;
use crate::support::strace::{self, Image, Sums};
use crate::support::{Mode, Program};

/// One run of a program, in a fresh folder.
struct Run {
    folder: TempDir,
    program: Program,
}

impl Run {
    fn of(real: &Real) -> Run {
        let folder = real.folder();
        let program = real.program().in_folder(folder.path());
        Run { folder, program }
    }

    fn under_strace(&self) -> Vec<Image> {
        let mut images = strace::images(&self.program, self.folder.path());
        images.sort();
        images
    }

    fn under_heaptrack(&self, beside: Mode) -> Allocations {
        heaptrack::allocations(&self.program, self.folder.path(), beside)
    }

    fn under_weir(&self, mode: Mode) -> Vec<Process> {
        let outcome = self.program.run(mode).expect_status(0);
        let processes: Vec<Process> = outcome.processes().into_iter().cloned().collect();
        for process in &processes {
            let elsewhere = &process.missed.not_interposed;
            assert!(
                elsewhere.is_empty(),
                "{}: {elsewhere:?}",
                process.executable
            );
        }
        processes
    }
}

/// A report's process image, in strace's terms.
fn image(process: &Process) -> Image {
    let mut own = Sums::new();
    for (name, function) in &process.functions {
        if let Some(kind) = strace::kind_of(name).filter(|_| function.calls != 0) {
            let sum = own.entry(kind).or_default();
            let counts = [function.calls, function.errors, function.moved_bytes];
            *sum = [0, 1, 2].map(|place| sum[place] + counts[place]);
        }
    }
    let name = process.executable.rsplit('/').next().unwrap_or_default();
    Image {
        executable: name.to_owned(),
        forked: process.forked,
        own,
        inside_libc: Sums::new(),
    }
}

/// Every process image of the program made the I/O calls that strace saw its own code make: as many, as many
/// failed, as many bytes.
#[track_caller]
fn expect_as_strace(name: &str) {
    let real = Real::named(name);
    let mut seen = Run::of(real).under_strace();
    let again = Run::of(real).under_strace();
    assert_eq!(
        seen, again,
        "{name}: two runs without Weir differ, so nothing can be compared"
    );
    assert!(
        seen.iter()
            .any(|image| image.inside_libc.contains_key("read")),
        "{name}: strace should have seen the dynamic linker read libraries"
    );
    for image in &mut seen {
        image.inside_libc.clear();
    }
    for mode in Mode::MEASURED {
        let mut reported: Vec<Image> = Run::of(real).under_weir(mode).iter().map(image).collect();
        reported.sort();
        for (reported, seen) in reported.iter().zip(&seen) {
            assert_eq!(reported, seen, "{name}, {mode:?}: the report, and strace");
        }
        assert_eq!(
            reported.len(),
            seen.len(),
            "{name}, {mode:?}: process images"
        );
    }
}

/// The program made as many allocations as heaptrack saw, of as many bytes, and freed as many blocks.
#[track_caller]
fn expect_as_heaptrack(name: &str, least_calls: u64) {
    let real = Real::named(name);
    for mode in Mode::MEASURED {
        // python3 sorts by address here and there, and does not ask for the same each time: a run that
        // heaptrack sees must find a run of ours that equals it to the last byte.
        let compare = || {
            let seen = Run::of(real).under_heaptrack(mode);
            assert!(seen.calls >= least_calls, "{name}: heaptrack saw {seen:?}");
            let processes = Run::of(real).under_weir(mode);
            let [process] = &processes[..] else {
                panic!("{} process images", processes.len())
            };
            (allocations(process), seen)
        };
        let (reported, seen) = (0..4)
            .map(|_| compare())
            .find(|(reported, seen)| reported == seen)
            .unwrap_or_else(compare);
        assert_eq!(
            reported, seen,
            "{name}, {mode:?}: the report, and heaptrack"
        );
    }
}

/// A report's allocations, in heaptrack's terms: it sees no failed calls, and nothing of `free(NULL)`.
fn allocations(process: &Process) -> Allocations {
    let mut sums = Allocations::default();
    for function in Function::ALL {
        let role = function.row().role;
        if let (Role::Allocate | Role::Resize, Some(counts)) =
            (role, process.functions.get(function.name()))
        {
            sums.calls += counts.calls - counts.errors;
            sums.requested_bytes += counts.requested_bytes;
        }
    }
    // What was made and is not live any more.
    sums.freed =
        sums.calls - u64::try_from(process.heap.live_blocks).expect("more made than freed");
    sums
}

#[test]
fn sort_reads_and_writes_as_strace_saw() {
    expect_as_strace("sort");
    expect_as_strace("sort in two threads");
}

#[test]
fn gzip_reads_and_writes_as_strace_saw() {
    expect_as_strace("gzip");
}

#[test]
fn tar_reads_and_writes_as_strace_saw() {
    expect_as_strace("tar");
}

#[test]
fn sqlite3_reads_and_writes_as_strace_saw() {
    expect_as_strace("sqlite3");
}

#[test]
fn git_reads_and_writes_as_strace_saw() {
    expect_as_strace("git");
}

#[test]
fn gcc_reads_and_writes_as_strace_saw() {
    expect_as_strace("gcc");
}

#[test]
fn python3_reads_and_writes_as_strace_saw() {
    expect_as_strace("python3");
    expect_as_strace("python3 with its own allocator");
}

#[test]
fn programs_allocate_as_heaptrack_saw() {
    // gzip has its memory from the start.
    for (name, least_calls) in [
        ("sort", 5),
        ("gzip", 0),
        ("tar", 100),
        ("sqlite3", 1000),
        ("python3", 10_000),
        ("python3 with its own allocator", 100),
    ] {
        expect_as_heaptrack(name, least_calls);
    }
}
