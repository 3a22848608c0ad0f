//! The writer, if it lives in the program: without `weir run`, or if no region file could be made.
//!
//! A program with several threads gets one more, which drains the rings in the background. A program with one thread
//! gets none, for two reasons. A process with two threads cannot join a user namespace, and gets warnings of fork. And
//! the C library's `read` and `write` take longer if another thread may cancel them: 25 ns a call, measured. The
//! program's only thread drains its own ring whenever a quarter of it is full. The thread that ends the process writes
//! the report. All of that happens on a stack of our own.

use std::cell::UnsafeCell;
use std::ffi::{OsStr, OsString, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;
use rustix::process::Resource;
use weir_record::clock::Moment;
use weir_record::region::{Circumstance, Header, Phase};
use weir_record::ring;
use weir_report::model::{End, EndKind};
use weir_report::untraced::Hindered;
use weir_report::writer::{Poll, Writer};
use weir_report::{emit, recording};

use crate::environment::{self, DEFAULT_OUT, Environment};
use crate::life::{ends_of_children, start};
use crate::linking::c_library;
use crate::memory::{
    giving_up::{self, Reason},
    own_heap, reserve,
};
use crate::region::{backing, slots};
use crate::thread;
use crate::{process, sys};

/// Whether the writer's thread was started, or must not be.
static STARTED: AtomicBool = AtomicBool::new(false);
/// Whether a thread uses [`WORK`].
static BUSY: AtomicBool = AtomicBool::new(false);
static WORK: Shared = Shared(UnsafeCell::new(None));
/// The id of the writer's thread; 0 if it has not begun, [`NOBODY`] if it could not be started.
static THREAD: AtomicU32 = AtomicU32::new(0);
const NOBODY: u32 = u32::MAX;
/// Whether the writer's thread must end.
static MUST_STOP: AtomicBool = AtomicBool::new(false);
/// Whether a thread is ending the writer's thread.
static ENDING: AtomicBool = AtomicBool::new(false);
/// Whether the work was given up: then no thread uses it again.
static HAS_GIVEN_UP: AtomicBool = AtomicBool::new(false);
/// The processor time of the writer's thread so far, in nanoseconds.
static CPU_NS: AtomicU64 = AtomicU64::new(0);

struct Shared(UnsafeCell<Option<Work>>);

// SAFETY: only the thread that holds `BUSY` uses the content.
unsafe impl Sync for Shared {}

/// How long a thread waits for the writer's work, or for the writer's thread to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many bytes the names of files may take while they are opened.
const NAMES_BYTES: usize = 48 * 1024;

/// What the writer works with.
struct Work {
    writer: Writer<'static>,
    /// The programs that were started and are known not to load Weir.
    hindered: Hindered,
    /// The path of the first report.
    path: Option<PathBuf>,
    /// When the last periodic report was written, or the work began, in nanoseconds of the monotonic clock.
    written_ns: u64,
    /// How many reports were written to that path, each in place of the one before.
    reports: u64,
}

/// The result of one round of work.
struct Round {
    poll: Poll,
    /// How long it is until the next periodic report; `None` if there are none.
    until_report: Option<Duration>,
}

/// The header, if this process must write the report itself.
fn ours() -> Option<&'static Header> {
    let header = process::header().filter(|_| !process::is_sharer())?;
    let alone = !environment::get().has_session() || header.has(Circumstance::PrivateMemory);
    alone.then_some(header)
}

/// Whether the program must write the report itself.
pub fn is_here() -> bool {
    ours().is_some()
}

/// Called when a quarter of the calling thread's ring is full, or the ring needs the rest of its memory. Makes that
/// memory. Drains the ring unless the writer's thread does.
#[cold]
pub fn crowded() {
    sys::with_errno_kept(slots::complete_ring);
    if STARTED.load(Ordering::Relaxed) || sys::is_sealed() || ours().is_none() {
        return;
    }
    drain();
}

