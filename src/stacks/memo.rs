//! What a thread remembers of its last stack.
//!
//! An unwind step depends on three registers and on the words that it reads. So a frame whose registers are those of a remembered
//! frame, and whose remembered words, and those of all its callers, are still there, has the same callers. Nothing has to be
//! unwound from there on, and the number of its node in the trie is known.

use std::ptr;

use weir_record::stacks::{Called, Cut};

use super::copies::Copies;
use super::python::Remembered;
use super::spans::{Span, Spans};
use super::trie::ROOT;
use crate::arch::State;
use crate::process::modes;
use crate::{sys, thread};

/// The most frames of a stack that are followed.
pub const MOST_FRAMES: usize = 4096;

/// A frame, and the words that the step to its caller read: one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Frame {
    /// The return address that leads into it; 0 where this is only words of the frame before.
    pub return_address: usize,
    /// Its stack pointer.
    pub stack_pointer: usize,
    /// Its frame pointer register.
    pub frame_pointer: usize,
    /// Where two words stand that the step read: the return address and the saved frame pointer.
    pub places: [*const usize; 2],
    /// What they were.
    pub words: [usize; 2],
    /// The number of its node in the trie.
    pub node: u32,
    /// Whether the frames from here on depend on the frame pointer register.
    pub needs_frame_pointer: bool,
}

impl Frame {
    /// No frame.
    pub const NONE: Frame = Frame {
        return_address: 0,
        stack_pointer: 0,
        frame_pointer: 0,
        places: [ptr::null(); 2],
        words: [0; 2],
        node: 0,
        needs_frame_pointer: false,
    };

    /// Whether the words are what they were.
    ///
    /// # Safety
    /// They can be read.
    #[inline(always)]
    unsafe fn holds(&self) -> bool {
        // SAFETY: as the caller promises.
        let [first, second] = unsafe { [self.places[0].read(), self.places[1].read()] };
        (first ^ self.words[0]) | (second ^ self.words[1]) == 0
    }

    /// Whether it is the same frame: of the same function, at the same place, with the same callers.
    #[inline(always)]
    fn is_the_same(&self, other: &Frame) -> bool {
        self.stack_pointer == other.stack_pointer
            && self.return_address == other.return_address
            && self.node == other.node
            && self.needs_frame_pointer == other.needs_frame_pointer
            && (self.frame_pointer == other.frame_pointer || !self.needs_frame_pointer)
    }

    /// Whether a state is the frame's.
    #[inline(always)]
    pub fn is(&self, state: &State) -> bool {
        self.stack_pointer == state.stack_pointer
            && self.return_address == state.return_address
            && (self.frame_pointer == state.frame_pointer || !self.needs_frame_pointer)
    }
}

/// The innermost frames of a stack, down to one that the last stack has too: a program often comes to two or three calls of the same
/// function in turn.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Branch {
    /// How many frames there are; 0 where nothing is remembered.
    count: u32,
    /// What [`Memo::branch_epoch`] was.
    epoch: u32,
    /// Behind the last place that the frames' words stand at.
    top: usize,
    /// Where among the frames of the last stack the caller of the last of them stands.
    at: usize,
    /// That frame.
    joined: Frame,
    frames: [Frame; Branch::MOST],
}

impl Branch {
    /// The most frames of one, Weir's own included.
    const MOST: usize = 8;
}

/// Branches are remembered in sets of four, by what is called and where the stack is then.
#[derive(Clone, Copy)]
#[repr(C)]
struct BranchSet {
    branches: [Branch; WAYS],
    /// Which of them makes room for another: not the one that was of use last.
    next: usize,
}

const WAYS: usize = 4;

/// How many sets a thread has.
const BRANCH_SETS: usize = 16;

/// To remember branches takes time, which is lost where the program never comes by one again. So after this many stacks that
/// led by none, branches are neither looked at nor kept until [`BRANCH_PERIOD`] is over.
const BRANCH_TRIES: u32 = 8;
const BRANCH_PERIOD: u32 = 64;

/// A word of a stack, which is copied where it is not within the span.
pub fn word_of(span: &Span, copies: &mut Copies<1>, place: usize) -> Option<usize> {
    let is_within = place >= span.from && place.saturating_add(size_of::<usize>()) <= span.to;
    match is_within {
        // SAFETY: what is within a span can be read.
        true => Some(unsafe { ptr::with_exposed_provenance::<usize>(place).read() }),
        false => copies.word(place),
    }
}

/// The leaves that were found last: the parent of each, what was called, its number.
const LEAVES: usize = 8;

