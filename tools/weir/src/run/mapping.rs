//! The memory of a region: shared with the process that writes it, or a copy.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use super::shrinking;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use weir_record::region::{Header, NotARegion, Region, Room};

/// Mapped memory, unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    memory: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory belongs to no thread; what is read of it are atomics.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps a file for reading and writing, to its length or that of the longest region. Of a sparse
    /// file only what is touched takes memory.
    ///
    /// # Errors
    /// Where the file is too short to be a region ([`io::ErrorKind::UnexpectedEof`]), or the system
    /// will not map it.
    pub fn shared(file: &File) -> io::Result<Mapping> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let length = usize::try_from(metadata.len())
            .unwrap_or(usize::MAX)
            .min(Room::MOST.bytes());
        if length < size_of::<Header>() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, at an address of the kernel's choosing.
        let memory = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                access,
                MapFlags::SHARED,
                file,
                0,
            )?
        };
        let mapping = Mapping::new(memory, length)?;
        shrinking::expect(mapping.memory.as_ptr(), length);
        Ok(mapping)
    }

    /// Copies so many bytes (not 0) from the start of a file.
    ///
    /// # Errors
    /// Where the file has fewer, or cannot be read, or there is no memory.
    pub fn copy(file: &File, length: usize) -> io::Result<Mapping> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: as in `shared`.
        let memory =
            unsafe { mmap_anonymous(std::ptr::null_mut(), length, access, MapFlags::PRIVATE)? };
        let mapping = Mapping::new(memory, length)?;
        // SAFETY: so many bytes, just mapped and zeroed, and known to nobody else yet.
        let bytes = unsafe { std::slice::from_raw_parts_mut(mapping.memory.as_ptr(), length) };
        file.read_exact_at(bytes, 0)?;
        Ok(mapping)
    }

    fn new(memory: *mut std::ffi::c_void, length: usize) -> io::Result<Mapping> {
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { memory, length })
    }

    /// Looks at the memory as a region.
    ///
    /// # Errors
    /// Where it is none, or one of another version.
    pub fn region(&self) -> Result<Region<'_>, NotARegion> {
        // SAFETY: mapped for as long as `self` lives, readable and writable; whoever shares it is a
        // recording library, which writes atomics. Should the program cut the file off, what was behind its end reads
        // as zeroes (`shrinking`).
        unsafe { Region::from_memory(self.memory.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        shrinking::forget(self.memory.as_ptr());
        // SAFETY: mapped with this length, and nothing that was borrowed from it outlives it. That it
        // cannot fail for such arguments is why its result does not matter.
        let _ = unsafe { munmap(self.memory.as_ptr().cast(), self.length) };
    }
}