/// Drains the rings. Not inlined, so that the caller takes little of the thread's stack, which may be small.
#[inline(never)]
fn drain() {
    sys::with_signals_blocked(|| {
        on_own_stack(Duration::ZERO, || {
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
    // Sequentially consistent, as in `last_left`: each of the two checks what the other has stored.
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

/// Ends the writer's thread, if there is one, and allows none before [`start_again`]. Called before the process seals
/// itself, and may make no system call any more, or makes a call that only a process with one thread may make. The
/// samples stay in the rings. Returns false if the writer does not live in the program.
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

/// Called when the last thread that had a slot has left it. If that is the program's last thread, the C library then
/// ends the process, as exit does, but only if no thread of ours is left. So the writer's thread ends first. It starts
/// again if a slot `is_taken` meanwhile.
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

/// Waits until no other thread is ending the writer's thread. Returns false if that takes longer than [`PATIENCE`].
fn begin_ending() -> bool {
    sys::await_until(PATIENCE, || !ENDING.swap(true, Ordering::Acquire))
}

/// Ends the writer's thread, which was started. Waits at most [`PATIENCE`] for that.
fn end_thread() {
    MUST_STOP.store(true, Ordering::Relaxed);
    let is_there = || match THREAD.load(Ordering::Relaxed) {
        0 => true,
        NOBODY => false,
        thread => sys::is_thread(thread),
    };
    sys::await_until(PATIENCE, || !is_there());
}

/// Allows the writer's thread again, and starts it if there was one.
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
    /// After this many idle rounds, which take a quarter of a second, it checks whether the program's threads still
    /// exist.
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
                // They have ended by bare system calls. The process ends with this thread. Newer kernels report the
                // exit status of the last thread.
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
    if let Some(Some(_)) = with_work(PATIENCE, |work| work.write(sys::now())) {
        leave_region(false);
    }
}

/// Calls `act` with the work, unless another thread uses it for longer than `patience`. If `act` fails, the work is
/// given up permanently.
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
        result = Some(sys::with_float_state_kept(|| act(work)));
    });
    if let Err(reason) = attempted {
        // The work may be in an inconsistent state, so no thread uses it again.
        HAS_GIVEN_UP.store(true, Ordering::Relaxed);
        region.header.note(match reason {
            Reason::Memory => Circumstance::NoWriterMemory,
            Reason::Panic => Circumstance::WriterFailed,
        });
    }
    let_go();
    result
}

/// Takes exclusive use of the work. Returns false if another thread has it for longer than `patience`.
fn acquire(patience: Duration) -> bool {
    sys::await_until(patience, || !BUSY.swap(true, Ordering::Acquire))
}

/// Ends the exclusive use.
fn let_go() {
    BUSY.store(false, Ordering::Release);
}

/// Does `work` on a stack of our own, for which it may wait as long as `patience`. If there is no memory for one, notes
/// that in the header.
fn on_own_stack(patience: Duration, mut work: impl FnMut()) {
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
                // The last attempt may have had no memory.
                header.forget(Circumstance::NoWriterMemory);
            }
            work();
        }
    };
    if !sys::undisturbed_on_own_stack(&mut work) && !reserve::on_stack(patience, &mut work) {
        note_no_memory();
    }
}

/// Writes the report before the process ends or is replaced.
///
/// If that fails, or if `keeps_region`, the region's file stays, for `weir recover`. No message is printed, because
/// standard error is the program's. Returns the number of calls in the report that is written.
pub fn finish(keeps_region: bool) -> Option<u64> {
    ours()?;
    let mut written = None;
    thread::ours(|| {
        on_own_stack(PATIENCE, || {
            written = with_work(PATIENCE, |work| work.write(sys::now())).flatten();
            if written.is_some() {
                leave_region(keeps_region);
            }
        });
    });
    written
}

