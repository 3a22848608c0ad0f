//! Unwinding: from where a call is recorded to its outermost caller.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use weir_record::stacks::{Cut, Key, Place};

use super::call_frames::Row;
use super::memo::{Frame, MOST_FRAMES, Memo, Sought};
use super::modules::{self, Code};
use super::rule::{self, Base, Rule, Says, Step};
use super::rules;
use super::spans::{MOST_SPAN, Span};
use super::trie::{self, ROOT, What};
use crate::arch::State;
use crate::arch::unwinding::INTERRUPTED;
use crate::environment;

/// Raised when what is remembered is of another image, or of code that has gone.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// What threads remember of their stacks is no longer so.
pub fn forget_stacks() {
    EPOCH.fetch_add(1, Ordering::AcqRel);
}

/// A stack that is too deep is known by its innermost frames only.
const INNERMOST: usize = 64;

/// The node of the callers of a state, where this function is called, and why the stack is cut, if it is.
#[inline(always)]
pub fn callers(memo: &mut Memo, state: &State, function: u32) -> (u32, Option<Cut>) {
    match recalled(memo, state, function) {
        Some(node) => (node, memo.cut),
        None => unwound(memo),
    }
}

/// The node, if the whole stack is remembered: then it is cut as the last one was. If not, what is needed to unwind it is in
/// [`Memo::sought`].
#[inline(always)]
pub fn recalled(memo: &mut Memo, state: &State, function: u32) -> Option<u32> {
    memo.is_behind_handler = false;
    let epoch = EPOCH.load(Ordering::Acquire);
    if memo.epoch != epoch {
        memo.clear();
        memo.deep = Frame::NONE;
        memo.epoch = epoch;
    }
    // Word by word, as the words have been written just before: a wider load would have to wait until they are in the cache.
    let word = |word: &usize| {
        // SAFETY: a reference can be read.
        unsafe { ptr::from_ref(word).read_volatile() }
    };
    let state = State {
        return_address: word(&state.return_address),
        stack_pointer: word(&state.stack_pointer),
        frame_pointer: word(&state.frame_pointer),
        link: word(&state.link),
    };
    let span = memo.spans.of(state.stack_pointer);
    // SAFETY: the span can be read.
    let (at, kept) = unsafe { memo.kept(state.stack_pointer, &span) };
    if at < Memo::ROOM && at >= kept && memo.frames[at].is(&state) {
        memo.first = at;
        return Some(memo.frames[at].node);
    }
    let set = Memo::branch_set(&state, function);
    let node = memo.branch(&state, &span, set, kept);
    if node.is_none() {
        memo.sought = Sought {
            state,
            span,
            at,
            kept,
            set,
        };
    }
    node
}

/// The same for a stack that is not one of those that are remembered: that in [`Memo::sought`].
#[inline(never)]
fn unwound(memo: &mut Memo) -> (u32, Option<Cut>) {
    let Sought {
        state,
        span,
        at,
        kept,
        ..
    } = memo.sought;
    Walk::new(state, span, true).go(memo, at, kept)
}

/// The same without what is remembered, which stays as it is.
#[cold]
#[inline(never)]
pub fn callers_in_full(memo: &mut Memo, state: &State) -> (u32, Option<Cut>) {
    // What is compared with this is followed to its end, too.
    memo.deep = Frame::NONE;
    let span = memo.spans.of(state.stack_pointer);
    Walk::new(*state, span, true).go_alone(memo)
}

struct Walk {
    span: Span,
    state: State,
    /// How many frames have been unwound.
    fresh: usize,
    /// Behind the last place that their words stand at.
    top: usize,
    /// Whether the frames may be remembered.
    is_whole: bool,
    /// Whether what is copied of the stack is of this walk.
    has_copied: bool,
}

/// How a step went.
enum Stepped {
    /// To the caller.
    On,
    /// Over the frame of a signal handler, to what it interrupted.
    Interrupted,
    /// There is no caller.
    Outermost,
    /// The caller cannot be found, for this reason.
    Cut(Cut),
}

impl Walk {
    #[inline(always)]
    fn new(state: State, span: Span, is_whole: bool) -> Walk {
        Walk {
            span,
            state,
            fresh: 0,
            top: 0,
            is_whole,
            has_copied: false,
        }
    }

