//! The writer where it lives in the program: without `weir run`, or where no region file could be made.
//!
//! A program that has threads gets one more, which drains the rings in the background. A program that has
//! one thread keeps to one: a second would change what it can do (a process with two may not join
//! a user namespace, and is warned of fork), and what it pays (the C library's `read` and `write`
//! do more where they could be cancelled: 25 ns a call, measured). Its thread drains its own ring,
//! whenever a quarter of it is full. The report is written by the thread that ends the process. All of
//! that happens on a stack of our own.

use std::cell::UnsafeCell;
use std::ffi::{OsStr, OsString, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::Resource;
use weir_record::clock::Moment;
use weir_record::region::{Circumstance, Header, Phase};
use weir_record::ring;
use weir_report::model::{End, EndKind};
use weir_report::untraced::Hindered;
use weir_report::writer::{Poll, Writer};
use weir_report::{emit, recording};

use crate::environment::{self, Environment};
use crate::life::{start, telling};
use crate::linking::c_library;
use crate::memory::{
    giving_up::{self, Reason},
    own_heap, reserve,
};
use crate::region::{mapping, slots};
use crate::thread;
use crate::{process, sys};

/// Whether the writer's thread has been started, or cannot be.
static STARTED: AtomicBool = AtomicBool::new(false);
/// Whether someone is at [`WORK`].
static BUSY: AtomicBool = AtomicBool::new(false);
static WORK: Shared = Shared(UnsafeCell::new(None));
/// The writer's thread; 0 where it has not begun, [`NOBODY`] where it could not be started.
static THREAD: AtomicU32 = AtomicU32::new(0);
const NOBODY: u32 = u32::MAX;
/// Whether the writer's thread is to end.
static MUST_STOP: AtomicBool = AtomicBool::new(false);
/// Whether someone is ending the writer's thread.
static ENDING: AtomicBool = AtomicBool::new(false);
/// Whether the work was given up: nobody looks at it any more.
static HAS_GIVEN_UP: AtomicBool = AtomicBool::new(false);
/// Processor time of the writer's thread so far.
static CPU_NS: AtomicU64 = AtomicU64::new(0);

struct Shared(UnsafeCell<Option<Work>>);

// SAFETY: whoever looks inside holds `BUSY`.
unsafe impl Sync for Shared {}

/// How long the end of the process waits for the writer's thread to pause.
const PATIENCE: Duration = Duration::from_secs(5);
/// Memory that the names of files may take while they are opened.
const NAMES_BYTES: usize = 48 * 1024;

/// What the writer has in hand.
struct Work {
    writer: Writer<'static>,
    /// The programs that were started and that are known not to load us.
    hindered: Hindered,
    /// Where the report went the first time.
    path: Option<PathBuf>,
    /// When the last report of an interval was written, or the work was begun.
    written_ns: u64,
    /// How many reports have gone there, each in the place of the one before.
    reports: u64,
}

/// What a round of work came to.
struct Round {
    poll: Poll,
    /// How long it is until the next report is due, where there are any at intervals.
    until_report: Option<Duration>,
}

/// The header, where the report is this process's to write.
fn ours() -> Option<&'static Header> {
    let header = process::header().filter(|_| !process::is_sharer())?;
    let alone = !environment::get().has_session() || header.has(Circumstance::PrivateMemory);
    alone.then_some(header)
}

/// Whether the report is the program's to write.
pub fn is_here() -> bool {
    ours().is_some()
}

/// A quarter of the calling thread's ring is full, or it needs the rest of its memory: sees to that, and drains it
/// unless the writer's thread does.
#[cold]
pub fn crowded() {
    sys::with_errno_kept(slots::complete_ring);
    if STARTED.load(Ordering::Relaxed) || sys::is_sealed() || ours().is_none() {
        return;
    }
    drain();
}

/// By itself, and little of it on the thread's stack, which may be small.
#[inline(never)]
fn drain() {
    sys::with_signals_blocked(|| {
        on_own_stack(|| {
            sys::with_errno_kept(|| {
                thread::ours_undisturbed(|| {
                    with_work(Duration::ZERO, |work| work.round(sys::now()));
                });
            });
        });
    });
}

/// Starts the writer's thread, if there is none.
#[cold]
pub fn start() {
    // In one order with `last_left`, as what the two ask of each other demands.
    if STARTED.load(Ordering::SeqCst) {
        return;
    }
    let Some(header) = ours() else { return };
    if STARTED.swap(true, Ordering::SeqCst) {
        return;
    }
    let made = sys::with_errno_kept(|| thread::ours(|| c_library::start_thread(run)));
    if !made {
        THREAD.store(NOBODY, Ordering::Relaxed);
        header.note(Circumstance::NoWriter);
    }
}