/// Called after the report is written. Removes the region, which the report does not need any more, unless `is_kept`:
/// then the next image removes it.
fn leave_region(is_kept: bool) {
    let file = start::file();
    if let Some(header) = process::header() {
        ends_of_children::write_ends_of_killed(header, file);
    }
    if !is_kept {
        backing::remove(file);
    }
}

/// Called if the process is not replaced. Removes the report that [`finish`] has just written. If there were reports
/// before, or if nothing else is left of a process that is killed later (`is_all`), it writes another one instead, which
/// says that the process goes on.
pub fn take_back(is_all: bool) {
    thread::ours(|| {
        on_own_stack(PATIENCE, || {
            with_work(PATIENCE, |work| match (work.reports, work.path.take()) {
                (1, Some(path)) if !is_all && remove_plain(&path) => work.reports = 0,
                (_, path) => {
                    work.path = path;
                    work.write(sys::now());
                }
            });
        });
    });
}

/// Called in a child of fork: the thread and the work are the parent's.
pub fn forked() {
    STARTED.store(false, Ordering::Relaxed);
    THREAD.store(0, Ordering::Relaxed);
    MUST_STOP.store(false, Ordering::Relaxed);
    ENDING.store(false, Ordering::Relaxed);
    BUSY.store(false, Ordering::Relaxed);
    HAS_GIVEN_UP.store(false, Ordering::Relaxed);
    CPU_NS.store(0, Ordering::Relaxed);
    // SAFETY: a forked child has one thread. The parent's writer may have been changing the work, so it is overwritten
    // without being dropped.
    unsafe { WORK.0.get().write(None) };
}

impl Work {
    /// Drains the rings, and writes the report if it is due.
    fn round(&mut self, now: Moment) -> Round {
        let poll = self.writer.poll(now);
        if let Some(header) = process::header() {
            self.hindered.take(header);
        }
        let since = |work: &Work| now.monotonic_ns.wrapping_sub(work.written_ns);
        let until_report = environment::get().interval_ns.map(|interval| {
            // A process that ends writes its own report, and does not wait for this one.
            let goes_on = process::header().is_some_and(|header| header.phase() == Phase::Running);
            if since(self) >= interval && goes_on {
                self.written_ns = now.monotonic_ns;
                self.write(now);
            }
            Duration::from_nanos(interval.saturating_sub(since(self)))
        });
        Round { poll, until_report }
    }

    /// Writes the report as of now. Returns the number of calls in it, unless that fails.
    fn write(&mut self, now: Moment) -> Option<u64> {
        let header = process::header()?;
        let end = end(header);
        let mut process = self.writer.process(now, end.clone());
        self.hindered.take(header);
        self.hindered.report_in(&mut process.missed);
        process.tool.writer_bytes = own_heap::peak_bytes() as u64;
        process.tool.writer_cpu_ns = CPU_NS.load(Ordering::Relaxed);
        let (calls, duration_ns) = (process.calls(), process.duration_ns);
        let json = emit::to_json(&recording::report(vec![process], end, duration_ns));
        // Once a file is open, the work must not be given up. The names of files then use the memory that is allocated
        // and freed here.
        drop(std::hint::black_box(Vec::<u8>::with_capacity(NAMES_BYTES)));
        // Beyond the limit on file sizes the kernel sends SIGXFSZ, which we must not cause.
        let fits = sys::limit(Resource::Fsize).is_none_or(|limit| json.len() as u64 <= limit);
        let is_written = fits
            && match self.put(header, &json) {
                Err(Errno::MFILE) => {
                    let again = sys::with_more_descriptors(|| self.put(header, &json));
                    again.is_some_and(|written| written.is_ok())
                }
                written => written.is_ok(),
            };
        is_written.then_some(calls)
    }