    /// `at` and `kept` are as [`Memo::kept`] has them.
    #[inline(always)]
    fn go(&mut self, memo: &mut Memo, mut at: usize, mut kept: usize) -> (u32, Option<Cut>) {
        let is_deep = memo.deep.stack_pointer > self.state.stack_pointer && self.is_deep(memo);
        let cut = loop {
            if is_deep && self.fresh >= INNERMOST {
                self.is_whole = false;
                break Some(Cut::TooDeep);
            }
            while at < Memo::ROOM && memo.frames[at].stack_pointer < self.state.stack_pointer {
                at += 1;
            }
            if at < Memo::ROOM && at >= kept && memo.frames[at].is(&self.state) {
                return self.join(memo, at);
            }
            match self.step(memo) {
                Stepped::On => {}
                Stepped::Interrupted => {
                    self.is_whole = false;
                    memo.is_behind_handler = true;
                    self.span = memo.spans.of_interrupted(self.state.stack_pointer);
                    // SAFETY: the span can be read.
                    (at, kept) = unsafe { memo.kept(self.state.stack_pointer, &self.span) };
                }
                Stepped::Outermost => break None,
                Stepped::Cut(cut) => break Some(cut),
            }
        };
        if cut == Some(Cut::TooDeep) {
            self.cut_to_innermost(memo);
        }
        let node = self.name(memo, ROOT, false);
        match cut {
            Some(Cut::TooDeep | Cut::NotReadable) => memo.clear(),
            _ if self.is_whole && node.is_some() => _ = self.remember(memo, Memo::ROOM, cut),
            _ => {}
        }
        (
            node.unwrap_or(ROOT),
            cut.or(node.is_none().then_some(Cut::NoRoom)),
        )
    }

    fn go_alone(&mut self, memo: &mut Memo) -> (u32, Option<Cut>) {
        let cut = loop {
            match self.step(memo) {
                Stepped::On => {}
                Stepped::Interrupted => {
                    self.is_whole = false;
                    self.span = memo.spans.of_interrupted(self.state.stack_pointer);
                }
                Stepped::Outermost => break None,
                Stepped::Cut(cut) => break Some(cut),
            }
        };
        if cut == Some(Cut::TooDeep) {
            self.fresh = INNERMOST;
        }
        let node = self.name(memo, ROOT, false);
        (
            node.unwrap_or(ROOT),
            cut.or(node.is_none().then_some(Cut::NoRoom)),
        )
    }

    /// The rest of the stack is as it was, from this remembered frame on.
    #[inline(always)]
    fn join(&mut self, memo: &mut Memo, at: usize) -> (u32, Option<Cut>) {
        let Frame {
            node: parent,
            needs_frame_pointer,
            ..
        } = memo.frames[at];
        let cut = memo.cut;
        if self.fresh == 0 {
            memo.first = at;
            return (parent, cut);
        }
        let Some(node) = self.name(memo, parent, needs_frame_pointer) else {
            memo.clear();
            return (ROOT, Some(Cut::NoRoom));
        };
        if self.is_whole && self.remember(memo, at, cut) {
            memo.keep_branch(at);
        }
        (node, cut)
    }

    /// Finds the nodes of the frames that were unwound, from the outermost; none where there is no room for one.
    #[inline(always)]
    fn name(&mut self, memo: &mut Memo, parent: u32, needs_frame_pointer: bool) -> Option<u32> {
        let (mut node, mut needs) = (parent, needs_frame_pointer);
        for index in (0..self.fresh).rev() {
            let frame = memo.fresh[index];
            let is_words = frame.return_address == 0;
            // What was noted is whether the step itself went by the frame pointer.
            if !is_words {
                if !frame.is_ours() {
                    let address = frame.return_address;
                    let key = Key::address(address as u64);
                    node = match trie::find(node, key) {
                        Some(found) => found,
                        None => make(memo, node, key, address)?,
                    };
                }
                let has_saved = frame.has_saved();
                if has_saved && !needs {
                    memo.fresh[index].places[1] = frame.places[0];
                    memo.fresh[index].words[1] = frame.words[0];
                }
                needs = frame.needs_frame_pointer || (!has_saved && needs);
            }
            memo.fresh[index].needs_frame_pointer = needs;
            memo.fresh[index].node = node;
        }
        Some(node)
    }