/// Ends the writer's thread, if there is one, and sees to it that none is started before [`start_again`]: the process is
/// about to seal itself, and it may make no call from then on; or to ask for what only a process of one thread
/// gets. What is in the rings stays there. False where the writer is not the program's.
pub fn pause() -> bool {
    if ours().is_none() {
        return false;
    }
    let alone = begin_ending();
    if STARTED.swap(true, Ordering::SeqCst) {
        end_thread();
    }
    if alone {
        ENDING.store(false, Ordering::Release);
    }
    true
}

/// The last thread that had a slot has left it. If it is the program's last, the C library ends the process when it
/// ends, as exit does, but only where no thread of ours goes on: so the writer's ends first. It is started again
/// where a slot `is_taken` meanwhile.
#[cold]
pub fn last_left(is_taken: impl Fn() -> bool) {
    if !STARTED.load(Ordering::SeqCst) || ours().is_none() || !begin_ending() {
        return;
    }
    if !sys::is_sealed() && STARTED.load(Ordering::SeqCst) {
        end_thread();
        MUST_STOP.store(false, Ordering::Relaxed);
        THREAD.store(0, Ordering::Relaxed);
        STARTED.store(false, Ordering::SeqCst);
        if is_taken() {
            start();
        }
    }
    ENDING.store(false, Ordering::Release);
}

/// Waits until nobody else ends the writer's thread. False where that takes too long.
fn begin_ending() -> bool {
    sys::await_until(PATIENCE, || !ENDING.swap(true, Ordering::Acquire))
}

/// Ends the writer's thread, which has been started.
fn end_thread() {
    MUST_STOP.store(true, Ordering::Relaxed);
    let is_there = || match THREAD.load(Ordering::Relaxed) {
        0 => true,
        NOBODY => false,
        thread => sys::is_thread(thread),
    };
    sys::await_until(PATIENCE, || !is_there());
}

/// The writer's thread may be there again, if it was.
pub fn start_again() {
    MUST_STOP.store(false, Ordering::Relaxed);
    STARTED.store(false, Ordering::Relaxed);
    if THREAD.swap(0, Ordering::Relaxed) != 0 {
        start();
    }
}

/// The writer's thread. It ends with the process, unless it is stopped.
extern "C" fn run(_: *mut c_void) -> *mut c_void {
    const IDLE_MS: u64 = 8;
    const ACTIVE_MS: u64 = 1;
    /// After how many idle rounds, a quarter of a second, it is looked whether the program's threads are still there.
    const LOOK_AFTER: u32 = 32;
    thread::become_ours();
    THREAD.store(sys::tid(), Ordering::Relaxed);
    sys::name_this_thread(c"weir");
    sys::part_from_descriptors();
    let mut idle_rounds = 0_u32;
    while !MUST_STOP.load(Ordering::Relaxed) && !HAS_GIVEN_UP.load(Ordering::Relaxed) {
        if idle_rounds >= LOOK_AFTER {
            idle_rounds = 0;
            if let Some(status) = sys::process::status_of_the_others() {
                // They ended by system calls of their own. With us the process ends, and newer kernels tell the status of
                // who was the last.
                write_last();
                sys::end_thread(status);
            }
        }
        let now = sys::now();
        let round = with_work(Duration::ZERO, |work| work.round(now));
        CPU_NS.store(sys::thread_cpu_ns(), Ordering::Relaxed);
        let poll = round.as_ref().map(|round| &round.poll);
        idle_rounds = match poll {
            Some(poll) if poll.samples > 0 => 0,
            _ => idle_rounds + 1,
        };
        let pause = match poll {
            Some(poll) if poll.fullest_ring > ring::CAPACITY / 2 => Duration::from_micros(250),
            Some(poll) if poll.samples > 0 => Duration::from_millis(ACTIVE_MS),
            _ => Duration::from_millis(IDLE_MS),
        };
        let until_report = round.and_then(|round| round.until_report).unwrap_or(pause);
        sys::pause(pause.min(until_report.max(Duration::from_micros(100))));
    }
    ptr::null_mut()
}

/// Writes the report, from the writer's thread.
fn write_last() {
    if with_work(PATIENCE, |work| work.write(sys::now())) == Some(true) {
        leave_region(false);
    }
}

