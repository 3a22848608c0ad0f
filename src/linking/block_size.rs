//! The size of a block of the heap, as its allocator has it.
//!
//! The next `malloc_usable_size` returns it. That of the GNU C library reads the word before the block, which has the size and three flags,
//! and then a word behind the block, which says whether the block is in use (`struct malloc_chunk` in its malloc/malloc.c). Where many
//! blocks are live, the second word is in no cache, and the processor waits for it for longer than for all else that Weir does at a call.
//! And where the program has damaged the first word, the second may be anywhere: the function would end the program by a fault, and not the
//! allocator by its message.
//!
//! So Weir reads the first word alone, once it has seen that the function returns what follows from it: at start, for blocks that Weir has laid
//! out itself. Arenas of threads may have words of another kind; for those, it goes by blocks of the program.

use std::ffi::c_void;
use std::mem::transmute;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use libc::size_t;
use once_cell::race::OnceNonZeroUsize;
use weir_record::functions::Function;

use crate::linking::next;

/// The next `malloc`'s function that returns the size of a block.
static FUNCTION: OnceNonZeroUsize = OnceNonZeroUsize::new();
/// What is called for it: the function, or [`compared`] as long as Weir learns from it.
static CALLED: AtomicUsize = AtomicUsize::new(0);

/// Finds the function that returns the size of a block. False if there is none that can be called. If a library has a
/// `malloc` and no `malloc_usable_size`, another library's function does not know its blocks. A sanitizer's function
/// ends the program for a block that it does not know, such as one that the sanitizer made while it started. Called
/// before any thread has a slot.
pub fn find() -> bool {
    let is_of_one_allocator =
        next::next_place(Function::Malloc) == next::next_place(Function::MallocUsableSize);
    let is_reliable = is_of_one_allocator && !next::is_malloc_sanitizers();
    let malloc = next::next_place(Function::Malloc);
    let others = (0..).zip(SELDOM_MADE);
    let others = others.filter(|&(_, maker)| next::next_place(maker) != malloc);
    let bits = others.fold(0, |bits, (place, _)| bits | 1 << place);
    OF_ANOTHER.store(bits, Ordering::Relaxed);
    let function = match is_reliable {
        true => next::address(Function::MallocUsableSize),
        false => next::function_address(no_size as *const ()),
    };
    if FUNCTION.set(function).is_ok() {
        CALLED.store(function.get(), Ordering::Relaxed);
        let is_c_librarys = || next::of_another_library(Function::MallocUsableSize).is_none();
        if is_reliable && is_c_librarys() && agrees(function.get()) {
            HEADERS.begin();
            CALLED.store((compared as *const ()).addr(), Ordering::Relaxed);
        }
    }
    is_reliable
}

/// Two blocks as the C library has them, the first one in use.
#[repr(C, align(16))]
struct Blocks([usize; 36]);

/// Whether the C library's function returns for blocks what follows from the words before them.
fn agrees(function: usize) -> bool {
    /// Of a word: the block before is in use.
    const BEFORE_IS_USED: usize = 1;
    const CHUNKS: [usize; 3] = [0x20, 0x30, 0x100];
    CHUNKS.into_iter().all(|bytes| {
        let mut blocks = Blocks([0; _]);
        blocks.0[1] = bytes | BEFORE_IS_USED;
        blocks.0[1 + bytes / size_of::<usize>()] = 0x20 | BEFORE_IS_USED;
        let block = (&raw mut blocks.0[2]).cast::<c_void>();
        // SAFETY: such a function, and a block that is in use, with the words before and behind it that the function reads.
        let size = unsafe { call(function, block) };
        size == follows_from(word_before(block))
    })
}

/// Functions that make blocks, and that some allocators do not define.
const SELDOM_MADE: [Function; 5] = [
    Function::Memalign,
    Function::AlignedAlloc,
    Function::PosixMemalign,
    Function::Valloc,
    Function::Pvalloc,
];
/// Which of them are another object's than `malloc`, a bit for each.
static OF_ANOTHER: AtomicU32 = AtomicU32::new(0);