    /// Remembers the frames that were unwound in front of those from `at` on. False where there is no room.
    #[inline(always)]
    fn remember(&mut self, memo: &mut Memo, at: usize, cut: Option<Cut>) -> bool {
        let rest = Memo::ROOM - at;
        if self.fresh + rest > MOST_FRAMES {
            memo.clear();
            return false;
        }
        // The frames of the last stack stand at the end, so there is room in front.
        let first = at - self.fresh;
        memo.frames[first..at].copy_from_slice(&memo.fresh[..self.fresh]);
        memo.first = first;
        memo.top = if rest == 0 {
            self.top
        } else {
            memo.top.max(self.top)
        };
        memo.cut = cut;
        true
    }

    /// Unwinds a frame.
    #[inline(always)]
    fn step(&mut self, memo: &mut Memo) -> Stepped {
        if self.fresh >= MOST_FRAMES - 1 {
            return self.give_up_depth();
        }
        let address = self.state.return_address;
        let rule = match rules::find(address) {
            Some(rule) => rule,
            None => match learn(memo, address) {
                Some(rule) => rule,
                None => return self.end(memo, false, Stepped::Cut(Cut::NotReadable)),
            },
        };
        match rule.says() {
            Says::Step(step) => self.take(memo, step, rule.is_ours()),
            other => self.take_otherwise(memo, other, rule.is_ours()),
        }
    }

    #[inline(always)]
    fn take(&mut self, memo: &mut Memo, step: Step, is_ours: bool) -> Stepped {
        let State {
            return_address,
            stack_pointer,
            frame_pointer,
            link,
        } = self.state;
        let base = match step.base {
            Base::Stack => stack_pointer,
            Base::Frame | Base::Word => frame_pointer,
        };
        let place = base.wrapping_add_signed(step.offset as isize);
        let mut word_place = None;
        let cfa = match step.base {
            Base::Stack | Base::Frame => place,
            Base::Word => match self.read(memo, place) {
                Some(word) => {
                    word_place = Some((place, word));
                    word
                }
                None => return self.end(memo, is_ours, Stepped::Cut(Cut::NotReadable)),
            },
        };
        // A caller's frame lies further out, but for that of a function which was interrupted before it had one.
        let has_no_frame = step.base == Base::Stack && step.offset == 0 && !self.is_whole;
        if cfa <= stack_pointer && !(has_no_frame && cfa == stack_pointer) {
            return self.end(memo, is_ours, Stepped::Cut(Cut::NotReadable));
        }
        let mut places = [ptr::null(); 2];
        let mut words = [0; 2];
        let next = match step.return_address_at {
            Some(at) => {
                let at = cfa.wrapping_add_signed(at as isize);
                let Some(word) = self.read(memo, at) else {
                    return self.end(memo, is_ours, Stepped::Cut(Cut::NotReadable));
                };
                (places[0], words[0]) = (ptr::with_exposed_provenance(at), word);
                rule::plain(word)
            }
            None if link != 0 => {
                // Only behind a signal handler: what is not in memory cannot be checked.
                self.is_whole = false;
                rule::plain(link)
            }
            None => return self.end(memo, is_ours, Stepped::Cut(Cut::UnknownRule)),
        };
        let caller_frame_pointer = match step.frame_pointer_at {
            Some(at) => {
                let from = match step.base {
                    Base::Stack | Base::Frame => cfa,
                    Base::Word => frame_pointer,
                };
                let at = from.wrapping_add_signed(at as isize);
                let Some(word) = self.read(memo, at) else {
                    return self.end(memo, is_ours, Stepped::Cut(Cut::NotReadable));
                };
                (places[1], words[1]) = (ptr::with_exposed_provenance(at), word);
                word
            }
            None => {
                (places[1], words[1]) = (places[0], words[0]);
                frame_pointer
            }
        };
        let uses_frame_pointer = step.base != Base::Stack;
        memo.fresh[self.fresh] = Frame {
            return_address,
            stack_pointer,
            frame_pointer,
            places,
            words,
            node: Frame::marks(is_ours, step.frame_pointer_at.is_some()),
            needs_frame_pointer: uses_frame_pointer,
        };
        self.fresh += 1;
        if let Some((place, word)) = word_place {
            let place = ptr::with_exposed_provenance(place);
            memo.fresh[self.fresh] = Frame {
                return_address: 0,
                places: [place; 2],
                words: [word; 2],
                ..memo.fresh[self.fresh - 1]
            };
            self.fresh += 1;
        }
        // That there is no caller is in the words that were read: they are compared as those of other frames.
        if next == 0 {
            return Stepped::Outermost;
        }
        self.state = State {
            return_address: next,
            stack_pointer: cfa,
            frame_pointer: caller_frame_pointer,
            link: 0,
        };
        Stepped::On
    }

