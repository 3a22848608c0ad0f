//! The memory of a region: shared with the process that writes it, or a copy.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use super::shrinking::{self, Expected};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use weir_record::region::{Header, NotARegion, Region, Room};

/// Mapped memory, unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    memory: NonNull<u8>,
    length: usize,
    /// Where it is of a file that may be cut off.
    expected: Option<Expected>,
    /// How many bytes are mapped.
    room: usize,
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
        let mut mapping = Mapping::new(memory, length)?;
        mapping.expected = Some(shrinking::expect(mapping.memory.as_ptr(), length));
        Ok(mapping)
    }

    /// Copies so many bytes (not 0) from the start of a file. Holes of the file take no memory.
    ///
    /// # Errors
    /// Where the file has fewer, or cannot be read, or there is no memory.
    pub fn copy(file: &File, length: usize) -> io::Result<Mapping> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: as in `shared`.
        let memory =
            unsafe { mmap_anonymous(std::ptr::null_mut(), length, access, MapFlags::PRIVATE)? };
        let mut mapping = Mapping::new(memory, length)?;
        mapping.fill(file, |_| ())?;
        Ok(mapping)
    }

    /// The same, in the memory of a copy that is no longer needed, if that is large enough: memory that was used before costs less
    /// than memory that the kernel has to find.
    ///
    /// # Errors
    /// As above.
    pub fn copy_over(before: Mapping, file: &File, length: usize) -> io::Result<Mapping> {
        let is_shared = before.expected.is_some();
        if is_shared || before.room < length {
            return Mapping::copy(file, length);
        }
        let mut mapping = before;
        mapping.length = length;
        mapping.fill(file, clear)?;
        Ok(mapping)
    }

    /// Reads what the file has, and has `clear` make the rest zeroes.
    fn fill(&mut self, file: &File, clear: impl Fn(&mut [u8])) -> io::Result<()> {
        // SAFETY: so many bytes, mapped and initialized, and nothing else refers to them: a copy is this owner's alone.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr(), self.length) };
        if file.metadata()?.len() < self.length as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut at = 0;
        while let Some(part) = next_part(file, at, self.length)? {
            clear(&mut bytes[at..part.start]);
            file.read_exact_at(&mut bytes[part.clone()], part.start as u64)?;
            at = part.end;
        }
        clear(&mut bytes[at..]);
        Ok(())
    }

    fn new(memory: *mut std::ffi::c_void, length: usize) -> io::Result<Mapping> {
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping {
            memory,
            length,
            expected: None,
            room: length,
        })
    }

    /// Looks at the memory as a region.
    ///
    /// # Errors
    /// Where it is none, or one of another version.
    pub fn region(&self) -> Result<Region<'_>, NotARegion> {
        // SAFETY: mapped for as long as `self` lives, readable and writable; only recording libraries
        // share it, and they write atomics. If the program cuts the file off, the memory behind its end reads
        // as zeroes (`shrinking`).
        unsafe { Region::from_memory(self.memory.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // While nothing else can be at this address.
        drop(self.expected.take());
        // SAFETY: mapped with this room, and nothing that was borrowed from it outlives it. That it
        // cannot fail for such arguments is why its result does not matter.
        let _ = unsafe { munmap(self.memory.as_ptr().cast(), self.room) };
    }
}

/// Makes bytes of a copy zeroes. Of many, the pages go back to the kernel: they are a hole, and take no memory.
fn clear(bytes: &mut [u8]) {
    // SAFETY: any bytes are bytes of pages, too, and the other way round.
    let (before, pages, after) = unsafe { bytes.align_to_mut::<Page>() };
    before.fill(0);
    after.fill(0);
    let (start, length) = (pages.as_mut_ptr().cast(), size_of_val(pages));
    // SAFETY: whole pages of private memory without a file, which nobody else refers to. They read as zeroes then.
    let is_clear = unsafe { madvise(start, length, Advice::LinuxDontNeed) }.is_ok();
    if !is_clear {
        pages.iter_mut().for_each(|page| page.0.fill(0));
    }
}

/// As large as a page can be.
const PAGE: usize = 64 << 10;

#[repr(align(65536))]
struct Page([u8; PAGE]);

/// What a file has next, from a place on and before another; the rest is a hole where there is none.
fn next_part(file: &File, from: usize, to: usize) -> io::Result<Option<Range<usize>>> {
    let seek = |whence| match rustix::fs::seek(file, whence) {
        Ok(at) => Ok(usize::try_from(at).unwrap_or(usize::MAX).min(to)),
        Err(error) => Err(error),
    };
    let start = match seek(SeekFrom::Data(from as u64)) {
        Ok(start) => start,
        // There is nothing more.
        Err(Errno::NXIO) => to,
        // This file system has no holes.
        Err(Errno::INVAL) => return Ok((from < to).then_some(from..to)),
        Err(error) => return Err(error.into()),
    };
    if start == to {
        return Ok(None);
    }
    Ok(Some(start..seek(SeekFrom::Hole(start as u64))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_what_the_file_has_between_its_holes() {
        const BYTES: usize = 1 << 20;
        let file = tempfile::tempfile().expect("a file");
        file.set_len(BYTES as u64 + 1).expect("room");
        let expect = |expected: &[u8]| {
            let copy = Mapping::copy(&file, BYTES).expect("a copy");
            // SAFETY: so many bytes, which nobody else has.
            let copied = unsafe { std::slice::from_raw_parts(copy.memory.as_ptr(), BYTES) };
            assert!(copied == expected);
        };
        let mut expected = vec![0; BYTES];
        expect(&expected);
        for at in [300_000, 700_000, BYTES] {
            file.write_all_at(b"bytes", at as u64).expect("written");
            let end = BYTES.min(at + 5);
            expected[at.min(end)..end].copy_from_slice(&b"bytes"[..end - at.min(end)]);
            expect(&expected);
        }
        // Over another copy, of which nothing is left.
        let full = tempfile::tempfile().expect("a file");
        full.write_all_at(&vec![1; BYTES + 1], 0).expect("written");
        for length in [BYTES, 650_001, 1] {
            let before = Mapping::copy(&full, BYTES).expect("a copy");
            let copy = Mapping::copy_over(before, &file, length).expect("another");
            assert_eq!((copy.length, copy.room), (length, BYTES));
            // SAFETY: as above.
            let copied = unsafe { std::slice::from_raw_parts(copy.memory.as_ptr(), length) };
            assert!(copied == &expected[..length]);
        }
        let longer = Mapping::copy(&file, 2 * BYTES).map(drop);
        assert_eq!(
            longer.expect_err("it is shorter").kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
