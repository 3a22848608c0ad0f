//! What can be read of stacks without the kernel.
//!
//! Unwind information that is wrong leads anywhere. So words are read directly in two places only: on the page that the thread's stack
//! pointer is in, and on the thread's [own stack](own_stack), whose pages are asked about first, and again after the program has given
//! back memory. All else, as the stacks of coroutines, others may take away at any moment: it is [copied](super::copies).

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::program_memory::own_stack;
use crate::sys;

/// Addresses that can be read: a part of a stack, from some frame outwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub from: usize,
    /// Behind the last.
    pub to: usize,
    /// How far it may be extended. 0 where what is behind it is copied.
    most: usize,
    /// How far frames of the same stack have been found, copied ones included.
    reach: usize,
    /// What [`MAPPINGS`] was when it was found out.
    mappings: u32,
}

impl Span {
    /// Whether all other memory is copied.
    #[inline(always)]
    pub fn is_of_another_stack(&self) -> bool {
        self.most == 0
    }

    /// Whether an address is on the same stack, as far as is known.
    pub fn is_on(&self, address: usize) -> bool {
        (self.from..self.to.max(self.reach)).contains(&address)
    }
}

/// Changes whenever the program has given back memory, or the right to read it.
static MAPPINGS: AtomicU32 = AtomicU32::new(0);

/// The program has given back memory, or the right to read it.
pub fn mappings_have_changed() {
    MAPPINGS.fetch_add(1, Ordering::Relaxed);
}

/// How much of a stack is looked at.
pub const MOST_SPAN: usize = 256 * 1024 * 1024;
/// Of how many stacks a thread remembers what can be read.
const SPANS: usize = 4;

/// What a thread knows of the stacks that it was on.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Spans {
    all: [Span; SPANS],
    next: usize,
}

impl Spans {
    /// What can be read of the stack that the calling thread's stack pointer leads to, as far as is known.
    #[inline(always)]
    pub fn of(&mut self, stack_pointer: usize) -> Span {
        let mappings = MAPPINGS.load(Ordering::Relaxed);
        for span in &self.all {
            let is_it = (span.from..span.to).contains(&stack_pointer);
            if is_it && span.mappings == mappings {
                return *span;
            }
        }
        self.new_span(stack_pointer, mappings)
    }

    #[cold]
    #[inline(never)]
    fn new_span(&mut self, stack_pointer: usize, mappings: u32) -> Span {
        // The thread is on this page.
        let page = sys::page_bytes();
        let from = stack_pointer & !(page - 1);
        let span = Span {
            from,
            to: from + page,
            most: most(stack_pointer),
            reach: 0,
            mappings,
        };
        self.next = (self.next + 1) % SPANS;
        self.all[self.next] = span;
        span
    }

    /// The same of a stack that the thread seems to have been on before it was interrupted.
    #[cold]
    #[inline(never)]
    pub fn of_interrupted(&mut self, stack_pointer: usize) -> Span {
        let from = stack_pointer & !(sys::page_bytes() - 1);
        let mut span = Span {
            from,
            to: from,
            most: most(stack_pointer),
            reach: 0,
            mappings: MAPPINGS.load(Ordering::Relaxed),
        };
        // Where this fails, it is empty.
        self.extend(&mut span, from + 1);
        span
    }

    /// Makes a span reach up to an address, if that may be, and the kernel says that all between can be read.
    #[cold]
    #[inline(never)]
    pub fn extend(&mut self, span: &mut Span, to: usize) -> bool {
        let page = sys::page_bytes();
        let is_near = (span.from..span.most).contains(&to) && to - span.from <= MOST_SPAN;
        let Some(_allowed) = is_near.then(sys::allowed).flatten() else {
            return false;
        };
        while span.to < to {
            // What is known of the same stack from an earlier call.
            let known = self.all.iter().find(|other| {
                (other.from..other.to).contains(&span.to)
                    && other.mappings == span.mappings
                    && other.most == span.most
            });
            span.to = match known {
                Some(other) => other.to,
                None if sys::is_readable(ptr::without_provenance(span.to), 1) => span.to + page,
                None => return false,
            };
        }
        let is_it = |other: &&mut Span| other.from == span.from;
        if let Some(kept) = self.all.iter_mut().find(is_it) {
            *kept = *span;
        }
        true
    }

    /// A frame of a span's stack has been found up to this address.
    pub fn reached(&mut self, span: &mut Span, to: usize) {
        span.reach = span.reach.max(to);
        let is_it = |other: &&mut Span| other.from == span.from && other.most == span.most;
        if let Some(kept) = self.all.iter_mut().find(is_it) {
            kept.reach = span.reach;
        }
    }

    /// Whether two addresses are on one stack, as far as is known.
    pub fn are_on_one(&self, one: usize, other: usize) -> bool {
        let are_on = |span: &Span| span.is_on(one) && span.is_on(other);
        self.all.iter().any(are_on)
    }
}

/// How far the stack may be read that a stack pointer leads to.
fn most(stack_pointer: usize) -> usize {
    match own_stack::end(stack_pointer) {
        Some(end) => end,
        None if sys::can_peek() => 0,
        None => usize::MAX,
    }
}