    /// A word of the stack, if it can be read.
    #[inline(always)]
    fn read(&mut self, memo: &mut Memo, place: usize) -> Option<usize> {
        const WORD: usize = size_of::<usize>();
        let end = place.wrapping_add(WORD);
        // Only an interrupted function has what it needs below its stack pointer.
        let below = if self.is_whole { 0 } else { RED_ZONE };
        if place < self.state.stack_pointer.wrapping_sub(below)
            || !place.is_multiple_of(WORD)
            || place < self.span.from
        {
            return None;
        }
        if end > self.span.to && !memo.spans.extend(&mut self.span, end) {
            return self.read_copy(memo, place);
        }
        self.top = self.top.max(end);
        let place: *const usize = ptr::with_exposed_provenance(place);
        // SAFETY: within the span, which can be read.
        Some(unsafe { place.read() })
    }

    /// The same on a stack that is not the thread's own.
    #[cold]
    #[inline(never)]
    fn read_copy(&mut self, memo: &mut Memo, place: usize) -> Option<usize> {
        let is_near = place - self.span.from <= MOST_SPAN;
        if !self.span.is_of_another_stack() || !is_near {
            return None;
        }
        if !self.has_copied {
            memo.copies.forget();
            self.has_copied = true;
        }
        let word = memo.copies.word(place)?;
        let end = place + size_of::<usize>();
        self.top = self.top.max(end);
        memo.spans.reached(&mut self.span, end);
        Some(word)
    }

    /// The stack ends at this frame, which belongs to it.
    #[cold]
    #[inline(never)]
    fn end(&mut self, memo: &mut Memo, is_ours: bool, how: Stepped) -> Stepped {
        // There are no words to check; those of the frame before, if any, lead here.
        let (places, words) = match self.fresh.checked_sub(1) {
            Some(last) => (memo.fresh[last].places, memo.fresh[last].words),
            None => {
                self.is_whole = false;
                ([ptr::null(); 2], [0; 2])
            }
        };
        let State {
            return_address,
            stack_pointer,
            frame_pointer,
            ..
        } = self.state;
        memo.fresh[self.fresh] = Frame {
            return_address,
            stack_pointer,
            frame_pointer,
            places: [places[0]; 2],
            words: [words[0]; 2],
            node: Frame::marks(is_ours, false),
            needs_frame_pointer: false,
        };
        self.fresh += 1;
        how
    }

    #[cold]
    #[inline(never)]
    fn take_otherwise(&mut self, memo: &mut Memo, says: Says, is_ours: bool) -> Stepped {
        match says {
            Says::Step(step) => self.take(memo, step, is_ours),
            Says::Outermost => self.end(memo, is_ours, Stepped::Outermost),
            Says::UnknownCode => self.end(memo, is_ours, Stepped::Cut(Cut::UnknownCode)),
            Says::UnknownRule => self.end(memo, is_ours, Stepped::Cut(Cut::UnknownRule)),
            Says::ReadAgain => {
                let address = self.state.return_address;
                let mut step = None;
                memo.on_own_stack(|| step = rule::step_of(row_of(address)));
                match step {
                    Some(step) => self.take(memo, step, is_ours),
                    None => self.end(memo, is_ours, Stepped::Cut(Cut::UnknownRule)),
                }
            }
            Says::SignalFrame => self.interrupted(memo, is_ours),
        }
    }

    /// Goes on with what a signal handler interrupted.
    fn interrupted(&mut self, memo: &mut Memo, is_ours: bool) -> Stepped {
        let stack_pointer = self.state.stack_pointer;
        let mut register = |at: Option<usize>| match at {
            Some(at) => self.read(memo, stack_pointer.wrapping_add(at)),
            None => Some(0),
        };
        let registers = INTERRUPTED.map(&mut register);
        let [Some(instruction), Some(stack), Some(frame), Some(link)] = registers else {
            return self.end(memo, is_ours, Stepped::Cut(Cut::NotReadable));
        };
        let _ = self.end(memo, is_ours, Stepped::Interrupted);
        self.state = State {
            // As a return address, it stands behind the instruction that it is about.
            return_address: instruction.wrapping_add(1),
            stack_pointer: stack,
            frame_pointer: frame,
            link,
        };
        Stepped::Interrupted
    }