/// Whether the blocks of a function are of another allocator than those of `malloc`, which knows nothing of their size: jemalloc has
/// no `pvalloc`, so that of the C library is called.
#[inline(always)]
pub fn is_of_another_allocator(function: Function) -> bool {
    let place = SELDOM_MADE.iter().position(|&maker| maker == function);
    place.is_some_and(|place| OF_ANOTHER.load(Ordering::Relaxed) & 1 << place != 0)
}

extern "C-unwind" fn no_size(_: *mut c_void) -> size_t {
    0
}

/// The size of a block in bytes, as its allocator returns it; 0 for NULL, and if the size is not known.
///
/// # Safety
/// The block is live, and comes from the next `malloc` or its kin. The calling thread has a slot.
#[inline(always)]
pub unsafe fn of(block: *mut c_void) -> u64 {
    let ask = HEADERS.ask.load(Ordering::Relaxed);
    if ask != ALWAYS {
        if block.is_null() {
            return 0;
        }
        let word = word_before(block);
        if word & ask == 0 {
            return follows_from(word);
        }
    }
    // SAFETY: the thread has a slot, as the caller promises. So the image has started, and has stored a function of
    // this type; the block is for it.
    unsafe { call(CALLED.load(Ordering::Relaxed), block) }
}

/// Calls a function that returns the size of a block.
///
/// # Safety
/// The address is that of such a function, and the block is its allocator's, or NULL.
#[inline(always)]
unsafe fn call(address: usize, block: *mut c_void) -> u64 {
    // SAFETY: as the caller promises.
    unsafe {
        let size = transmute::<usize, unsafe extern "C-unwind" fn(*mut c_void) -> size_t>(address);
        size(block) as u64
    }
}

/// The function, and a look at whether the word before the block says the same.
unsafe extern "C-unwind" fn compared(block: *mut c_void) -> size_t {
    let function = FUNCTION.get().map_or(0, NonZeroUsize::get);
    // SAFETY: [`find`] has stored the function before it stored this one. The block is the caller's.
    let size = unsafe { call(function, block) };
    if !block.is_null() && !HEADERS.learn(word_before(block), size) {
        CALLED.store(function, Ordering::Relaxed);
    }
    size as size_t
}

/// Flags of the word before a block.
mod flag {
    /// The allocator has mapped memory for this block alone.
    pub const MAPPED: usize = 2;
    /// It is from an arena that was made for a thread.
    pub const OF_ANOTHER_ARENA: usize = 4;
    /// All flags that there are.
    pub const ALL: usize = 7;
}

/// The word before a block of the C library. Another thread may change its flags.
#[inline(always)]
fn word_before(block: *mut c_void) -> usize {
    // Where a program frees what is no block, that may stand anywhere.
    let block = block.map_addr(|address| address & !(align_of::<AtomicUsize>() - 1));
    let word = block.cast::<AtomicUsize>().wrapping_sub(1);
    // SAFETY: the C library's blocks have it; it is aligned.
    unsafe { (*word).load(Ordering::Relaxed) }
}

/// What follows for the size: a block takes all of its chunk but the word before it.
#[inline(always)]
fn follows_from(word: usize) -> u64 {
    (word & !flag::ALL).wrapping_sub(size_of::<usize>()) as u64
}

/// What is known of the words before blocks.
static HEADERS: Headers = Headers::unknown();

struct Headers {
    /// For blocks with one of these flags the function is asked.
    ask: AtomicUsize,
    /// How many blocks of other arenas have yet to agree with the function. [`NEVER`] where the words are not to be read.
    left: AtomicU32,
}

/// The function is asked, and the word is not even read.
const ALWAYS: usize = usize::MAX;
const NEVER: u32 = u32::MAX;
/// How many blocks of other arenas must agree.
const ENOUGH: u32 = 64;

impl Headers {
    const fn unknown() -> Headers {
        Headers {
            ask: AtomicUsize::new(ALWAYS),
            left: AtomicU32::new(NEVER),
        }
    }