/// A stack that has to be unwound. It stands in the memo, because the thread's own stack may be small.
#[derive(Clone, Copy)]
pub struct Sought {
    /// Where to begin.
    pub state: State,
    /// What can be read of the stack.
    pub span: Span,
    /// The frames of the last stack that are as far out, and how many of them are as they were: see [`Memo::kept`].
    pub at: usize,
    /// See `at`.
    pub kept: usize,
    /// Where it belongs among the branches.
    pub set: usize,
}

/// What a thread remembers of its last stack, and room for the frames of the next one.
#[repr(C)]
pub struct Memo {
    /// The stack pointer of whoever uses it; 0 where nobody does.
    user: usize,
    /// Which image and which code it is of.
    pub epoch: u32,
    /// The first frame, the innermost, among `frames`.
    pub first: usize,
    /// Behind the last place that the frames' words stand at.
    pub top: usize,
    /// Why the stack ends, if that is not at its outermost caller.
    pub cut: Option<Cut>,
    /// A frame in the middle of the last stack that was too deep. Its stack pointer is 0 where there is none.
    pub deep: Frame,
    /// Whether a signal handler's frame was found in the stack that was looked for last.
    pub is_behind_handler: bool,
    /// The stack that is looked for.
    pub sought: Sought,
    leaves: [(u32, u32, u32); LEAVES],
    branch_sets: [BranchSet; BRANCH_SETS],
    /// Changes when all branches are forgotten.
    branch_epoch: u32,
    /// How many stacks in a row led by none of them.
    branch_misses: u32,
    /// What can be read of its stacks.
    pub spans: Spans,
    /// What was copied of them.
    pub copies: Copies<1>,
    /// A stack of our own, for what takes much of it.
    room: Room,
    /// What is remembered of Python's frames.
    pub python: Remembered,
    /// The frames of the last stack stand at the end.
    pub frames: [Frame; Memo::ROOM],
    /// The frames of the stack that is being unwound.
    pub fresh: [Frame; MOST_FRAMES],
}

/// A stack.
#[repr(C, align(64))]
struct Room([u8; 16 * 1024]);

impl Memo {
    /// Does `work` on a stack of our own, with signals blocked; in a sealed process, where they cannot be, on the thread's.
    pub fn on_own_stack(&mut self, mut work: impl FnMut()) {
        self.aside(|_| work());
    }

    /// The same for work that needs the memo.
    pub fn aside(&mut self, mut work: impl FnMut(&mut Memo)) {
        let room = &raw mut self.room;
        let is_there =
            (room.addr()..room.wrapping_add(1).addr()).contains(&thread::stack_pointer());
        if sys::is_sealed() || is_there {
            return work(self);
        }
        let top = room.wrapping_add(1).cast();
        let mut work = || work(self);
        // SAFETY: the end of the room, which nobody else is on: the memo is taken, and nobody reads or writes the room by the memo.
        sys::with_signals_blocked(|| unsafe { sys::on_stack(top, &mut work) });
    }

    /// The leaf of a call below a node, if it was found not long ago.
    #[inline(always)]
    pub fn leaf(&self, parent: u32, called: Called) -> Option<u32> {
        let (of_parent, of_call, leaf) = self.leaves[Self::leaf_place(parent, called)];
        ((of_parent, of_call) == (parent, called.bits()) && leaf != ROOT).then_some(leaf)
    }

    /// Remembers a leaf.
    pub fn keep_leaf(&mut self, parent: u32, called: Called, leaf: u32) {
        self.leaves[Self::leaf_place(parent, called)] = (parent, called.bits(), leaf);
    }

    #[inline(always)]
    fn leaf_place(parent: u32, called: Called) -> usize {
        (parent ^ called.function_bits()) as usize % LEAVES
    }