    #[cold]
    fn give_up_depth(&mut self) -> Stepped {
        self.is_whole = false;
        Stepped::Cut(Cut::TooDeep)
    }

    /// Leaves the innermost frames. While the frame in the middle is still there, the next stacks are not followed to their end: half as
    /// deep, they are too deep as well.
    #[cold]
    #[inline(never)]
    fn cut_to_innermost(&mut self, memo: &mut Memo) {
        if self.fresh > MOST_FRAMES / 2 {
            let mut inner = memo.fresh[..=MOST_FRAMES / 2].iter().rev();
            let whole = inner.find(|frame| frame.return_address != 0);
            memo.deep = whole.copied().unwrap_or(Frame::NONE);
        }
        self.fresh = self.fresh.min(INNERMOST);
    }

    /// Whether the frame in the middle of a stack that was too deep is further out, and still there.
    #[cold]
    #[inline(never)]
    fn is_deep(&mut self, memo: &mut Memo) -> bool {
        let Frame { places, words, .. } = memo.deep;
        let mut holds = |index: usize| self.read(memo, places[index].addr()) == Some(words[index]);
        holds(0) && holds(1)
    }
}

/// What the ABI lets a function use below its stack pointer; an interrupted one may have saved registers there.
const RED_ZONE: usize = 128;

impl Frame {
    const OURS: u32 = 1;
    const SAVED: u32 = 2;

    /// What is noted of a frame until its node is known: whether its code is Weir's own, and whether it saved the frame pointer.
    #[inline(always)]
    fn marks(is_ours: bool, has_saved: bool) -> u32 {
        (u32::from(is_ours) * Self::OURS) | (u32::from(has_saved) * Self::SAVED)
    }

    #[inline(always)]
    fn is_ours(&self) -> bool {
        self.node & Self::OURS != 0
    }

    #[inline(always)]
    fn has_saved(&self) -> bool {
        self.node & Self::SAVED != 0
    }
}

/// Makes the node of a return address; none where there is no room.
#[cold]
#[inline(never)]
fn make(memo: &mut Memo, parent: u32, key: Key, address: usize) -> Option<u32> {
    let mut made = None;
    memo.on_own_stack(|| made = trie::make(parent, key, What::Place(place_of(address))));
    made
}

/// Reads the rule for a return address, and keeps it; none where it cannot be found out now.
#[cold]
#[inline(never)]
fn learn(memo: &mut Memo, address: usize) -> Option<Rule> {
    let mut learned = None;
    memo.on_own_stack(|| learned = learn_here(address));
    learned
}

fn learn_here(address: usize) -> Option<Rule> {
    let known = match modules::around(address.wrapping_sub(1)) {
        Code::Of(known) => Some(known),
        Code::OfNone => None,
        Code::NotKnown => return None,
    };
    let is_ours = known.is_some_and(|known| known.is_ours());
    let rule = Rule::of(row_of(address), is_ours);
    rules::keep(address, rule);
    Some(rule)
}

/// How to get to the caller of the call in front of a return address.
fn row_of(address: usize) -> Option<Row> {
    let follows = || environment::get().follows_frame_pointers;
    unwind_row(address).or_else(|| follows().then_some(Row::BY_FRAME_POINTER))
}

/// What unwind information says of it.
fn unwind_row(address: usize) -> Option<Row> {
    let call = address.wrapping_sub(1);
    let Code::Of(known) = modules::around(call) else {
        return None;
    };
    // SAFETY: the object is loaded: a frame of its code is on the stack.
    unsafe { known.unwind_table()?.row(call) }
}

/// Where the code is that a return address leads to.
fn place_of(address: usize) -> Place {
    match modules::around(address.wrapping_sub(1)) {
        Code::Of(known) => known.place(address),
        Code::OfNone | Code::NotKnown => Place {
            module: None,
            offset: address as u64,
            is_interpreter: false,
        },
    }
}
