//! The frames of CPython: by which functions and lines of Python the program came to a call.
//!
//! Python's functions have no frames on the stack: the interpreter's loop runs them, and keeps frames of its own in a list. A call from
//! inside of the loop has a node that joins two stacks (`Key::joined`): the one that was unwound, and that of the list. The report puts
//! them together.
//!
//! ```text
//! layout        where CPython keeps what is read, by its version
//! memory        how it is read
//! thread        which of its threads the calling one is
//! code          functions, and lines
//! ```

mod code;
mod layout;
mod memory;
mod thread;

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_record::stacks::{Cut, Key, Line};

use super::memo::Memo;
use super::trie::{self, ROOT, What};
use crate::linking::objects::Object;
use crate::linking::symbols::{Name, Tables};
use crate::process::modes;
use code::{Code, Fields, Id};
use layout::{Beginning, Field};
use memory::Memory;
pub use thread::before_unmapping;
use thread::{Kept, Runtime};

/// Where the runtime begins (`_PyRuntime`), and where it ends.
static RUNTIME: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
/// Where the loop begins (`_PyEval_EvalFrameDefault`), and where it ends.
static LOOP: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
/// The types of code objects, and of text.
static CODE_TYPE: AtomicUsize = AtomicUsize::new(0);
static TEXT_TYPE: AtomicUsize = AtomicUsize::new(0);

/// A new region.
pub fn begin() {
    code::begin();
    thread::forget_readers();
}

fn runtime() -> Runtime {
    let [from, to] = [0, 1].map(|end| RUNTIME[end].load(Ordering::Relaxed));
    Runtime { from, to }
}

/// An object whose code is on a stack: it may be CPython. For whoever is alone at work on the list of objects.
pub fn meet(object: &Object) {
    if modes::are(modes::PYTHON) {
        return;
    }
    let _ = look_at(object);
}

fn look_at(object: &Object) -> Option<()> {
    let tables = Tables::of(object)?;
    let find = |name: &'static [u8]| tables.find(Name::new(name));
    let runtime = find(b"_PyRuntime")?;
    let run = find(b"_PyEval_EvalFrameDefault")?;
    let version = find(b"Py_Version")?;
    let (code_type, text_type) = (find(b"PyCode_Type")?, find(b"PyUnicode_Type")?);
    // SAFETY: of data of the object, which is loaded.
    let word = |at: usize| unsafe { ptr::with_exposed_provenance::<usize>(at).read_unaligned() };
    if !thread::begin() || !layout::begin(word(version.address) as u64, runtime.address, word) {
        return None;
    }
    // A build with other objects (Py_TRACE_REFS) has another size, at another place: PyTypeObject, tp_basicsize (object.h), of
    // PyUnicodeObject, which is a compact one and a pointer.
    const BASIC_SIZE: usize = 32;
    if word(text_type.address + BASIC_SIZE) != layout::of(Field::Unicode) + size_of::<usize>() {
        return None;
    }
    for (range, symbol) in [(&RUNTIME, runtime), (&LOOP, run)] {
        range[0].store(symbol.address, Ordering::Relaxed);
        range[1].store(symbol.address + symbol.bytes, Ordering::Relaxed);
    }
    CODE_TYPE.store(code_type.address, Ordering::Relaxed);
    TEXT_TYPE.store(text_type.address, Ordering::Relaxed);
    modes::set(modes::PYTHON);
    Some(())
}

/// Code has gone.
pub fn leave() {
    modes::clear(modes::PYTHON);
}

/// Whether a return address leads into the loop.
pub fn is_interpreter(address: usize) -> bool {
    let [from, to] = [0, 1].map(|end| LOOP[end].load(Ordering::Relaxed));
    modes::are(modes::PYTHON) && (from..to).contains(&address.wrapping_sub(1))
}

/// The most frames of Python that are followed.
const MOST_FRAMES: usize = 1024;
/// Of a deeper stack, these innermost ones are kept.
const INNERMOST: usize = 64;

/// A frame of Python: three words, which are compared at every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
struct Frame {
    code: Id,
    /// The instruction that it is at, in units of two bytes, in the upper bits; and whether the interpreter was called for it.
    place: usize,
}

impl Frame {
    fn instruction(self) -> u32 {
        // Larger functions are too large for the interpreter.
        (self.place >> 1) as u32
    }

    fn begins(self) -> bool {
        self.place & 1 != 0
    }
}

/// A frame that was looked for not long ago, and its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
struct Recent {
    callers: u32,
    node: u32,
    frame: Frame,
}

const RECENT: usize = 64;
const JOINED: usize = 16;

