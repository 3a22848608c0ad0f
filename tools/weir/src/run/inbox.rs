//! Files of regions without a name, which the program's processes send (`src/region/mapping/handed.rs`).
//!
//! A process in the session can send anything. Weir reads only regular files of the session's file system, and closes others.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::set_socket_passcred;
use rustix::process::{Resource, getrlimit};
use weir_record::settings::INBOX;

use super::message;

/// Messages that are taken at once: who sends more is kept waiting, not weir.
const AT_ONCE: usize = 64;
/// Where weir may have fewer descriptors than this, one that is sent may find no room, and be lost.
const NEEDED_DESCRIPTORS: u64 = 768;

/// The socket. Its name is gone when this is dropped.
#[derive(Debug)]
pub struct Inbox {
    socket: UnixDatagram,
    path: PathBuf,
    /// The file system of the session.
    device: u64,
}

impl Inbox {
    /// Makes the socket in the directory of a session. None where that cannot be: then regions have names.
    pub fn new(session: &Path) -> Option<Inbox> {
        let limit = getrlimit(Resource::Nofile).current;
        if limit.is_some_and(|limit| limit < NEEDED_DESCRIPTORS) {
            return None;
        }
        // A path that is too long for a socket is refused here, and by those who send.
        let path = session.join(INBOX);
        let socket = UnixDatagram::bind(&path).ok()?;
        // Where the kernel does not say who sends, it is guessed.
        let _ = set_socket_passcred(&socket, true);
        let device = session.metadata().ok()?.dev();
        Some(Inbox {
            socket,
            path,
            device,
        })
    }

    /// What has been handed over since the last time.
    pub fn take(&self) -> Taken {
        let mut taken = Taken::default();
        while taken.messages < AT_ONCE {
            match self.receive(&mut taken) {
                Ok(()) => taken.messages += 1,
                Err(error) => {
                    taken.has_failed = error.kind() != ErrorKind::WouldBlock;
                    break;
                }
            }
        }
        taken
    }

    fn receive(&self, taken: &mut Taken) -> io::Result<()> {
        let first = taken.files.len();
        let sender = message::receive(self.socket.as_fd(), |descriptor| {
            let file = File::from(descriptor);
            if self.is_plain(&file) {
                taken.files.push(Handed { file, sender: None });
            }
        })?;
        for handed in &mut taken.files[first..] {
            handed.sender = sender;
        }
        Ok(())
    }

    fn is_plain(&self, file: &File) -> bool {
        // A read could wait for another file system.
        file.metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.dev() == self.device)
    }
}

/// A file that a process has handed over.
#[derive(Debug)]
pub struct Handed {
    /// The file.
    pub file: File,
    /// The process, if it has an id here: see [`message::receive`].
    pub sender: Option<u32>,
}

/// What was taken from the socket at once.
#[derive(Debug, Default)]
pub struct Taken {
    /// The files.
    pub files: Vec<Handed>,
    messages: usize,
    has_failed: bool,
}

impl Taken {
    /// Whether anything was there, be it of no use, or may be there still.
    pub fn was_something(&self) -> bool {
        self.messages > 0 || self.has_failed
    }

    /// Whether that was all.
    pub fn are_all(&self) -> bool {
        self.messages < AT_ONCE
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // What is left is removed with the session.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
pub mod tests {
    use std::io::IoSlice;
    use std::mem::MaybeUninit;
    use std::os::unix::fs::FileExt;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    use super::*;

    /// Hands files over.
    pub fn send(to: &Path, files: &[&File]) {
        let socket = UnixDatagram::unbound().unwrap();
        socket.connect(to).unwrap();
        let descriptors: Vec<_> = files.iter().map(|file| file.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
        }
        sendmsg(
            &socket,
            &[IoSlice::new(b".")],
            &mut ancillary,
            SendFlags::empty(),
        )
        .unwrap();
    }

    #[test]
    fn only_plain_files_of_the_same_file_system_are_taken() {
        let session = tempfile::tempdir().unwrap();
        let inbox = Inbox::new(session.path()).expect("a socket");
        let to = session.path().join(INBOX);
        assert!(!inbox.take().was_something());
        let file = tempfile::tempfile_in(session.path()).unwrap();
        file.write_at(b"region", 0).unwrap();
        let zero = File::open("/dev/zero").unwrap();
        let directory = File::open(session.path()).unwrap();
        let elsewhere = File::open("/proc/self/maps").unwrap();
        send(&to, &[]);
        send(&to, &[&zero, &directory, &file, &elsewhere]);
        send(&to, &[&file]);
        let taken = inbox.take();
        assert!(taken.was_something() && taken.are_all());
        assert_eq!(taken.files.len(), 2);
        let mut text = [0; 6];
        // It was sent by this process.
        let senders: Vec<_> = taken.files.iter().map(|handed| handed.sender).collect();
        assert_eq!(senders, [Some(std::process::id()); 2]);
        taken.files[1].file.read_exact_at(&mut text, 0).unwrap();
        assert_eq!(&text, b"region");
        send(&to, &[]);
        let taken = inbox.take();
        assert!(taken.was_something() && taken.files.is_empty());
        assert!(!inbox.take().was_something());
        drop(inbox);
        assert!(!to.exists());
    }

    #[test]
    fn where_no_socket_can_be_made_there_is_no_inbox() {
        assert!(Inbox::new(Path::new("/nonexistent")).is_none());
        let session = tempfile::tempdir().unwrap();
        let long = session.path().join("x".repeat(120));
        std::fs::create_dir(&long).unwrap();
        assert!(Inbox::new(&long).is_none());
    }
}
