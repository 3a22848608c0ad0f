//! Calls that do I/O, wait for it, or ask about it: all that end in a system call.

use std::ffi::c_int;

use libc::{iovec, msghdr};
use weir_record::clock;
use weir_record::counter::{Alone, Shared};
use weir_record::file::{Access, Deed};
use weir_record::functions::{Family, Function, Role};
use weir_record::slot::Slot;

use super::sites::{self, Before};
use super::{Outcome, count_size_in, pass, settle, slot_or_target};
use crate::coop;
use crate::files;
use crate::life::attach::Target;
use crate::life::writer;
use crate::process::modes;
use crate::program_memory::{each, read};
use crate::region;

/// The descriptor of a call that has none.
pub const NO_FD: c_int = -1;
/// The size of a call that has none.
pub const NO_SIZE: usize = 0;

/// The size in bytes that an I/O call asks for.
pub trait Requested: Copy {
    /// Whether it counts also where the call fails.
    const COUNTS_ALWAYS: bool;

    /// The size, asked for before the call.
    fn bytes(self) -> u64;
}

/// A number of bytes; 0 if the call has no size.
impl Requested for usize {
    const COUNTS_ALWAYS: bool = true;

    #[inline(always)]
    fn bytes(self) -> u64 {
        self as u64
    }
}

/// The size of a vector. A program may pass a bad array, and gets EFAULT: Weir must not fault then, and nothing is counted. After the
/// call the array may be gone, or hold what the call has read.
#[derive(Clone, Copy)]
pub struct Vector {
    array: *const iovec,
    count: usize,
}

impl Vector {
    /// The most elements that a vector may have (limits.h).
    const MOST: usize = 1024;

    pub fn new(array: *const iovec, count: usize) -> Vector {
        Vector { array, count }
    }

    /// The sum of the elements' lengths, in bytes; 0 where it cannot be read.
    #[inline(never)]
    pub(super) fn sum(self) -> u64 {
        if self.count == 0 || self.count > Self::MOST {
            return 0;
        }
        let mut sum: u64 = 0;
        let add = |part: iovec| sum = sum.wrapping_add(part.iov_len as u64);
        each(self.array, self.count, add).map_or(0, |()| sum)
    }
}

impl Requested for Vector {
    const COUNTS_ALWAYS: bool = false;

    fn bytes(self) -> u64 {
        self.sum()
    }
}

/// The size of a message's vector, in the same way.
#[derive(Clone, Copy)]
pub struct Message(pub *const msghdr);

impl Requested for Message {
    const COUNTS_ALWAYS: bool = false;

    #[inline(never)]
    fn bytes(self) -> u64 {
        read(self.0).map_or(0, |message| {
            Vector::new(message.msg_iov, message.msg_iovlen).sum()
        })
    }
}

/// An I/O call that is about to be made.
#[derive(Clone, Copy)]
pub struct Call<S> {
    /// The function.
    pub function: Function,
    /// The descriptor among the arguments.
    pub fd: c_int,
    /// The descriptor of the file that the call is about.
    pub file: c_int,
    /// The descriptor that receives the bytes, if they come from `file` and not from the program.
    pub to: c_int,
    /// The offset in the file in bytes, if it is an argument.
    pub at: Option<u64>,
    /// The size that the call asks for, in bytes.
    pub size: S,
}