impl Recent {
    #[inline(always)]
    fn place(&self) -> usize {
        let Frame { code, place } = self.frame;
        let mixed = (code.hash() ^ place) as u64 ^ u64::from(self.callers) << 20;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize % RECENT
    }
}

/// What a thread remembers of its last stack of Python, and room for the next one. Any bits that were written here are valid, and 0 is.
#[repr(C)]
pub struct Remembered {
    /// Which image, and which code, it is of.
    epoch: u32,
    /// How many frames there are.
    count: usize,
    memory: Memory,
    /// Frames that were looked for not long ago.
    recent: [Recent; RECENT],
    /// Joined stacks that were looked for not long ago: the nodes of both, and the one that joins them.
    joined: [(u32, u32, u32); JOINED],
    /// From the outermost on.
    frames: [Frame; MOST_FRAMES],
    /// The node of each.
    nodes: [u32; MOST_FRAMES],
    /// Of the stack that is looked at, from the innermost on.
    fresh: [Frame; MOST_FRAMES],
}

/// The node to which the leaf of a call belongs: this one, or the one that joins the stack of Python to it.
#[inline(always)]
pub fn joined(memo: &mut Memo, node: u32) -> (u32, Option<Cut>) {
    if !modes::are_ready(modes::PYTHON) {
        return (node, None);
    }
    joined_if_inside(memo, node)
}

#[inline(never)]
fn joined_if_inside(memo: &mut Memo, node: u32) -> (u32, Option<Cut>) {
    // While a frame of the loop is on the stack, the interpreter stays loaded.
    if node == ROOT || !trie::node(node).is_some_and(|node| node.is_in_interpreter()) {
        return (node, None);
    }
    match node_of_frames(memo) {
        Ok((ROOT, cut)) => (node, cut),
        Ok((frames, cut)) => match join(memo, node, frames) {
            Some(joined) => (joined, cut),
            None => (node, Some(Cut::NoRoom)),
        },
        Err(cut) => (node, Some(cut)),
    }
}

#[inline(always)]
fn join(memo: &mut Memo, node: u32, frames: u32) -> Option<u32> {
    let place = (node ^ frames.wrapping_mul(5)) as usize % JOINED;
    match memo.python.joined[place] {
        (of, with, joined) if (of, with) == (node, frames) && joined != ROOT => Some(joined),
        _ => {
            let joined = join_newly(memo, node, Key::joined(frames))?;
            memo.python.joined[place] = (node, frames, joined);
            Some(joined)
        }
    }
}

#[inline(never)]
fn join_newly(memo: &mut Memo, node: u32, key: Key) -> Option<u32> {
    trie::find(node, key).or_else(|| {
        let mut made = None;
        memo.on_own_stack(|| made = trie::make(node, key, What::Nothing));
        made
    })
}

/// The node of the innermost frame of Python; the root where there is none.
fn node_of_frames(memo: &mut Memo) -> Result<(u32, Option<Cut>), Cut> {
    let runtime = runtime();
    let (epoch, is_direct) = (memo.epoch, !memo.is_behind_handler);
    let own = &mut memo.python;
    if own.epoch != epoch {
        own.epoch = epoch;
        own.count = 0;
        own.forget_recent();
    }
    let Some(state) = runtime.state() else {
        return Ok((ROOT, None));
    };
    let Some(_kept) = Kept::new(runtime, state) else {
        return Err(Cut::NotReadable);
    };
    own.memory.begin(is_direct);
    let (count, cut) = match own.gather(state).ok_or(Cut::NotReadable)? {
        MOST_FRAMES => (INNERMOST, Some(Cut::TooDeep)),
        count => (count, None),
    };
    // From the outermost on, as far as they are as they were.
    let fresh = own.fresh[..count].iter().rev();
    let pairs = own.frames[..own.count.min(count)].iter().zip(fresh);
    let same = pairs.take_while(|(before, now)| before == now).count();
    let mut node = match same.checked_sub(1) {
        Some(last) => own.nodes[last],
        None => ROOT,
    };
    for index in same..count {
        // So many are right, if this one cannot be named.
        memo.python.count = index;
        let frame = memo.python.fresh[count - 1 - index];
        node = match node_of(memo, node, frame) {
            Ok(node) => node,
            // The call is at its callers.
            Err(cut) => return Ok((node, Some(cut))),
        };
        memo.python.frames[index] = frame;
        memo.python.nodes[index] = node;
    }
    memo.python.count = count;
    Ok((node, cut))
}

impl Remembered {
    fn forget_recent(&mut self) {
        for recent in &mut self.recent {
            recent.node = ROOT;
        }
        self.joined = [(ROOT, ROOT, ROOT); JOINED];
    }