    /// Where the branches for calls of a function with this stack pointer are.
    #[inline(always)]
    pub fn branch_set(state: &State, function: u32) -> usize {
        let place = (state.stack_pointer as u64 >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        (place as usize ^ function as usize) % BRANCH_SETS
    }

    /// The node of a state whose frames lead to one of the last stack's by a way that is remembered. `kept` is as
    /// [`Memo::kept`] has it.
    #[inline(always)]
    pub fn branch(&mut self, state: &State, span: &Span, set: usize, kept: usize) -> Option<u32> {
        self.branch_misses = self.branch_misses.wrapping_add(1);
        if kept >= Self::ROOM || !self.tries_branches() {
            return None;
        }
        for index in 0..WAYS {
            let branch = &self.branch_sets[set].branches[index];
            if branch.count == 0
                || branch.epoch != self.branch_epoch
                || branch.top > span.to
                || !branch.frames[0].is(state)
            {
                continue;
            }
            // SAFETY: the words stand between the stack pointer, which is in the span, and the branch's top.
            if unsafe { self.leads_on(branch, kept) } {
                let node = branch.frames[0].node;
                let next = &mut self.branch_sets[set].next;
                if *next == index {
                    *next = (index + 1) % WAYS;
                }
                self.branch_misses = 0;
                return Some(node);
            }
        }
        None
    }

    #[inline(always)]
    fn tries_branches(&self) -> bool {
        // Where what is not remembered takes two system calls, it is always worth it.
        self.branch_misses % BRANCH_PERIOD <= BRANCH_TRIES || modes::are(modes::SAMPLES)
    }

    /// Whether a branch leads to a frame of the last stack, as it did.
    ///
    /// # Safety
    /// The branch's words can be read.
    #[inline(always)]
    unsafe fn leads_on(&self, branch: &Branch, kept: usize) -> bool {
        if branch.at < kept
            || branch.at >= Self::ROOM
            || !self.frames[branch.at].is_the_same(&branch.joined)
        {
            return false;
        }
        let frames = &branch.frames[..(branch.count as usize).min(Branch::MOST)];
        // SAFETY: as the caller promises.
        frames.iter().rev().all(|frame| unsafe { frame.holds() })
    }

    /// Remembers the frames in front of `at`, which have just been joined with it.
    #[inline(always)]
    pub fn keep_branch(&mut self, at: usize) {
        let frames = &self.frames[self.first..at];
        let count = frames.len();
        if count == 0 || count > Branch::MOST || !self.tries_branches() {
            return;
        }
        let places = frames.iter().flat_map(|frame| frame.places);
        let top = places.map(|place| place.addr() + size_of::<usize>()).max();
        let set = &mut self.branch_sets[self.sought.set % BRANCH_SETS];
        let branch = &mut set.branches[set.next % WAYS];
        set.next = (set.next + 1) % WAYS;
        branch.count = count as u32;
        branch.epoch = self.branch_epoch;
        branch.top = top.unwrap_or(usize::MAX);
        branch.at = at;
        branch.joined = self.frames[at];
        branch.frames[..count].copy_from_slice(frames);
    }

    /// Room for the frames of the last stack, to whose front the next one adds.
    pub const ROOM: usize = 2 * MOST_FRAMES;

    /// The frames of the last stack that are at least as far out as this stack pointer, and how many of them are as they were,
    /// from the outermost: places among `frames`.
    ///
    /// # Safety
    /// `span` can be read.
    #[inline(always)]
    pub unsafe fn kept(&mut self, stack_pointer: usize, span: &Span) -> (usize, usize) {
        if stack_pointer < span.from {
            return (Self::ROOM, Self::ROOM);
        }
        if self.top > span.to {
            return self.kept_elsewhere(stack_pointer, span);
        }
        let from = self.first_from(stack_pointer);
        let mut kept = Self::ROOM;
        // SAFETY: their places are between the stack pointer and the top, and so within the span.
        while kept > from && unsafe { self.frames[kept - 1].holds() } {
            kept -= 1;
        }
        (from, kept)
    }

    /// The first frame that is at least as far out as this stack pointer.
    #[inline(always)]
    fn first_from(&self, stack_pointer: usize) -> usize {
        let mut from = self.first;
        while from < Self::ROOM && self.frames[from].stack_pointer < stack_pointer {
            from += 1;
        }
        from
    }

    /// The same where the words are not all within the span.
    #[cold]
    #[inline(never)]
    fn kept_elsewhere(&mut self, stack_pointer: usize, span: &Span) -> (usize, usize) {
        if !span.is_of_another_stack() {
            return (Self::ROOM, Self::ROOM);
        }
        self.copies.forget();
        let from = self.first_from(stack_pointer);
        let mut kept = Self::ROOM;
        while kept > from {
            let Frame { places, words, .. } = self.frames[kept - 1];
            let word = places.map(|place| word_of(span, &mut self.copies, place.addr()));
            if word != words.map(Some) {
                break;
            }
            kept -= 1;
        }
        (from, kept)
    }

    /// Forgets the stack.
    pub fn clear(&mut self) {
        self.first = Self::ROOM;
        self.top = 0;
        self.cut = None;
        self.leaves = [(ROOT, 0, ROOT); LEAVES];
        // To empty them all would touch their memory.
        self.branch_epoch = self.branch_epoch.wrapping_add(1);
    }

    /// Whether a memo is free for a frame with this stack pointer. A signal handler that has jumped away has left it taken: then
    /// the frame is further out on the same stack.
    ///
    /// # Safety
    /// A memo of the calling thread. Another call of the thread may be using it.
    #[inline(always)]
    unsafe fn is_free(memo: *mut Memo, stack_pointer: usize) -> bool {
        // SAFETY: as the caller promises: a word, which that call does not write meanwhile.
        let user = unsafe { (&raw const (*memo).user).read_volatile() };
        // SAFETY: as the caller promises.
        user == 0 || unsafe { Memo::is_left(memo, user, stack_pointer) }
    }

    #[cold]
    #[inline(never)]
    unsafe fn is_left(memo: *mut Memo, user: usize, stack_pointer: usize) -> bool {
        // SAFETY: a memo of the calling thread, whose other call does not go on before this one is over.
        let spans = unsafe { (&raw const (*memo).spans).read() };
        // A handler's frame is further in: not even at the same place.
        let is_left = user <= stack_pointer && spans.are_on_one(user, stack_pointer);
        if is_left {
            // SAFETY: nobody uses it.
            unsafe { (*memo).clear() };
        }
        is_left
    }

    /// Takes it for a frame with this stack pointer.
    #[inline(always)]
    fn take(&mut self, stack_pointer: usize) {
        // SAFETY: a word of this thread's; volatile, because a signal handler looks at it.
        unsafe { (&raw mut self.user).write_volatile(stack_pointer) };
    }

    /// Gives it back.
    #[inline(always)]
    pub fn give_back(&mut self) {
        // SAFETY: as in `take`.
        unsafe { (&raw mut self.user).write_volatile(0) };
    }
}

/// For a thread, and for a signal handler that interrupts the first.
const LEVELS: usize = 2;
const BYTES: usize = LEVELS * size_of::<Memo>();

/// One of the calling thread's memos, taken; none where it has none, or all are in use.
#[inline(always)]
pub fn take(stack_pointer: usize) -> Result<&'static mut Memo, Cut> {
    let memos: *mut Memo = thread::stacks().cast();
    if memos.is_null() {
        return make().and_then(|()| take_level(thread::stacks().cast(), stack_pointer));
    }
    if memos.addr() == NO_MEMORY {
        return Err(Cut::NoMemory);
    }
    take_level(memos, stack_pointer)
}