impl<S: Requested> Call<S> {
    /// Makes the call by `next`, and records it. `judge` returns the meaning of its result. `then` updates what the
    /// call has changed; it must keep errno.
    ///
    /// The call may be cancelled, or left by a jump. So nothing is held across it, and what is known before it is
    /// counted before it.
    #[inline(always)]
    pub fn make<R: Copy>(
        self,
        judge: impl Fn(R) -> Outcome,
        next: impl Fn() -> R,
        then: impl Fn(R),
    ) -> R {
        // Before anything else: a runtime may let other coroutines run in here, and continue on another thread.
        if matches!(self.function.constant_row().role, Role::Close) && self.file >= 0 {
            coop::closing(self.file);
        }
        let slot = match slot_or_target() {
            Ok(slot) => slot,
            Err(other) => return self.make_unseen(other, judge, next, then),
        };
        let Call { function, size, .. } = self;
        let counters = &slot.counters;
        counters.of(function).calls.add(1);
        let asked = size.bytes();
        if S::COUNTS_ALWAYS {
            count_size_in::<Alone>(counters, function, asked);
        }
        let link = self.link_before();
        let before = match modes::are(modes::STACKS) {
            true => sites::before(slot, function, self.about(link), changes_mappings(function)),
            false => Before::NOT_TAKEN,
        };
        let began_ticks = match slot.countdown.is_off() {
            true => 0,
            false => clock::ticks(),
        };
        slot.in_flight.begin(function, self.fd, began_ticks);
        let result = next();
        slot.in_flight.end();
        // One number less is kept during the call.
        let is_timed = began_ticks != 0;
        let took_ticks = if is_timed {
            clock::ticks().wrapping_sub(began_ticks)
        } else {
            0
        };
        if !is_hot(function) {
            // First, while few of our frames are on the stack: this may look up names.
            then(result);
        }
        let outcome = judge(result);
        let requested = requested::<S>(asked, outcome);
        if !S::COUNTS_ALWAYS {
            count_size_in::<Alone>(counters, function, requested);
        }
        if is_hot(function) {
            let end = End {
                slot,
                requested,
                outcome,
                is_timed,
                began_ticks,
                took_ticks,
            };
            end.record(function, self.fd);
            if modes::are(modes::COROUTINES | modes::STACKS | modes::SAMPLES) {
                let about = self.about(link);
                also_count(
                    slot, function, about, before, requested, took_ticks, outcome,
                );
            }
            then(result);
            self.count_hot(&end);
        } else {
            let time = is_timed.then_some((began_ticks, took_ticks));
            self.subject()
                .end(self.fd, slot, self.at, link, requested, outcome, time);
            if modes::are(modes::COROUTINES | modes::STACKS | modes::SAMPLES) {
                let about = self.about(link);
                also_count(
                    slot, function, about, before, requested, took_ticks, outcome,
                );
            }
        }
        result
    }

    /// The same, for a thread without a slot of its own, or whose calls are not the program's.
    #[cold]
    #[inline(never)]
    fn make_unseen<R: Copy>(
        self,
        target: Target,
        judge: impl Fn(R) -> Outcome,
        next: impl Fn() -> R,
        then: impl Fn(R),
    ) -> R {
        let Target::Common(counters) = target else {
            pass(target, self.function);
            return next();
        };
        counters.of(self.function).calls.add_shared(1);
        let asked = self.size.bytes();
        let link = self.link_before();
        let result = next();
        let outcome = judge(result);
        count_size_in::<Shared>(counters, self.function, requested::<S>(asked, outcome));
        settle::<Shared>(counters, self.function, outcome);
        then(result);
        if region::has(counters) {
            self.subject()
                .count_elsewhere(self.at, link, 0, &outcome, [0, 0]);
        }
        result
    }

    /// If the call closes a descriptor, unlinks the descriptor from its file's entry, and returns the link: once it is
    /// closed, the number may belong to another file. Returns [`files::UNKNOWN`] for any other call.
    #[inline(always)]
    fn link_before(&self) -> u32 {
        if matches!(self.function.constant_row().role, Role::Close) && self.file >= 0 {
            files::unlink(self.file)
        } else {
            files::UNKNOWN
        }
    }

    /// Which file the call was about, for its site: `link`, for a descriptor that it has closed, else the descriptor.
    /// One number, to take little of the stack.
    #[inline(always)]
    fn about(&self, link: u32) -> u32 {
        match self.function.constant_row().role {
            Role::Close => link,
            _ => self.file.cast_unsigned(),
        }
    }

    /// What the call is about.
    #[inline(always)]
    pub(super) fn subject(&self) -> Subject {
        Subject {
            function: self.function,
            file: self.file,
            to: self.to,
        }
    }

    /// Counts the call for its file, inlined. Only for calls that only read or only write.
    #[inline(always)]
    fn count_hot(&self, end: &End<'_>) {
        if self.file < 0 {
            return;
        }
        let access = Access {
            function: self.function,
            deed: Deed::of(self.function.constant_row().role),
            at: self.at,
            bytes: end.outcome.moved(),
            failed: matches!(end.outcome, Outcome::Failed(_)),
            began_ticks: end.began_ticks,
            took_ticks: end.took_ticks,
        };
        files::count_here(self.file, address(end.slot), access);
    }
}

/// The size that counts as requested, of what was asked for.
#[inline(always)]
pub(super) fn requested<S: Requested>(asked: u64, outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Failed(_) if !S::COUNTS_ALWAYS => 0,
        _ => asked,
    }
}

/// The address of a slot, which identifies it.
fn address(slot: &Slot) -> u64 {
    std::ptr::from_ref(slot).addr() as u64
}

/// A call's function and descriptors. It is small enough for two registers.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    /// The function.
    pub function: Function,
    /// The descriptor of the file that the call is about.
    pub file: c_int,
    /// The descriptor that receives the bytes, if they come from `file` and not from the program.
    pub to: c_int,
}