    fn put(&mut self, header: &Header, json: &[u8]) -> Result<(), Errno> {
        if let Some(path) = &self.path {
            emit::replace(path, json)?;
            self.reports += 1;
            return Ok(());
        }
        let environment = environment::get();
        self.path = Some(if environment.has_session() {
            let path = in_session(environment, header);
            emit::replace(&path, json)?;
            path
        } else {
            emit_first(environment, header, json)?
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
    // The parent gets only these bits of the exit status.
    End {
        how,
        status: status.map(|status| status & 0xff),
        signal: None,
    }
}

/// The path of the report in the directory of `weir run`.
fn in_session(environment: &Environment, header: &Header) -> PathBuf {
    let pid = header.pid.load(Ordering::Relaxed);
    let directory = Path::new(OsStr::from_bytes(environment.session.as_bytes()));
    directory.join(format!("{pid}-{}.json", header.started.get().ticks))
}

/// Writes the first report where the setting says, and returns its path. A file that is there is kept, unless the path has no
/// process id in it: the first image of a recording replaces that of an earlier one. The other images have their process ids
/// added.
fn emit_first(environment: &Environment, header: &Header, json: &[u8]) -> Result<PathBuf, Errno> {
    let is_first = !header.has(Circumstance::Forked) && !header.has(Circumstance::IsNotFirst);
    let template = environment.out.as_bytes();
    let path = path(environment, header, template, false);
    if environment.out_is_directory
        && let Some(directory) = path.parent()
    {
        make_directories(directory);
    }
    match file_type(&path) {
        Some(FileType::Directory) => {
            let name = self::path(environment, header, DEFAULT_OUT, false);
            return emit::create_new(&path.join(name), json);
        }
        Some(FileType::RegularFile) | None => {}
        // A device or a pipe takes the reports of all.
        Some(_) => {
            emit::replace(&path, json)?;
            return Ok(path);
        }
    }
    if !environment.shares_name() {
        return emit::create_new(&path, json);
    }
    // Another image may have written it since this one started: not all are seen to have been started by others.
    if is_first && emit::replace_older(&path, header.started.get().unix_ns, json)? {
        return Ok(path);
    }
    emit::create_new(&self::path(environment, header, template, true), json)
}

fn file_type(path: &Path) -> Option<FileType> {
    let status = rustix::fs::stat(path).ok()?;
    Some(FileType::from_raw_mode(status.st_mode))
}

/// Makes a directory, and those that it is in. They mostly are there: another image has made them.
fn make_directories(directory: &Path) {
    let missing = directory
        .ancestors()
        .take_while(|directory| file_type(directory).is_none());
    for directory in missing.collect::<Vec<_>>().into_iter().rev() {
        let _ = rustix::fs::mkdir(directory, Mode::from_raw_mode(0o777));
    }
}

/// The path that the template stands for, with the process id added before the extension where that is wanted.
fn path(environment: &Environment, header: &Header, template: &[u8], adds_pid: bool) -> PathBuf {
    let pid = header.pid.load(Ordering::Relaxed);
    let mut path = Vec::new();
    let mut template = template.iter();
    while let Some(&byte) = template.next() {
        match (byte, template.as_slice().first()) {
            (b'%', Some(b'e')) => path.extend_from_slice(environment.executable_name()),
            (b'%', Some(b'p')) => {
                path.extend_from_slice(pid.to_string().as_bytes());
            }
            (b'%', Some(b'%')) => path.push(b'%'),
            _ => {
                path.push(byte);
                continue;
            }
        }
        template.next();
    }
    if adds_pid {
        // Before the extension, so that a search by extension finds all of them.
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
    PathBuf::from(OsString::from_vec(path))
}

/// Removes a regular file; leaves a terminal, a pipe or a link alone. False if the path still exists.
fn remove_plain(path: &std::path::Path) -> bool {
    use rustix::fs::{AtFlags, CWD, FileType, statat, unlinkat};
    let is_plain = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::RegularFile);
    is_plain && unlinkat(CWD, path, AtFlags::empty()).is_ok()
}
