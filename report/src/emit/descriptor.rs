//! A descriptor that is closed by a system call, not by the C library's `close`, which the program may have
//! replaced, and where a thread may be cancelled.

use std::mem::ManuallyDrop;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};

/// How long a reader may take to read a part of what we write.
const PATIENCE: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// A file that is open.
#[derive(Debug)]
pub struct Descriptor(ManuallyDrop<OwnedFd>);

impl Descriptor {
    /// Writes all of it. If the file does not block (`O_NONBLOCK`), waits for it, for a limited time.
    pub fn write_all(&self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            match retry_on_intr(|| rustix::io::write(self, bytes)) {
                Ok(0) => return Err(Errno::IO),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(Errno::AGAIN) => self.await_room()?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn await_room(&self) -> Result<(), Errno> {
        let mut asked = [PollFd::new(self, PollFlags::OUT)];
        match retry_on_intr(|| poll(&mut asked, Some(&PATIENCE)))? {
            0 => Err(Errno::TIMEDOUT),
            _ => Ok(()),
        }
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Descriptor {
        Descriptor(ManuallyDrop::new(fd))
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: it is ours and open; nothing closes it after this, since the `OwnedFd` is never dropped.
        unsafe { rustix::io::close(self.0.as_raw_fd()) };
    }
}