    /// Reads the list of frames. How many there are; none where they cannot be read.
    #[inline(always)]
    fn gather(&mut self, state: usize) -> Option<usize> {
        match self.memory.is_direct() {
            // SAFETY: what the thread's frames consist of, and lead to, cannot go now.
            true => self.gather_with(state, |_, at| unsafe { memory::word_directly(at) }),
            false => self.gather_with(state, Memory::word),
        }
    }

    #[inline(always)]
    fn gather_with(
        &mut self,
        state: usize,
        word: impl Fn(&mut Memory, usize) -> Option<usize>,
    ) -> Option<usize> {
        let memory = &mut self.memory;
        let [
            code_at,
            instruction_at,
            previous_at,
            owner_at,
            instructions_at,
        ] = [
            Field::Code,
            Field::Instruction,
            Field::Previous,
            Field::Owner,
            Field::Instructions,
        ]
        .map(layout::of);
        // The word that has the byte.
        let owner_word = owner_at & !(size_of::<usize>() - 1);
        let owner_shift = (owner_at - owner_word) * 8;
        let beginning = layout::beginning();
        let fields = Fields::now();
        let mut at = thread::current_frame(state, memory)?;
        let mut count = 0;
        // A list that was read while it was freed may be a circle.
        for _ in 0..2 * MOST_FRAMES {
            if at == 0 || count == MOST_FRAMES {
                return Some(count);
            }
            let owner = (word(memory, at.wrapping_add(owner_word))? >> owner_shift) as u8;
            let previous = word(memory, at.wrapping_add(previous_at))?;
            let begins = match beginning {
                Beginning::Flag => owner != 0,
                Beginning::FrameBefore => {
                    const OWNED_BY_C: u8 = 3;
                    if owner >= OWNED_BY_C {
                        if let Some(last) = count.checked_sub(1) {
                            self.fresh[last].place |= 1;
                        }
                        at = previous;
                        continue;
                    }
                    false
                }
            };
            let code = word(memory, at.wrapping_add(code_at))?;
            let instruction = word(memory, at.wrapping_add(instruction_at))?;
            let first = code.wrapping_add(instructions_at);
            self.fresh[count] = Frame {
                code: Id::of(code, &fields, |at| word(memory, at))?,
                // Before the first one, where the function has just been called.
                place: instruction.saturating_sub(first) & !1 | usize::from(begins),
            };
            count += 1;
            at = previous;
        }
        None
    }
}

/// The node of a frame that is not the one that was there last.
fn node_of(memo: &mut Memo, callers: u32, frame: Frame) -> Result<u32, Cut> {
    let known = Recent {
        callers,
        frame,
        node: ROOT,
    };
    let recent = &mut memo.python.recent[known.place()];
    if (Recent {
        node: ROOT,
        ..*recent
    }) == known
        && recent.node != ROOT
    {
        return Ok(recent.node);
    }
    let node = node_by_entry(memo, callers, frame)?;
    memo.python.recent[known.place()] = Recent { node, ..known };
    Ok(node)
}

#[inline(never)]
fn node_by_entry(memo: &mut Memo, callers: u32, frame: Frame) -> Result<u32, Cut> {
    let code_type = CODE_TYPE.load(Ordering::Relaxed);
    let code = Code::of(frame.code, code_type, &mut memo.python.memory).ok_or(Cut::NotReadable)?;
    if code.is_trampoline() && !frame.begins() {
        return Ok(callers);
    }
    if let Some(entry) = frame.code.known() {
        let key = Key::interpreted(entry, frame.instruction(), frame.begins());
        if let Some(node) = trie::find(callers, key) {
            return Ok(node);
        }
    }
    let mut made = Err(Cut::NoRoom);
    memo.aside(|memo| made = make(&mut memo.python.memory, callers, frame, &code));
    made
}

/// Makes the node. Signals are blocked.
fn make(memory: &mut Memory, callers: u32, frame: Frame, code: &Code) -> Result<u32, Cut> {
    let text_type = TEXT_TYPE.load(Ordering::Relaxed);
    let entry = frame.code.known().or_else(|| code.entry(text_type, memory));
    let entry = entry.ok_or(Cut::NoRoom)?;
    let key = Key::interpreted(entry, frame.instruction(), frame.begins());
    if let Some(node) = trie::find(callers, key) {
        return Ok(node);
    }
    let line = Line {
        code: entry,
        line: code.line(frame.instruction(), memory),
    };
    trie::make(callers, key, What::Line(line)).ok_or(Cut::NoRoom)
}