    /// Blocks of the first arena have such words.
    fn begin(&self) {
        self.left.store(ENOUGH, Ordering::Relaxed);
        let ask = flag::MAPPED | flag::OF_ANOTHER_ARENA;
        self.ask.store(ask, Ordering::Relaxed);
    }

    /// Compares what the function has returned for a block with what follows from the word before it. False where they are not to be
    /// compared any more.
    fn learn(&self, word: usize, size: u64) -> bool {
        // These are few and large. To map them costs so much more that the function may be asked.
        if word & flag::MAPPED != 0 {
            return true;
        }
        if follows_from(word) != size {
            self.left.store(NEVER, Ordering::SeqCst);
            self.ask.store(ALWAYS, Ordering::SeqCst);
            return false;
        }
        let less = |left: u32| left.checked_sub(1).filter(|_| left != NEVER);
        let seen = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if seen == Ok(1) {
            self.ask.store(flag::MAPPED, Ordering::SeqCst);
        }
        // Another thread may have seen meanwhile that the words are not what they seem.
        let is_over = self.left.load(Ordering::SeqCst) == NEVER;
        if is_over {
            self.ask.store(ALWAYS, Ordering::SeqCst);
        }
        !is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Headers {
        fn asks(&self) -> usize {
            self.ask.load(Ordering::Relaxed)
        }

        fn learns(&self, word: usize, size: u64) -> usize {
            assert!(self.learn(word, size));
            self.asks()
        }
    }

    #[test]
    fn words_of_other_arenas_are_believed_once_many_blocks_agree() {
        let headers = Headers::unknown();
        assert_eq!(headers.asks(), ALWAYS);
        headers.begin();
        let both = flag::MAPPED | flag::OF_ANOTHER_ARENA;
        for _ in 1..ENOUGH {
            assert_eq!(headers.learns(0x35, 40), both);
            // Mapped ones are always asked for.
            assert_eq!(headers.learns(0x2_1002, 0x2_0ff0), both);
        }
        for _ in 0..2 * ENOUGH {
            assert_eq!(headers.learns(0x35, 40), flag::MAPPED);
        }
    }

    #[test]
    fn one_that_does_not_agree_ends_it() {
        for before in [0, 1, ENOUGH, 2 * ENOUGH] {
            for (word, size) in [(0x25, 0), (0x25, 16), (0x25, 32), (4, 0), (5, 8)] {
                let headers = Headers::unknown();
                headers.begin();
                for _ in 0..before {
                    assert!(headers.learn(0x1005, 0xff8));
                }
                assert!(!headers.learn(word, size));
                assert_eq!(headers.asks(), ALWAYS);
                for _ in 0..=ENOUGH {
                    assert!(!headers.learn(0x25, 24));
                    assert_eq!(headers.asks(), ALWAYS);
                }
            }
        }
    }

    extern "C-unwind" fn whole_chunk(block: *mut c_void) -> size_t {
        word_before(block) & !flag::ALL
    }

    #[test]
    fn the_c_library_agrees_and_others_do_not() {
        assert!(agrees((libc::malloc_usable_size as *const ()).addr()));
        assert!(!agrees((whole_chunk as *const ()).addr()));
        assert!(!agrees((no_size as *const ()).addr()));
    }

    /// The C library's, which this process has.
    #[test]
    fn what_follows_from_the_word_is_what_the_function_returns() {
        let mut blocks = Vec::new();
        for size in (0..5000).step_by(7).chain([100_000, 1 << 20]) {
            // SAFETY: any size may be asked for; each block is freed below.
            blocks.push(unsafe { libc::malloc(size) });
        }
        for &block in &blocks {
            assert!(!block.is_null());
            let word = word_before(block);
            // SAFETY: a live block.
            let size = unsafe { libc::malloc_usable_size(block) } as u64;
            if word & flag::MAPPED == 0 {
                assert_eq!(follows_from(word), size);
            }
        }
        for block in blocks {
            // SAFETY: a live block, which nobody uses any more.
            unsafe { libc::free(block) };
        }
    }
}