impl Subject {
    /// Records a call that was made, and counts it for its file. `time` is when it began and how long it took, in
    /// ticks. Not inlined, to keep the hook small. The arguments are separate, because a structure would be on the
    /// caller's part of the stack.
    #[allow(clippy::too_many_arguments)]
    #[inline(never)]
    fn end(
        self,
        fd: c_int,
        slot: &Slot,
        at: Option<u64>,
        link: u32,
        requested: u64,
        outcome: Outcome,
        time: Option<(u64, u64)>,
    ) {
        let (began_ticks, took_ticks) = time.unwrap_or_default();
        let end = End {
            slot,
            requested,
            outcome,
            is_timed: time.is_some(),
            began_ticks,
            took_ticks,
        };
        end.record(self.function, fd);
        let times = [began_ticks, took_ticks];
        self.count(at, link, address(slot), &outcome, times);
    }

    /// The same as [`Subject::count`], but not inlined, to keep the hook small.
    #[inline(never)]
    fn count_elsewhere(
        self,
        at: Option<u64>,
        link: u32,
        slot: u64,
        outcome: &Outcome,
        times: [u64; 2],
    ) {
        self.count(at, link, slot, outcome, times);
    }

    /// Counts the call for the file that it is about. `slot` is the address of the thread's slot, 0 if it has none.
    /// `times` is when the call began and how long it took, in ticks; zeroes if it was not timed.
    #[inline(always)]
    pub(super) fn count(
        self,
        at: Option<u64>,
        link: u32,
        slot: u64,
        outcome: &Outcome,
        times: [u64; 2],
    ) {
        if self.file < 0 {
            return;
        }
        let role = self.function.row().role;
        let mut access = Access {
            function: self.function,
            deed: Deed::of(role),
            at: match outcome {
                Outcome::At(at) => Some(*at),
                _ => at,
            },
            bytes: outcome.moved(),
            failed: matches!(outcome, Outcome::Failed(_)),
            began_ticks: times[0],
            took_ticks: times[1],
        };
        if matches!(role, Role::Close) {
            return files::count_by(link, slot, &access);
        }
        files::count(self.file, slot, &access);
        if matches!(role, Role::Move) {
            access.deed = Deed::Write;
            files::count(self.to, slot, &access);
        }
    }
}

/// Counts a call for what not every process has: its coroutine, its site. Called when [`Subject::end`] has returned: it takes some
/// of the stack.
#[inline(always)]
fn also_count(
    slot: &Slot,
    function: Function,
    about: u32,
    before: Before,
    requested: u64,
    took_ticks: u64,
    outcome: Outcome,
) {
    let (moved, has_failed) = (outcome.moved(), outcome.has_failed());
    if coop::has_runtime() {
        count_for_coroutine(slot, moved);
    }
    if !sites::may_count() {
        return;
    }
    // Numbers, which stay in registers.
    let end = sites::End::of(moved, has_failed);
    if changes_mappings(function) {
        sites::count_mapping(slot, before, requested, took_ticks, end);
    } else if before.is_taken() {
        sites::count_after(slot, before, function, about, requested, took_ticks, end);
    } else {
        let called = sites::called(function, about, has_failed);
        sites::count_call(Some(slot), called, requested, took_ticks, moved, has_failed);
    }
}

/// Whether a call can unmap memory, or take the right to read it. Afterwards what describes its stack may be gone.
const fn changes_mappings(function: Function) -> bool {
    matches!(function.constant_row().role, Role::Map | Role::Unmap)
}

#[cold]
#[inline(never)]
fn count_for_coroutine(slot: &Slot, moved: u64) {
    if region::has(slot) {
        coop::count_call(moved, false, 0);
    }
}

/// Whether the recording of a function is inlined into its hook.
const fn is_hot(function: Function) -> bool {
    let row = function.constant_row();
    matches!(row.role, Role::Read | Role::Write)
        && matches!(
            row.family,
            Family::File | Family::Socket | Family::StdioSystem
        )
}

/// A call that was made. Times are in ticks, `requested` is in bytes.
struct End<'s> {
    slot: &'s Slot,
    requested: u64,
    outcome: Outcome,
    is_timed: bool,
    began_ticks: u64,
    took_ticks: u64,
}

impl End<'_> {
    #[inline(always)]
    fn record(&self, function: Function, fd: c_int) {
        let slot = self.slot;
        if self.is_timed {
            let sample = slot.time(
                function,
                self.began_ticks,
                self.took_ticks,
                self.requested,
                fd,
            );
            slot.ring.push(sample, writer::crowded);
        }
        settle::<Alone>(&slot.counters, function, self.outcome);
    }
}
