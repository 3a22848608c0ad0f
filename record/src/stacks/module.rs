//! The loaded objects whose code is in the stacks.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::text::Text;

/// A loaded object whose code is in the stacks.
#[derive(Debug)]
#[repr(C)]
pub struct Module {
    /// Its load bias: addresses less those of its file.
    pub base: AtomicU64,
    build_id_bytes: AtomicU64,
    build_id: [AtomicU8; Module::MOST_BUILD_ID_BYTES],
    /// Path of its file.
    pub path: Text<456>,
}

const _: () = assert!(size_of::<Module>() == 512);

impl Module {
    /// The longest build id that is kept: SHA-1 has 20 bytes, and is what linkers use.
    pub const MOST_BUILD_ID_BYTES: usize = 32;

    /// Sets the build id; nothing where it is too long.
    pub fn set_build_id(&self, id: &[u8]) {
        if id.len() > Self::MOST_BUILD_ID_BYTES {
            return;
        }
        for (place, &byte) in self.build_id.iter().zip(id) {
            place.store(byte, Ordering::Relaxed);
        }
        self.build_id_bytes
            .store(id.len() as u64, Ordering::Relaxed);
    }

    /// The build id; nothing where it has none.
    pub fn build_id(&self) -> impl Iterator<Item = u8> {
        let length = usize::try_from(self.build_id_bytes.load(Ordering::Relaxed))
            .unwrap_or(0)
            .min(Self::MOST_BUILD_ID_BYTES);
        let bytes = self.build_id[..length].iter();
        bytes.map(|byte| byte.load(Ordering::Relaxed))
    }
}