/// Does something with the work in hand, if nobody else does so for longer than `patience`. Where that fails, the work is
/// given up for good.
fn with_work<T>(patience: Duration, act: impl FnOnce(&mut Work) -> T) -> Option<T> {
    let region = process::region()?;
    if HAS_GIVEN_UP.load(Ordering::Relaxed) || !acquire(patience) {
        return None;
    }
    if HAS_GIVEN_UP.load(Ordering::Relaxed) {
        let_go();
        return None;
    }
    let mut result = None;
    let attempted = giving_up::attempt(|| {
        // SAFETY: we hold `BUSY`.
        let work = unsafe { &mut *WORK.0.get() };
        let work = work.get_or_insert_with(|| Work {
            writer: Writer::new(region),
            hindered: Hindered::default(),
            path: None,
            written_ns: sys::now().monotonic_ns,
            reports: 0,
        });
        result = Some(act(work));
    });
    if let Err(reason) = attempted {
        // Nobody looks at what was in the middle of a change.
        HAS_GIVEN_UP.store(true, Ordering::Relaxed);
        region.header.note(match reason {
            Reason::Memory => Circumstance::NoWriterMemory,
            Reason::Panic => Circumstance::WriterFailed,
        });
    }
    let_go();
    result
}

/// Takes hold of the work in hand. False where somebody else has it for longer than `patience`.
fn acquire(patience: Duration) -> bool {
    sys::await_until(patience, || !BUSY.swap(true, Ordering::Acquire))
}

/// Lets others at it.
fn let_go() {
    BUSY.store(false, Ordering::Release);
}

/// Does `work` on a stack of our own. Where there is no memory for one, the header says so.
fn on_own_stack(mut work: impl FnMut()) {
    #[cold]
    #[inline(never)]
    fn note_no_memory() {
        if let Some(header) = process::header() {
            header.note(Circumstance::NoWriterMemory);
        }
    }
    let mut work = || {
        if let Some(header) = process::header() {
            if !HAS_GIVEN_UP.load(Ordering::Relaxed) {
                // There may have been none the last time.
                header.forget(Circumstance::NoWriterMemory);
            }
            work();
        }
    };
    if !sys::undisturbed_on_own_stack(&mut work) && !reserve::on_stack(&mut work) {
        note_no_memory();
    }
}

/// Writes the report: the process ends, or is replaced.
///
/// Where that cannot be done, or `keeps_region` says so, the region's file stays, for `weir recover`. Nothing is said:
/// standard error is the program's.
pub fn finish(keeps_region: bool) {
    if ours().is_none() {
        return;
    }
    thread::ours(|| {
        on_own_stack(|| {
            let is_written = with_work(PATIENCE, |work| work.write(sys::now())) == Some(true);
            if is_written {
                leave_region(keeps_region);
            }
        });
    });
}

/// The report is written: nobody needs the region for it. Also where it is kept: the image that comes removes it.
fn leave_region(is_kept: bool) {
    let file = start::file();
    if let Some(header) = process::header() {
        telling::tell_the_killed(header, file);
    }
    if !is_kept {
        mapping::remove(file);
    }
}

/// The process is not replaced: what [`finish`] has just written is taken back; or, where there had been reports before, one
/// follows that says so. False where it had written nothing.
pub fn take_back() -> bool {
    let mut is_back = false;
    thread::ours(|| {
        on_own_stack(|| {
            let done = with_work(PATIENCE, |work| match (work.reports, work.path.take()) {
                (0, path) => {
                    work.path = path;
                    false
                }
                (1, Some(path)) if mapping::remove_plain(&path) => {
                    work.reports = 0;
                    true
                }
                (_, path) => {
                    work.path = path;
                    work.write(sys::now())
                }
            });
            is_back = done == Some(true);
        });
    });
    is_back
}

/// In a child of fork: the thread, and the work, are the parent's.
pub fn forked() {
    STARTED.store(false, Ordering::Relaxed);
    THREAD.store(0, Ordering::Relaxed);
    MUST_STOP.store(false, Ordering::Relaxed);
    ENDING.store(false, Ordering::Relaxed);
    BUSY.store(false, Ordering::Relaxed);
    HAS_GIVEN_UP.store(false, Ordering::Relaxed);
    CPU_NS.store(0, Ordering::Relaxed);
    // SAFETY: a child has one thread. The parent's writer may have been in the middle of it, so it is
    // forgotten, not dropped.
    unsafe { WORK.0.get().write(None) };
}

