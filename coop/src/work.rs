//! What may block, and is to be done on a thread where it may.

use libc::c_void;
use std::{io, process};

/// Work that Weir asks the runtime to have done on some thread where it may block.
///
/// It is done or handed back, never both, and nothing else will do: see [`Done`] and [`NotDone`].
#[derive(Debug)]
#[must_use = "work is done, or refused"]
pub struct Work {
    work: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
    asked: Asked,
}

/// Which question this is, or answers: the address of something in the frame that waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked(usize);

/// That the work has been done.
#[derive(Debug)]
#[must_use = "who asked waits for it"]
pub struct Done(Asked);

/// That the work has not been done, and won't be.
#[derive(Debug)]
#[must_use = "who asked waits for it"]
pub struct NotDone {
    asked: Asked,
    why: io::Error,
}

// SAFETY: `run_blocking` of the C interface allows the call on any thread, while the one who asked waits.
unsafe impl Send for Work {}

impl Work {
    /// Does it, on this thread.
    pub fn run(self) -> Done {
        // SAFETY: who made this waits for the answer, as `ask` sees to, so that the argument is there; and it is the
        // one call, since `self` is taken.
        unsafe { (self.work)(self.argument) };
        Done(self.asked)
    }

    /// Doesn't do it.
    pub fn refuse(self, why: io::Error) -> NotDone {
        NotDone {
            asked: self.asked,
            why,
        }
    }
}

/// Asks the runtime to have the work done. An answer to another question ends the process: this one's work may
/// be about to be done, with an argument that is then gone.
///
/// # Safety
///
/// `work` can be called with `argument`, on any thread, until this returns.
pub(crate) unsafe fn ask(
    work: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
    run_blocking: fn(Work) -> Result<Done, NotDone>,
) -> io::Result<()> {
    let place = 0u8;
    let asked = Asked((&raw const place).addr());
    let (answered, answer) = match run_blocking(Work {
        work,
        argument,
        asked,
    }) {
        Ok(Done(answered)) => (answered, Ok(())),
        Err(NotDone { asked, why }) => (asked, Err(why)),
    };
    if answered != asked {
        process::abort();
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    unsafe extern "C" fn add_one(argument: *mut c_void) {
        // SAFETY: the tests below hand over a number.
        unsafe { *argument.cast::<u32>() += 1 }
    }

    fn asked(run_blocking: fn(Work) -> Result<Done, NotDone>) -> (u32, io::Result<()>) {
        let mut number = 1u32;
        // SAFETY: the number outlives the call.
        let answer = unsafe { ask(add_one, (&raw mut number).cast(), run_blocking) };
        (number, answer)
    }

    #[test]
    fn is_done_elsewhere() {
        let (number, answer) = asked(|work| {
            Ok(thread::spawn(move || work.run())
                .join()
                .expect("it ends well"))
        });
        assert_eq!(number, 2);
        answer.expect("it was done");
    }

    #[test]
    fn is_refused() {
        let (number, answer) =
            asked(|work| Err(work.refuse(io::Error::from_raw_os_error(libc::EAGAIN))));
        assert_eq!(number, 1);
        let error = answer.expect_err("it was not done");
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
    }
}