#[inline(always)]
fn take_level(memos: *mut Memo, stack_pointer: usize) -> Result<&'static mut Memo, Cut> {
    for level in 0..LEVELS {
        let memo = memos.wrapping_add(level);
        // SAFETY: so many, of this thread.
        if unsafe { Memo::is_free(memo, stack_pointer) } {
            // SAFETY: nobody uses it, and a signal handler that comes now leaves it free.
            let memo = unsafe { &mut *memo };
            memo.take(stack_pointer);
            return Ok(memo);
        }
    }
    Err(Cut::Interrupted)
}

/// What stands in place of a pointer where there is no memory, or where the memory would be shared.
const NO_MEMORY: usize = 1;

#[cold]
#[inline(never)]
fn make() -> Result<(), Cut> {
    let Some(start) = sys::reserve(BYTES) else {
        thread::set_stacks(ptr::without_provenance_mut(NO_MEMORY));
        return Err(Cut::NoMemory);
    };
    for level in 0..LEVELS {
        // SAFETY: within the mapping, which is zeroed: any bits but those of `cut` are valid, and 0 is one of its values.
        let memo: *mut Memo = unsafe { start.cast::<Memo>().add(level) };
        // SAFETY: ours alone.
        unsafe {
            (&raw mut (*memo).cut).write(None);
            (*memo).clear();
        }
    }
    // A signal handler may have been faster.
    if thread::stacks().is_null() {
        thread::set_stacks(start);
    } else {
        // SAFETY: nobody knows of it.
        unsafe { sys::unreserve(start, BYTES) };
    }
    Ok(())
}

/// The calling thread is about to share its thread-local storage with another, and from now on has no memo: both would be in it at once.
/// What an interrupted call is using stays.
pub fn share() {
    thread::set_stacks(ptr::without_provenance_mut(NO_MEMORY));
}

/// The calling thread ends, or takes no more stacks.
pub fn leave() {
    let memos = thread::stacks();
    if memos.is_null() || memos.addr() == NO_MEMORY {
        return;
    }
    thread::set_stacks(ptr::null_mut());
    // SAFETY: nothing leads there any more: a thread leaves its slot where none of its calls is being recorded.
    unsafe { sys::unreserve(memos, BYTES) };
}
