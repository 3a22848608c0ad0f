//! The arena of step 3, by itself.

#[path = "../../03-bootstrap-arena/arena.rs"]
mod tested;

use std::ptr;
use tested::Arena;

#[test]
fn blocks_are_zero_aligned_and_apart() {
    let arena = Arena::new();
    let mut end = 0;
    for size in [0, 1, 15, 16, 17, 100] {
        let block = arena.alloc(size);
        assert!(arena.owns(block));
        assert_eq!(block as usize % 16, 0);
        assert!(
            block as usize >= end,
            "size {size}: overlaps the one before"
        );
        end = block as usize + size;
        // SAFETY: the arena gave the block, with that many bytes.
        unsafe {
            assert_eq!(arena.size(block), size);
            let bytes = std::slice::from_raw_parts_mut(block.cast::<u8>(), size);
            assert!(bytes.iter().all(|&byte| byte == 0));
            bytes.fill(0xff);
        }
    }
}

#[test]
fn a_full_arena_gives_null() {
    let arena = Arena::new();
    assert!(arena.alloc(usize::MAX).is_null());
    assert!(arena.alloc(1 << 20).is_null());

    // 16 bytes and their head: a 128th part of it.
    let blocks = (0..).take_while(|_| !arena.alloc(16).is_null()).count();
    assert_eq!(blocks, 128);
    assert!(arena.alloc(0).is_null());
}

#[test]
fn what_others_gave_is_not_its_own() {
    let arena = Arena::new();
    let boxed = Box::new(0_u64);
    assert!(!arena.owns(ptr::from_ref(&*boxed).cast_mut().cast()));
    assert!(!arena.owns(ptr::null_mut()));
}

#[test]
fn threads_never_share_a_block() {
    let arena = Arena::new();
    let mut blocks: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    (0..32)
                        .map(|_| arena.alloc(16) as usize)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    blocks.sort_unstable();
    assert!(
        blocks.windows(2).all(|pair| pair[1] - pair[0] == 32),
        "{blocks:?}"
    );
}