impl Work {
    /// Drains the rings, and writes the report if one is due.
    fn round(&mut self, now: Moment) -> Round {
        let poll = self.writer.poll(now);
        if let Some(header) = process::header() {
            self.hindered.take(header);
        }
        let since = |work: &Work| now.monotonic_ns.wrapping_sub(work.written_ns);
        let until_report = environment::get().interval_ns.map(|interval| {
            // A process that ends writes its own, and does not wait for one of ours to be done.
            let goes_on = process::header().is_some_and(|header| header.phase() == Phase::Running);
            if since(self) >= interval && goes_on {
                self.written_ns = now.monotonic_ns;
                self.write(now);
            }
            Duration::from_nanos(interval.saturating_sub(since(self)))
        });
        Round { poll, until_report }
    }

    /// Writes the report as of now. False where it cannot be written.
    fn write(&mut self, now: Moment) -> bool {
        let Some(header) = process::header() else {
            return false;
        };
        let end = end(header);
        let mut process = self.writer.process(now, end.clone());
        self.hindered.take(header);
        self.hindered.tell(&mut process.missed);
        process.tool.writer_bytes = own_heap::peak_bytes() as u64;
        process.tool.writer_cpu_ns = CPU_NS.load(Ordering::Relaxed);
        let duration_ns = process.duration_ns;
        let json = emit::to_json(&recording::report(vec![process], end, duration_ns));
        // Once something is open, nothing may be given up: it is allocated from what is freed here.
        drop(std::hint::black_box(Vec::<u8>::with_capacity(NAMES_BYTES)));
        // Beyond the limit on file sizes the kernel sends SIGXFSZ, which we must not cause.
        let fits = sys::limit(Resource::Fsize).is_none_or(|limit| json.len() as u64 <= limit);
        fits && match self.put(header, &json) {
            Err(Errno::MFILE) => {
                let again = sys::with_more_descriptors(|| self.put(header, &json));
                again.is_some_and(|written| written.is_ok())
            }
            written => written.is_ok(),
        }
    }

    fn put(&mut self, header: &Header, json: &[u8]) -> Result<(), Errno> {
        if let Some(path) = &self.path {
            emit::replace(path, json)?;
            self.reports += 1;
            return Ok(());
        }
        let (path, may_replace) = destination(environment::get(), header);
        self.path = Some(if may_replace {
            emit::replace(&path, json)?;
            path
        } else {
            emit::create_new(&path, json)?
        });
        self.reports += 1;
        Ok(())
    }
}

fn end(header: &Header) -> End {
    let how = match header.phase() {
        Phase::Starting | Phase::Running => EndKind::Running,
        Phase::Exiting => EndKind::Exited,
        Phase::Replacing => EndKind::Exec,
    };
    let status = header.exit_status().filter(|_| how == EndKind::Exited);
    // What the parent gets to see of it.
    End {
        how,
        status: status.map(|status| status & 0xff),
        signal: None,
    }
}

/// Where the report goes, and whether it may replace what is there.
fn destination(environment: &Environment, header: &Header) -> (PathBuf, bool) {
    let pid = header.pid.load(Ordering::Relaxed);
    if environment.has_session() {
        let directory = Path::new(OsStr::from_bytes(environment.session.as_bytes()));
        return (
            directory.join(format!("{pid}-{}.json", header.started.get().ticks)),
            true,
        );
    }
    let mut path = Vec::new();
    let mut has_pid = false;
    let mut template = environment.out.as_bytes().iter();
    while let Some(&byte) = template.next() {
        match (byte, template.as_slice().first()) {
            (b'%', Some(b'e')) => path.extend_from_slice(environment.executable_name()),
            (b'%', Some(b'p')) => {
                path.extend_from_slice(pid.to_string().as_bytes());
                has_pid = true;
            }
            (b'%', Some(b'%')) => path.push(b'%'),
            _ => {
                path.push(byte);
                continue;
            }
        }
        template.next();
    }
    if !has_pid && header.has(Circumstance::Forked) {
        // Before the extension, so that all are found by it.
        let name = path
            .iter()
            .rposition(|&byte| byte == b'/')
            .map_or(0, |at| at + 1);
        let dot = path[name..].iter().rposition(|&byte| byte == b'.');
        let at = dot
            .filter(|&dot| dot > 0)
            .map_or(path.len(), |dot| name + dot);
        path.splice(at..at, format!(".{pid}").bytes());
    }
    (PathBuf::from(OsString::from_vec(path)), !has_pid)
}
